"""News on loopback while all is killed: every item is observed and judged, none scored twice."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from schemas import subjects
from schemas.articles import snapshot_id
from schemas.events.reality import ArticleDropped, ArticleGrouped, ClusterOpened
from schemas.limits import READ_BATCH
from schemas.observations import OBSERVATIONS, ArticleObserved, SignalsMeasured
from schemas.records import EVENT_MESSAGES
from schemas.sources import Source
from schemas.stored import Stored
from streams.ingest.limits import MAX_FEED_ITEMS
from streams.log.nats_log import NatsLog
from tests.chaos.reckoning import Reckoning
from tests.chaos.watch import SHARD, Watch
from tests.support.news import Item, News

SOURCES: Final = 2
_EVERY_S: Final = 0.5
_JUDGED_WITHIN_S: Final = 240
"""The measurer may have to load its models again, on a machine that is busy."""
_POLL_S: Final = 2
_MOODS: Final = ("a great win and a triumph", "a bad loss and a failure", "an ordinary day")
_PLACES: Final = ("harbour", "market square", "old station", "airport", "town hall", "stadium")


class NewsDesk:
    """Writes articles into feeds, one after another, and knows all that it wrote."""

    def __init__(self, world: News, symbols: list[str]) -> None:
        self._world = world
        self._symbols = symbols
        self._items: list[list[Item]] = [[] for _ in range(SOURCES)]
        self.sources = [
            Source(
                source=f"press-{number}",
                name=f"Press {number}",
                kind="rss",
                url=world.feed(f"/feed-{number}", []),
                trust_bp=7_000,
                poll_interval_s=1,
                crawl_delay_s=0,
                allow_loopback=True,
            )
            for number in range(SOURCES)
        ]

    @property
    def titles(self) -> set[str]:
        """What was published so far."""
        return {item.title for items in self._items for item in items}

    async def write(self, stop: asyncio.Event) -> None:
        """Publish an article now and then until `stop`, or until a feed can hold no more."""
        number = 0
        while not stop.is_set() and number < SOURCES * MAX_FEED_ITEMS:
            self._publish(number)
            number += 1
            await asyncio.sleep(_EVERY_S)

    def _publish(self, number: int) -> None:
        feed, symbol = number % SOURCES, self._symbols[number % len(self._symbols)]
        mood, place = _MOODS[number % len(_MOODS)], _PLACES[number % len(_PLACES)]
        text = (
            f"Reporters at the {place} saw what {symbol} brought on day {number}: {mood}. "
            f"Many people had waited for it since the early morning, and said that they "
            f"would come to the {place} again."
        )
        self._items[feed].append(Item(f"{symbol} number {number}: {mood}", text))
        # The feed is written anew with new dates; what an item is follows from its link.
        self._world.feed(f"/feed-{feed}", self._items[feed])


class Judgements:
    """What the log says of articles, read anew each time it is asked for."""

    def __init__(self) -> None:
        self.titles: Counter[str] = Counter()
        self.snapshots: dict[int, str] = {}
        self.measured: Counter[str] = Counter()
        self.judged: Counter[str] = Counter()
        self.scored: Counter[str] = Counter()

    async def read(self, log: NatsLog) -> "Judgements":
        """Walk along the observations and the records of reality."""
        wanted = [
            subjects.articles(SHARD),
            subjects.signals(SHARD),
            subjects.events(SHARD, subjects.REALITY),
        ]
        end = 0
        for subject in wanted:
            stored = await log.last(subject)
            end = max(end, stored.sequence if stored else 0)
        reader = await log.open_reader(wanted, 0)
        try:
            at = 0
            while at < end and (messages := await reader.poll(READ_BATCH, _POLL_S)):
                for message in messages:
                    self._take(message)
                at = messages[-1].sequence
        finally:
            await reader.close()
        return self

    def _take(self, message: Stored) -> None:
        if ".evt." in message.subject:
            for event in EVENT_MESSAGES.decode(message.payload).events:
                self._event(event)
            return
        match OBSERVATIONS.decode(message.payload):
            case ArticleObserved() as seen:
                self.titles[seen.title] += 1
                self.snapshots[message.sequence] = seen.snapshot_id
                assert seen.snapshot_id == snapshot_id(seen.title, seen.excerpt)
            case SignalsMeasured() as said:
                self.measured[said.snapshot_id] += 1
            case _:
                pass

    def _event(self, event: Any) -> None:
        match event:
            case ClusterOpened() | ArticleGrouped():
                self.judged[event.snapshot_id] += 1
                self.scored[event.snapshot_id] += 1
            case ArticleDropped():
                self.judged[event.snapshot_id] += 1
            case _:
                pass

    def missing(self, titles: set[str]) -> set[str]:
        """Return the published titles that were not observed, or not judged."""
        unjudged = {seen for seen in self.snapshots.values() if not self.judged[seen]}
        return (titles - set(self.titles)) | unjudged


async def check_news(
    watch: Watch, room: NewsDesk, reckoning: Reckoning, say: Callable[[str], None]
) -> None:
    """Wait until all that was published is judged, then count what became of it."""
    titles = room.titles
    found = Judgements()

    async def judged() -> bool:
        nonlocal found
        found = await Judgements().read(watch.log)
        await asyncio.sleep(1)
        return not found.missing(titles)

    try:
        await watch.until("all news is judged", judged, _JUDGED_WITHIN_S)
    except AssertionError as error:
        reckoning.blame("news not judged in time", sorted(found.missing(titles))[:5])
        say(str(error)[-3_000:])
    for title in set(found.titles) - titles:
        reckoning.blame("news that nobody wrote", title)
    for snapshot, times in found.scored.items():
        if times > 1:
            reckoning.blame("scored twice", f"{snapshot[:12]}: {times} times")
    reckoning.figures |= {
        "articles published": len(titles),
        "articles observed": sum(found.titles.values()),
        "  of these twice": sum(times - 1 for times in found.titles.values()),
        "articles measured": sum(found.measured.values()),
        "articles judged": len(found.judged),
        "articles scored": len(found.scored),
        "articles lost": len(titles - set(found.titles)),
    }
