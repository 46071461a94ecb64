"""A throwaway world to measure in: markets, articles, and a stand-in for the model."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from schemas.articles import locator, snapshot_id
from schemas.chain import GENESIS_HASH
from schemas.codec import encode
from schemas.events.governance import Event as Decided
from schemas.events.governance import MarketListed
from schemas.limits import EMBEDDING_DIMENSIONS
from schemas.observations import OBSERVATIONS, ArticleObserved, SignalsMeasured
from schemas.records import Record, seal
from schemas.stored import Stored
from schemas.subjects import DEFAULT_SHARD, GOVERNANCE, articles, events, signals
from schemas.units import SECOND_NS
from streams.ingest.jobs.services import Delivery
from streams.ingest.measuring.article_analyzer import Tools
from streams.ingest.measuring.keywords import Keywords
from streams.ingest.measuring.language import Languages
from streams.ingest.measuring.names import Names
from streams.ingest.measuring.sentiment import Sentiment
from streams.ingest.measuring.tokens import words
from streams.ingest.measuring.vectors import Vector, quantise

NOW_NS = 1_800_000_000 * SECOND_NS
TITLE = "Acme shares soar after the court clears the merger"
TEXT = "The company said on Monday that profits rose, and the regulator approved the plan."


class WordEmbedding:
    """A stand-in for the model: texts are alike by the words that they share."""

    name = "words"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def of(self, text: str) -> Vector:
        self.asked.append(text)
        total = np.zeros(EMBEDDING_DIMENSIONS, np.float32)
        for word in words(text):
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])
            total += np.random.default_rng(seed).normal(size=EMBEDDING_DIMENSIONS)
        return quantise(total / max(float(np.linalg.norm(total)), 1.0))


LANGUAGES, SENTIMENT, KEYWORDS = Languages(), Sentiment(), Keywords()
"""They hold no state, so all tests share them."""


def tools(embedding: Any = None) -> Tools:
    """Return what measures, with names of its own."""
    return Tools(LANGUAGES, SENTIMENT, KEYWORDS, Names(), embedding or WordEmbedding())


def article(title: str = TITLE, excerpt: str = TEXT, **fields: Any) -> ArticleObserved:
    """Return an article as a fetcher would observe it."""
    given = {
        "source": "daily",
        "snapshot_id": snapshot_id(title, excerpt),
        "locator": locator("https://news.example/a", None),
        "url": "https://news.example/a",
        "title": title,
        "excerpt": excerpt,
        "text_chars": len(excerpt),
        "language": "",
        "published_ns": None,
        "observed_ns": NOW_NS,
        "via": "rss",
        "robots_hash": "",
        "raw": "",
        "push": None,
    }
    return ArticleObserved(**{**given, **fields})


def listed(symbol: str = "ACME", name: str = "Acme", aliases: Sequence[str] = ()) -> MarketListed:
    """Return a market of a throwaway venue."""
    return MarketListed(
        cause=1,
        symbol=symbol,
        name=name,
        description="",
        market_type="finance",
        subtype="",
        region="",
        risk_level="low",
        aliases=list(aliases),
        market_weight_bp=5_000,
        reality_weight_bp=5_000,
        initial_score_e2=5_000,
        tick_ticks=1,
        min_price="0",
        max_price="100",
        created_by="root",
    )


def record(*decided: Decided, time_ns: int = NOW_NS) -> tuple[str, bytes]:
    """Return a record of governance, to be appended."""
    bare = Record(
        engine=GOVERNANCE,
        decider="governance/1",
        epoch=1,
        number=1,
        first_input=1,
        last_input=1,
        time_ns=time_ns,
        tick=False,
        events=list(decided),
        state_hash=None,
        prev=GENESIS_HASH,
    )
    return events(DEFAULT_SHARD, GOVERNANCE), seal(bare)[0]


def observed(*some: ArticleObserved) -> list[tuple[str, bytes]]:
    """Return articles, to be appended."""
    return [(articles(DEFAULT_SHARD), encode(one)) for one in some]


def delivered(stored: Stored | None, attempt: int = 1) -> Delivery:
    """Return a message as a consumer hands it out."""
    assert stored is not None
    return Delivery(stored.sequence, stored.subject, stored.payload, attempt)


def measured(messages: Sequence[Stored | None]) -> list[SignalsMeasured]:
    """Return the signals of articles among `messages`."""
    found = []
    for stored in messages:
        if stored is not None and stored.subject == signals(DEFAULT_SHARD):
            observation = OBSERVATIONS.decode(stored.payload)
            if isinstance(observation, SignalsMeasured):
                found.append(observation)
    return found
