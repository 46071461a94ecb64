"""The measurer: every observed article is measured once, in the order of the log.

Delivery is at least once. An article that was measured before, by a crashed or by another
measurer, is known from the log and skipped. If two measurers measure the same article at
the same time, the engine drops the second result.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from schemas import subjects
from schemas.asks import EMBED
from schemas.codec import encode
from schemas.errors import InputError, OperatingError
from schemas.observations import OBSERVATIONS, ArticleObserved, SignalsMeasured
from schemas.policy import SEED_PLAN
from streams.ingest.jobs.services import DONE, Bus, Consumer, Delivery, Verdict
from streams.ingest.limits import MEASURE_ACK_S, MEASURE_ATTEMPTS, MEASURE_BATCH, MEASURE_LINGER_MS
from streams.ingest.measuring.article_analyzer import ArticleAnalyzer, Measurement, Tools
from streams.ingest.measuring.article_log_view import ArticleLogView
from streams.ingest.measuring.embedding import Embedding
from streams.ingest.measuring.keywords import Keywords
from streams.ingest.measuring.language import Languages
from streams.ingest.measuring.names import Names
from streams.ingest.measuring.questions import embed_responder
from streams.ingest.measuring.sentiment import Sentiment
from streams.ingest.measuring.texts import Aside, TextMeasurer
from streams.ingest.measuring.window import EmbeddingWindow
from streams.log.appender import append_all
from streams.log.ports import Clock, Log
from streams.log.tasks import run_until_first_exits

DURABLE: Final = "measurer"

_log = structlog.get_logger(__name__)

LoadTools = Callable[[], Tools]


def load(pipeline: str = "", threads: int = 1) -> Tools:
    """Load all tools and use them once, so that the first article is as fast as the others.

    `pipeline` names an installed spaCy pipeline for entities; "" is none. `threads` is how
    many cores one article may use. Loading takes seconds. Raises ModelMismatch.
    """
    tools = Tools(Languages(), Sentiment(), Keywords(), Names(pipeline), Embedding(threads=threads))
    tools.languages.of("warm", "")
    tools.names.of("warm", "warm")
    tools.embedding.of("warm")
    return tools


class Measurer:
    """Measures articles and appends their signals. `aside` uses a thread by default."""

    def __init__(
        self, log: Log, clock: Clock, tools: Tools, *, aside: Aside = asyncio.to_thread
    ) -> None:
        self._log = log
        self._clock = clock
        self._aside = aside
        self._window = EmbeddingWindow(SEED_PLAN.reality.vector_window_ns)
        self._view = ArticleLogView(log, clock, tools.names, self._window)
        self._analyzer = ArticleAnalyzer(tools, self._window)
        self._names = tools.names
        self._excused: Counter[int] = Counter()
        """Deliveries that failed for another reason than the article, by sequence."""
        self._counts: Counter[str] = Counter()
        self._sequence = 0

    def status(self) -> dict[str, Any]:
        """Return what a heartbeat says."""
        return {
            "phase": "measuring",
            "sequence": self._sequence,
            "markets": len(self._names),
            "names_as_of": self._view.names_as_of,
            "window": len(self._window),
            "measured": sum(self._counts.values()),
            **{unfit or "fit": count for unfit, count in sorted(self._counts.items())},
        }

    async def open(self) -> None:
        """Read from the log what is known already. Call it once, before the first message."""
        await self._view.open()
        _log.info("ready", **self.status())

    async def handle(self, batch: Sequence[Delivery]) -> Verdict:
        """Measure the articles of `batch` that are not measured yet.

        Raises an OperatingError when the log cannot be read or appended to; the same batch
        may then be handed over again.
        """
        try:
            await self._view.catch_up()
            new = {one.sequence: one for one in batch if not self._view.is_measured(one.sequence)}
            await self._work([new[sequence] for sequence in sorted(new)])
        except OperatingError:
            self._excused.update({one.sequence for one in batch})
            raise
        for one in batch:
            self._excused.pop(one.sequence, None)
        return DONE

    async def close(self) -> None:
        """Close the readers of the log."""
        await self._view.close()

    async def _work(self, new: list[Delivery]) -> None:
        """Measure all together, or one by one if any was delivered before.

        An article that kills the process takes its whole batch with it. Measured one by
        one, the articles before it are recorded, so the first article that is left is the
        one that kills. Only that one is given up, after MEASURE_ATTEMPTS deliveries.
        """
        if all(one.attempt == 1 for one in new):
            await self._append(new, self._analyzer.measure)
            return
        for index, one in enumerate(new):
            attempts = one.attempt - self._excused[one.sequence]
            if index == 0 and attempts > MEASURE_ATTEMPTS:
                await self._append([one], self._give_up)
            else:
                await self._append([one], self._analyzer.measure)

    def _give_up(self, given: Measurement) -> SignalsMeasured:
        _log.error("given up", article=given.sequence)
        return self._analyzer.parked(given, f"{MEASURE_ATTEMPTS} attempts ended without an answer")

    async def _append(
        self, some: list[Delivery], measure: Callable[[Measurement], SignalsMeasured]
    ) -> None:
        """Measure `some` and append their signals."""
        if not some:
            return
        as_of, now_ns = self._view.names_as_of, self._clock.now_ns()
        batch = [Measurement(one.sequence, _article(one.payload), as_of, now_ns) for one in some]
        measured = await self._aside(lambda: [measure(one) for one in batch])
        subject = subjects.signals(self._log.shard)
        await append_all(self._log, [(subject, encode(one)) for one in measured])
        for one in measured:
            self._view.note(one.article)
            self._counts[one.unfit] += 1
            self._sequence = max(self._sequence, one.article)


def _article(payload: bytes) -> ArticleObserved | None:
    try:
        article = OBSERVATIONS.decode(payload)
    except InputError:
        return None
    return article if isinstance(article, ArticleObserved) else None


def consumer(shard: str, ack_wait_s: int = MEASURE_ACK_S) -> Consumer:
    """Return the measurer's durable consumer of the observed articles."""
    return Consumer(
        stream=subjects.log_stream(shard),
        durable=DURABLE,
        subject=subjects.articles(shard),
        ack_wait_s=ack_wait_s,
    )


class MeasuringService:
    """The service that measures. It needs its own Bus."""

    def __init__(
        self, log: Log, clock: Clock, load: LoadTools, *, ack_wait_s: int = MEASURE_ACK_S
    ) -> None:
        self._log = log
        self._clock = clock
        self._load = load
        self._ack_wait_s = ack_wait_s
        self._measurer: Measurer | None = None
        self._texts: TextMeasurer | None = None

    def status(self) -> dict[str, Any]:
        """Return what a heartbeat says."""
        if self._measurer is None or self._texts is None:
            return {"phase": "loading"}
        return {**self._measurer.status(), "texts": self._texts.measured}

    async def run(self, bus: Bus, stop: asyncio.Event) -> None:
        """Measure until `stop`. Raises a Halt, among them ModelMismatch, or OperatingError."""
        tools = await asyncio.to_thread(self._load)
        measurer = Measurer(self._log, self._clock, tools)
        texts = TextMeasurer(self._log, self._clock, tools.embedding, aside=asyncio.to_thread)
        questions = embed_responder(tools.embedding)
        try:
            await measurer.open()
            await texts.open()
            self._measurer, self._texts = measurer, texts
            bus.consume_batches(
                consumer(self._log.shard, self._ack_wait_s),
                measurer.handle,
                size=MEASURE_BATCH,
                linger_s=MEASURE_LINGER_MS / 1000,
            )
            await questions.serve(bus.client, subjects.ask(self._log.shard, EMBED))
            await run_until_first_exits(bus.serve(stop), texts.run())
        finally:
            await questions.close()
            await texts.close()
            await measurer.close()
