"""An LanguageModel that says what a test lets it say, and a log with requests on it."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from schemas.articles import snapshot_id
from schemas.codec import encode
from schemas.events import Event
from schemas.events.governance import MarketEdited, MarketListed
from schemas.events.reality import LlmRequested
from schemas.observations import (
    OBSERVATIONS,
    ArticleObserved,
    LlmAvailability,
    LlmCalled,
)
from schemas.subjects import articles, llm
from schemas.units import SECOND_NS
from streams.ingest.asking.llm import Said
from streams.ingest.jobs.services import Delivery
from streams.log.ports import Log
from tests.projections.feeds.records import Scribe
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import START_NS

Say = Callable[[str, Mapping[str, Any]], Said]
DEADLINE_NS = START_NS + 120 * SECOND_NS


class ScriptedLlm:
    """Says what `say` makes of the prompt and the schema, after `after_s`."""

    name = "scripted@0"

    def __init__(self, say: Say, *, after_s: float = 1.0, most_chars: int = 10_000) -> None:
        self._say = say
        self._after_s = after_s
        self._most_chars = most_chars
        self.prompts: list[str] = []
        self.cancelled = 0
        self.closed = False

    def fits(self, prompt: str) -> bool:
        return len(prompt) <= self._most_chars

    async def ask(self, prompt: str, schema: Mapping[str, Any], within_s: float) -> Said:
        self.prompts.append(prompt)
        try:
            await asyncio.sleep(self._after_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self._say(prompt, schema)

    async def close(self) -> None:
        self.closed = True


def ids_in(schema: Mapping[str, Any]) -> list[str]:
    """Return the articles that an answer to `schema` may name."""
    ids: list[str] = schema["properties"]["snapshot_ids"]["items"]["enum"]
    return ids


def sensible(prompt: str, schema: Mapping[str, Any]) -> Said:
    """Answer as a good model would."""
    return Said(json.dumps(document(ids_in(schema))), "end")


def document(ids: list[str], **other: Any) -> dict[str, Any]:
    """Return a valid answer, but for what `other` says."""
    return {
        "schema_version": 1,
        "summary": "The bank cut its rate.",
        "rationale": "Cheaper money helps.",
        "impact_suggestion": 40,
        "confidence": 0.75,
        "snapshot_ids": ids,
    } | other


class AskingWorld:
    """A simulated log with a market, its articles, and requests about them."""

    def __init__(self) -> None:
        self.server = SimulatedServer()
        self._scribe = Scribe(self.server)
        self.market = self.write(_listed("RATES", "Interest rates"), engine="governance")

    def write(self, *events: Event, engine: str = "reality") -> int:
        return self._scribe.write(*events, engine=engine)

    def rename(self, symbol: str, name: str) -> int:
        edited = MarketEdited(1, symbol, name, "", [], "low", 5_000, 5_000)
        return self.write(edited, engine="governance")

    def article(self, title: str = "Rate cut", text: str = "The bank cut its rate.") -> int:
        observed = ArticleObserved(
            source="daily",
            snapshot_id=snapshot_id(title, text),
            locator="",
            url="https://example.org/1",
            title=title,
            excerpt=text,
            text_chars=len(text),
            language="en",
            published_ns=None,
            observed_ns=START_NS,
            via="rss",
            robots_hash="",
            raw="",
            push=None,
        )
        return self.server.store([(articles(self.server.shard), encode(observed))])

    def request(self, *of: int, deadline_ns: int = DEADLINE_NS, symbol: str = "RATES") -> int:
        """Write a record that asks about the articles `of`; return its sequence."""
        return self.write(requested(*of, deadline_ns=deadline_ns, symbol=symbol))

    def delivery(self, sequence: int, attempt: int = 1) -> Delivery:
        stored = self.server.get(sequence)
        assert stored is not None
        return Delivery(sequence, stored.subject, stored.payload, attempt)

    def observed(self) -> list[LlmCalled | LlmAvailability]:
        """Return what stands where answers stand."""
        found = []
        for stored in self.server.messages():
            if stored.subject == llm(self.server.shard):
                observation = OBSERVATIONS.decode(stored.payload)
                assert isinstance(observation, LlmCalled | LlmAvailability)
                found.append(observation)
        return found

    async def copy(self, log: Log) -> None:
        """Put all of it onto an empty log, at the same sequences."""
        for stored in self.server.messages():
            assert await log.send(stored.subject, stored.payload) == stored.sequence

    def calls(self) -> list[LlmCalled]:
        return [one for one in self.observed() if isinstance(one, LlmCalled)]


def requested(
    *of: int, deadline_ns: int = DEADLINE_NS, symbol: str = "RATES", cluster: int = 2
) -> LlmRequested:
    return LlmRequested(
        cause=of[-1] if of else 1,
        request_id=f"{cluster}-{symbol}",
        cluster=cluster,
        symbol=symbol,
        articles=list(of),
        quick_bp=-4_600,
        why="quick_score",
        at_ns=START_NS,
        deadline_ns=deadline_ns,
    )


def _listed(symbol: str, name: str) -> MarketListed:
    return MarketListed(
        cause=1,
        symbol=symbol,
        name=name,
        description="",
        market_type="economic",
        subtype="",
        region="",
        risk_level="low",
        aliases=[],
        market_weight_bp=5_000,
        reality_weight_bp=5_000,
        initial_score_e2=5_000,
        tick_ticks=1,
        min_price="0",
        max_price="100",
        created_by="U" + "A" * 55,
    )
