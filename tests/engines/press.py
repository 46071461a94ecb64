"""What the world says, for tests: measured articles and an LLM's answers, as the dice fall."""

import random
from collections.abc import Iterator

from schemas.chain import digest
from schemas.codec import encode
from schemas.events.reality import LlmRequested
from schemas.observations import (
    LlmAnswer,
    LlmAvailability,
    LlmCalled,
    Mention,
    Models,
    Neighbour,
    SignalsMeasured,
    Unfit,
)
from schemas.units import DAY_NS, HOUR_NS

MODELS = Models(embedding="e/1", sentiment="s/1", keywords="k/1", entities="n/1", language="l/1")
UNFIT: tuple[Unfit, ...] = ("too_short", "language", "no_mention", "failed")


class Press:
    """Measures articles that were never written; some repeat, some are similar, some unfit."""

    def __init__(self, dice: random.Random, sources: tuple[str, ...], symbols: tuple[str, ...]):
        self._dice = dice
        self._sources = sources
        self._symbols = symbols
        self._articles: list[int] = []
        self._said: list[SignalsMeasured] = []

    def measured(self, article: int, now_ns: int) -> bytes:
        """Return what is measured of the article at that sequence, or something like it."""
        dice = self._dice
        roll = dice.random()
        if roll < 0.03:
            return dice.randbytes(20)
        if roll < 0.1 and self._said:
            return encode(dice.choice(self._said))  # as after a crash, or the same text again
        signals = self._signals(article, now_ns)
        self._articles.append(article)
        self._said.append(signals)
        return encode(signals)

    def _signals(self, article: int, now_ns: int) -> SignalsMeasured:
        dice = self._dice
        mood, strength = dice.choice((-1, 1)), dice.choice((500, 10_000))
        unfit: Unfit = dice.choice(UNFIT) if dice.random() < 0.1 else ""
        return SignalsMeasured(
            article=article,
            source=dice.choice(self._sources) if dice.random() < 0.9 else "unheard",
            snapshot_id=digest(b"%d" % article),
            published_ns=now_ns - dice.choice((0, 0, 0, HOUR_NS, 9 * DAY_NS, -(2**60))),
            observed_ns=now_ns,
            unfit=unfit,
            detail="",
            language="en",
            language_bp=10_000,
            sentiment_bp=mood * dice.randint(0, strength),
            keywords_bp=mood * dice.randint(0, strength),
            keywords=[],
            entities=[],
            mentions=[] if unfit else list(self._mentions()),
            neighbours=list(self._neighbours()),
            embedding="",
            models=MODELS,
            names_as_of=1,
            measured_ns=now_ns,
        )

    def _mentions(self) -> Iterator[Mention]:
        for symbol in (*self._symbols, "NOWHERE"):
            if self._dice.random() < 0.6:
                yield Mention(symbol, self._dice.randint(0, 1), self._dice.randint(0, 2))

    def _neighbours(self) -> Iterator[Neighbour]:
        dice = self._dice
        near = dice.sample(self._articles[-20:], min(2, len(self._articles[-20:])))
        similar = sorted((dice.randint(5_000, 9_300) for _ in near), reverse=True)
        yield from (Neighbour(*pair) for pair in zip(near, similar, strict=True))


def available(now_ns: int) -> bytes:
    """Return a worker's word that it can be asked."""
    return encode(
        LlmAvailability(
            mode="enabled", reason="", model="m/1", prompt="p/1", observed_ns=now_ns
        )
    )  # fmt: skip


def answered(dice: random.Random, request: LlmRequested, now_ns: int) -> bytes:
    """Return an answer to `request`, or an error."""
    answer = LlmAnswer(
        schema_version=1,
        summary="It rained.",
        impact_e2=dice.randint(-10_000, 10_000),
        confidence_bp=dice.randint(0, 10_000),
        rationale="",
        snapshot_ids=[digest(b"%d" % article) for article in request.articles],
    )
    good = dice.random() < 0.7
    called = LlmCalled(
        request=request.cause,
        request_id=request.request_id,
        prompt="p/1",
        input_hash="",
        model="m/1",
        raw_output="",
        answer=answer if good else None,
        error="" if good else "no JSON",
        started_ns=now_ns,
        ended_ns=now_ns,
    )
    return encode(called)
