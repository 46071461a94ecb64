"""Texts of markets and of final events, measured once per version, so that they can be found.

What is to be measured follows from the log, and so does what is: a measurer may die at any
time, and if two measure the same text, readers keep the first. The subjects are read from
their beginning after each start, beside the articles, which have the precedence.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, NamedTuple

import structlog

from schemas import subjects
from schemas.codec import Codec, encode
from schemas.errors import InputError, OperatingError
from schemas.events.governance import MarketEdited, MarketListed
from schemas.events.reality import ImpactAssessed, LlmAnswered, ReviewClosed, ScoreChanged
from schemas.observations import (
    OBSERVATIONS,
    ArticleObserved,
    LlmCalled,
    TextKind,
    TextMeasured,
    is_measured_text,
)
from schemas.records import read
from schemas.stored import Stored
from streams.ingest.limits import MEASURE_ATTEMPTS, TEXT_BATCH, TEXTS_EVERY_S
from streams.ingest.measuring.article_analyzer import Embeds
from streams.ingest.measuring.article_log_view import SubjectFold
from streams.ingest.measuring.typography import normalized, stated
from streams.ingest.measuring.vectors import to_text
from streams.log.appender import append_all
from streams.log.ports import Clock, Log

Aside = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs work that blocks outside of the event loop, which has heartbeats to send."""

_log = structlog.get_logger(__name__)


class TextKey(NamedTuple):
    """Whose text it is."""

    kind: TextKind
    id: str


class TextVersion(NamedTuple):
    """A text as the message at `of` gave it; an event's is read only when it is measured."""

    of: int
    text: str | None


class TextLogView:
    """What texts the log has, and which versions of them are measured."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._wanted: dict[TextKey, TextVersion] = {}
        self._measured: dict[TextKey, tuple[int, str]] = {}
        self._due: dict[TextKey, None] = {}
        self._calls: dict[str, int] = {}
        """The LLM's call that an event's summary is from, by the event's id."""
        self.signals = 0
        """The sequence of the last message with an article's signals."""
        shard = log.shard
        self._folds = (
            SubjectFold(log, subjects.events(shard, subjects.GOVERNANCE), self._fold_governance),
            SubjectFold(log, subjects.events(shard, subjects.REALITY), self._fold_reality),
            SubjectFold(log, subjects.signals(shard), self._fold_signals),
        )

    async def open(self) -> None:
        for fold in self._folds:
            await fold.open(0)

    async def catch_up(self) -> None:
        """Fold what has come since."""
        for fold in self._folds:
            await fold.catch_up()

    async def close(self) -> None:
        """Let go of the log."""
        for fold in self._folds:
            await fold.close()

    def due(self) -> Iterator[tuple[TextKey, TextVersion]]:
        """Yield the texts that are not measured as they are now."""
        for key in list(self._due):
            wanted = self._wanted[key]
            of, text_hash = self._measured.get(key, (0, ""))
            if wanted.of == of or (wanted.text is not None and hash_of(wanted.text) == text_hash):
                del self._due[key]
            else:
                yield key, wanted

    def drop(self, key: TextKey) -> None:
        """Give up a text that cannot be read from the log."""
        self._due.pop(key, None)

    def _want(self, key: TextKey, of: int, text: str | None) -> None:
        self._wanted[key] = TextVersion(of, text)
        self._due[key] = None

    def _fold_governance(self, stored: Stored) -> None:
        for event in read(stored).events:
            if isinstance(event, MarketListed | MarketEdited):
                words = [event.name, event.description, ", ".join(event.aliases)]
                text = "\n".join(filter(None, words))
                self._want(TextKey("market", event.symbol), stored.sequence, text)

    def _fold_reality(self, stored: Stored) -> None:
        for event in read(stored).events:
            if isinstance(event, LlmAnswered) and event.status == "used":
                self._calls[event.request_id] = event.cause
            elif isinstance(event, ImpactAssessed):
                if event.delta_e2 == 0 and event.llm != "waiting":
                    self._final(event.cluster, event.symbol)
            elif isinstance(event, ScoreChanged) or (
                isinstance(event, ReviewClosed) and event.outcome == "approved"
            ):
                self._final(event.cluster, event.symbol)

    def _final(self, cluster: int, symbol: str) -> None:
        name = f"{cluster}-{symbol}"
        key, of = TextKey("event", name), self._calls.get(name, cluster)
        if key not in self._wanted or self._wanted[key].of != of:
            self._want(key, of, None)

    def _fold_signals(self, stored: Stored) -> None:
        if not is_measured_text(stored.payload):
            self.signals = stored.sequence
            return
        try:
            text = OBSERVATIONS.decode(stored.payload)
        except InputError:
            return
        if isinstance(text, TextMeasured):
            self._measured[TextKey(text.kind, text.id)] = text.of, text.text_hash

    async def text_of(self, version: TextVersion) -> str:
        """Return a version's text, "" if the log has none that can be read."""
        if version.text is not None:
            return version.text
        stored = await self._log.get(version.of)
        try:
            said = None if stored is None else _SOURCES.decode(stored.payload)
        except InputError:
            return ""
        if isinstance(said, LlmCalled):
            return said.answer.summary if said.answer is not None else ""
        return f"{said.title}\n{said.excerpt}" if said is not None else ""


_SOURCES: Final[Codec[ArticleObserved | LlmCalled]] = Codec(ArticleObserved | LlmCalled)


def hash_of(text: str) -> str:
    """Return the SHA-256 of a text, as TextMeasured has it."""
    return hashlib.sha256(text.encode()).hexdigest()


class TextMeasurer:
    """Measures texts and appends what it measured, TEXT_BATCH at once."""

    def __init__(self, log: Log, clock: Clock, embedding: Embeds, *, aside: Aside) -> None:
        self._log = log
        self._clock = clock
        self._embedding = embedding
        self._aside = aside
        self._view = TextLogView(log)
        self.measured = 0

    async def open(self) -> None:
        """Begin to follow the log. Call it once."""
        await self._view.open()

    async def close(self) -> None:
        """Close the readers of the log."""
        await self._view.close()

    async def run(self) -> None:
        """Measure without end. What the log refuses for now is tried again."""
        while True:
            try:
                more = await self.step()
            except OperatingError as error:
                _log.warning("texts put off", code=error.code)
                more = False
            if not more:
                await self._clock.sleep(TEXTS_EVERY_S)

    async def step(self) -> bool:
        """Measure the texts that are due, TEXT_BATCH at most; tell whether there were any.

        Raises an OperatingError when the log cannot be read or appended to; what was appended
        all the same is known by the next step.
        """
        await self._view.catch_up()
        found: list[tuple[TextKey, int, str]] = []
        for key, version in self._view.due():
            text = await self._view.text_of(version)
            if text:
                found.append((key, version.of, text))
            else:
                _log.warning("no text", kind=key.kind, id=key.id, of=version.of)
                self._view.drop(key)
            if len(found) == TEXT_BATCH:
                break
        if not found:
            return False
        measured = await self._aside(lambda: [self._measure(*one) for one in found])
        subject = subjects.signals(self._log.shard)
        await append_all(self._log, [(subject, encode(one)) for one in measured])
        self.measured += len(measured)
        return True

    def _measure(self, key: TextKey, of: int, text: str) -> TextMeasured:
        return TextMeasured(
            kind=key.kind,
            id=key.id,
            of=of,
            text_hash=hash_of(text),
            embedding=self._embedding_of(key, text),
            model=stated(self._embedding.name),
            signals=self._view.signals,
            measured_ns=self._clock.now_ns(),
        )

    def _embedding_of(self, key: TextKey, text: str) -> str:
        for _ in range(MEASURE_ATTEMPTS):
            try:
                return to_text(self._embedding.of(normalized(text)))
            except Exception as error:
                # The message and the trace are left out: they may quote the text.
                _log.error("measuring failed", id=key.id, error=type(error).__name__)
        return ""
