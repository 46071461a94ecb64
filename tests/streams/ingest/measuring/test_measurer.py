"""The measurer on a simulated log: in order, once, whatever fails."""

from collections.abc import Callable, Sequence

import pytest

from schemas.errors import AppendUnknown, LogUnavailable
from schemas.observations import ArticleObserved, SignalsMeasured
from schemas.subjects import DEFAULT_SHARD, articles
from streams.ingest.jobs.services import DONE, Delivery
from streams.ingest.limits import MEASURE_ATTEMPTS
from streams.ingest.measuring.measurer import Measurer
from streams.ingest.measuring.vectors import Vector
from streams.log.ports import Fence
from tests.simulated.log import SimulatedLog, SimulatedServer
from tests.streams.ingest.measuring.test_article_log_view import StillClock
from tests.streams.ingest.measuring.world import (
    TITLE,
    WordEmbedding,
    article,
    delivered,
    listed,
    measured,
    observed,
    record,
    tools,
)


async def inline(work: Callable[[], list[SignalsMeasured]]) -> list[SignalsMeasured]:
    return work()


class Desk:
    """A measurer over a server where Acme is a market, and what it was handed."""

    def __init__(self, server: SimulatedServer | None = None) -> None:
        self.server = server or SimulatedServer()
        if self.server.last_sequence == 0:
            self.server.store([record(listed())])
        self.log = Flaky(self.server)
        self.embedding = WordEmbedding()
        self.measurer = Measurer(self.log, StillClock(), tools(self.embedding), aside=inline)

    def observe(self, *some: ArticleObserved) -> list[Delivery]:
        last = self.server.store(observed(*some))
        return [
            delivered(self.server.get(number)) for number in range(last - len(some) + 1, last + 1)
        ]

    @property
    def signals(self) -> list[SignalsMeasured]:
        return measured(self.server.messages())


class Flaky(SimulatedLog):
    """Fails the next appends with what it is told, before or after they have landed."""

    def __init__(self, server: SimulatedServer) -> None:
        super().__init__(server=server)
        self.lost = 0
        self.unanswered = 0
        self.batches: list[int] = []

    async def append_batch(
        self, messages: Sequence[tuple[str, bytes]], fence: Fence | None = None
    ) -> int:
        if self.lost:
            self.lost -= 1
            raise LogUnavailable("lost")
        self.batches.append(len(messages))
        sequence = await super().append_batch(messages, fence)
        if self.unanswered:
            self.unanswered -= 1
            raise AppendUnknown("no answer")
        return sequence


def again(batch: Sequence[Delivery], attempt: int) -> list[Delivery]:
    return [one._replace(attempt=attempt) for one in batch]


def about(*titles: str) -> list[ArticleObserved]:
    return [article(f"Acme: {title}, says the court on Monday") for title in titles]


async def test_a_batch_is_measured_in_the_order_of_the_log_and_appended_at_once() -> None:
    desk = Desk()
    await desk.measurer.open()
    batch = desk.observe(article(), article(f"{TITLE} again"), article("too", "short"))
    assert await desk.measurer.handle(list(reversed(batch))) == DONE
    assert [one.article for one in desk.signals] == [one.sequence for one in batch]
    assert [one.unfit for one in desk.signals] == ["", "", "too_short"]
    assert [one.article for one in desk.signals[1].neighbours] == [batch[0].sequence]
    assert {one.names_as_of for one in desk.signals} == {1}
    assert desk.log.batches == [3]
    status = desk.measurer.status()
    assert (status["measured"], status["fit"], status["too_short"]) == (3, 2, 1)
    assert (status["sequence"], status["window"]) == (batch[-1].sequence, 2)


async def test_what_is_handed_over_again_is_skipped() -> None:
    desk = Desk()
    await desk.measurer.open()
    batch = desk.observe(*about("one", "two"))
    await desk.measurer.handle(batch)
    assert await desk.measurer.handle(again(batch, 2)) == DONE
    assert await desk.measurer.handle([*batch, *batch, *desk.observe(*about("three"))]) == DONE
    assert len(desk.signals) == 3
    assert len(desk.embedding.asked) == 3


async def test_a_market_listed_after_the_start_is_known_before_the_next_batch() -> None:
    desk = Desk()
    await desk.measurer.open()
    desk.server.store([record(listed("ZEN", "Zenith"))])
    await desk.measurer.handle(desk.observe(article("Zenith shares soar as the court clears it")))
    assert [one.symbol for one in desk.signals[0].mentions] == ["ZEN"]
    assert desk.signals[0].names_as_of == 2


async def test_a_new_measurer_knows_what_the_one_before_it_did() -> None:
    first = Desk()
    await first.measurer.open()
    batch = first.observe(*about("one", "two"))
    await first.measurer.handle(batch)
    first.log.kill()
    second = Desk(first.server)
    await second.measurer.open()
    assert await second.measurer.handle(again(batch, 2)) == DONE
    await second.measurer.handle(second.observe(*about("one")))
    assert len(second.signals) == 3
    assert second.signals[2].neighbours[0].article == batch[0].sequence


async def test_two_measurers_find_each_others_articles() -> None:
    one = Desk()
    other = Desk(one.server)
    await one.measurer.open()
    await other.measurer.open()
    first = one.observe(*about("one"))
    await one.measurer.handle(first)
    await other.measurer.handle(other.observe(*about("one")))
    assert other.signals[1].neighbours[0].article == first[0].sequence
    assert await other.measurer.handle(first) == DONE
    assert len(other.signals) == 2


async def test_a_log_that_is_away_costs_an_article_no_attempt() -> None:
    desk = Desk()
    await desk.measurer.open()
    batch = desk.observe(*about("one", "two"))
    desk.log.lost = 10
    for attempt in range(1, 11):
        with pytest.raises(LogUnavailable):
            await desk.measurer.handle(again(batch, attempt))
    assert desk.signals == []
    assert await desk.measurer.handle(again(batch, 11)) == DONE
    assert [one.unfit for one in desk.signals] == ["", ""]
    assert desk.signals[0].neighbours == []


async def test_an_append_without_an_answer_is_not_done_twice() -> None:
    desk = Desk()
    await desk.measurer.open()
    batch = desk.observe(*about("one", "two"))
    desk.log.unanswered = 1
    with pytest.raises(AppendUnknown):
        await desk.measurer.handle(batch)
    assert await desk.measurer.handle(again(batch, 2)) == DONE
    assert len(desk.signals) == 2


class Died(BaseException):
    """The process is gone: nothing in it may catch this."""


class Deadly(WordEmbedding):
    """Takes the process with it when it meets the poison."""

    def of(self, text: str) -> Vector:
        if "poison" in text:
            raise Died
        return super().of(text)


async def test_an_article_that_kills_is_given_up_alone() -> None:
    server = SimulatedServer()
    server.store([record(listed())])
    observer = Desk(server)
    batch = observer.observe(*about("one", "poison", "two", "poison too", "three"))
    lives = 0
    for attempt in range(1, 20):
        lives = attempt
        log = server.connect(f"life {attempt}")
        measurer = Measurer(log, StillClock(), tools(Deadly()), aside=inline)
        await measurer.open()
        try:
            await measurer.handle(again(batch, attempt))
            break
        except Died:
            log.kill()
    assert lives == MEASURE_ATTEMPTS + 2
    assert {one.article: one.unfit for one in observer.signals} == dict(
        zip([one.sequence for one in batch], ["", "failed", "", "failed", ""], strict=True)
    )
    assert len(observer.signals) == len(batch)


@pytest.mark.parametrize("payload", [b"", b"junk", b'{"type":"article_observed/9"}', b"\xff"])
async def test_what_is_no_article_is_parked(payload: bytes) -> None:
    desk = Desk()
    await desk.measurer.open()
    sequence = desk.server.store([(articles(DEFAULT_SHARD), payload)])
    await desk.measurer.handle([delivered(desk.server.get(sequence)), *desk.observe(article())])
    assert [one.unfit for one in desk.signals] == ["failed", ""]
    assert (desk.signals[0].snapshot_id, desk.signals[0].article) == ("", sequence)
