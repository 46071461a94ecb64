"""How fast reality decides, and how long an article takes from the fetch to the score.

`python -m tests.bench.bench_reality [articles]`. First the engine by itself, with a window of
100,000 articles; then a whole venue with its own loopback web server: twenty sources whose
articles appear a few at a time. The yardstick in the same run is one fsynced append.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from schemas.events.reality import ArticleAssessed, ImpactAssessed
from schemas.observations import OBSERVATIONS, ArticleObserved, SourceFetched
from schemas.records import EVENT_MESSAGES
from schemas.units import SECOND_NS
from tests.bench.rig import machine
from tests.engines.reality.test_scale import ARTICLES, full_window
from tests.support.log import stored_messages
from tests.support.news import Item, news
from tests.support.venue import Venue, venue
from tests.support.waiting import wait_for

SYMBOL = "RAIN-2027"
SOURCES = 20
ROUNDS = 6
WORDS = [
    "quiet",
    "grey",
    "early",
    "late",
    "mild",
    "pale",
    "slow",
    "long",
    "short",
    "plain",
    "bright",
    "heavy",
    "light",
    "cold",
    "warm",
]


def deciding(articles: int) -> list[str]:
    """Return rows of how fast articles are decided, in an empty and in a full window."""
    costs: list[float] = []
    full_window(articles, lambda seconds, count: costs.append(count / seconds))
    return [
        "| window | articles decided/s, each for two markets |",
        "|---|---|",
        f"| up to 10,000 | {costs[0]:,.0f} |",
        f"| up to {articles:,} | {costs[-1]:,.0f} |",
    ]


def item(number: int) -> Item:
    one, other = WORDS[number % len(WORDS)], WORDS[number * 7 % 13]
    title = f"Oslo rain report {number}: {one} day in district {number % 89}"
    text = (
        f"The {other} report {number} on Oslo rain tells of a {one} day in district {number % 89}. "
        f"People there were {other} and went to their {one} work as on day {number * 3}."
    )
    return Item(title, text, minutes_ago=0)


def travelling(at: Venue) -> list[str]:
    """Return rows of the time from the start of a fetch to what it led to."""
    with news() as web:
        at.run("init", "Bench", "--policy", "calibrated")
        at.run("admin", "list-market", SYMBOL, "--name", "Rain", "--type", "social",
               "--alias", "Oslo rain")  # fmt: skip
        ready = web.feed("/ready.xml", [item(9_999)])
        _add(at, "ready", ready)
        wait_for("the models are loaded", lambda: _assessed(at), 180)
        for source in range(SOURCES):
            _add(at, f"source{source}", web.feed(f"/{source}.xml", []))
        items: list[list[Item]] = [[] for _ in range(SOURCES)]
        for turn in range(ROUNDS):
            for source in range(SOURCES):
                items[source].append(item(turn * SOURCES + source))
                web.feed(f"/{source}.xml", items[source])
            time.sleep(4)
        wait_for("all are decided", lambda: len(_assessed(at)) > SOURCES * ROUNDS * 0.5, 120)
        time.sleep(5)
        return _rows(at)


def _add(at: Venue, name: str, url: str) -> None:
    at.run("admin", "add-source", name, "--name", name, "--kind", "rss", "--url", url,
           "--trust", "0.5", "--allow-loopback", "--crawl-delay", "0",
           "--poll-interval", "2")  # fmt: skip


def _assessed(at: Venue) -> list[int]:
    return [
        event.article
        for message in stored_messages(at)
        if message.subject == "main.evt.reality"
        for event in EVENT_MESSAGES.decode(message.payload).events
        if isinstance(event, ArticleAssessed)
    ]


def _rows(at: Venue) -> list[str]:
    """A fetch stands behind the articles that it brought, on the log as one batch."""
    began: dict[int, int] = {}
    waiting: dict[str, list[int]] = {}
    took: list[float] = []
    for message in stored_messages(at):
        if ".obs" in message.subject:
            seen = OBSERVATIONS.decode(message.payload)
            if isinstance(seen, ArticleObserved):
                waiting.setdefault(seen.source, []).append(message.sequence)
            elif isinstance(seen, SourceFetched):
                began |= dict.fromkeys(waiting.pop(seen.source, ()), seen.started_ns)
        elif message.subject == "main.evt.reality":
            record = EVENT_MESSAGES.decode(message.payload)
            took += [
                (record.time_ns - began.pop(event.article)) / SECOND_NS
                for event in record.events
                if isinstance(event, ImpactAssessed) and event.article in began
            ]
    if not took:
        raise SystemExit("nothing was decided")
    took.sort()
    return [
        "| from the start of the fetch to the decision | articles | p50, s | p99, s |",
        "|---|---|---|---|",
        f"| {SOURCES} sources, a new article each every 4 s | {len(took)} | "
        f"{statistics.median(took):.2f} | {took[int(len(took) * 0.99)]:.2f} |",
    ]


async def _append_ms(at: Venue) -> float:
    """Return the median of fsynced appends, the yardstick."""
    log = await at.place.log("llm")
    try:
        times = []
        for _ in range(200):
            began = time.perf_counter()
            await log.send("main.obs.llm", b"{}")
            times.append(time.perf_counter() - began)
        return statistics.median(times) * 1_000
    finally:
        await log.close()


def main() -> None:
    articles = int(sys.argv[1]) if len(sys.argv) > 1 else ARTICLES
    print(machine())
    print()
    print("\n".join(deciding(articles)))
    print()
    with tempfile.TemporaryDirectory() as folder, venue(Path(folder) / "data") as at:
        rows = travelling(at)
        print("\n".join(rows))
        print()
        print(f"One fsynced append in the same run: {asyncio.run(_append_ms(at)):.1f} ms (median).")


if __name__ == "__main__":
    main()
