"""A full window of 100,000 articles: what is kept is bounded, and is what a snapshot keeps.

How fast it decides is measured by `tests/bench/bench_reality.py`.
"""

from collections.abc import Callable
from time import perf_counter

import pytest

from engines.kernel import decide_group
from schemas.codec import encode
from schemas.observations import Mention, Neighbour
from schemas.stored import Stored
from schemas.units import MINUTE_NS, SECOND_NS
from tests.engines.reality.venue import RealityVenue, changed, snapshot_id

ARTICLES = 100_000
PART = 10_000
GROUP = 500
POLICY = changed("safeguards", source_articles_per_hour=100_000, source_cap_e2=10**6)


def messages(venue: RealityVenue, first: int) -> list[Stored]:
    """Return PART measurements: each knows ten earlier articles, and names two markets."""
    made = []
    for n in range(first, first + PART):
        article = 1_000 + 2 * n
        signals = venue.signals(
            f"s{n * 7 % 97}",
            article=article,
            snapshot_id=snapshot_id(n),
            sentiment_bp=n * 7_919 % 6_000 - 3_000,
            mentions=[Mention(f"M{n * k % 101}", 1, 1) for k in (3, 5)],
            neighbours=[
                Neighbour(max(1, article - 2 * k), 5_000 + n * k * 31 % 3_800)
                for k in range(1, 200, 20)
            ],
            embedding="A" * 512,
            published_ns=venue.now_ns - n % 1_000 * MINUTE_NS,
        )
        made.append(Stored(article + 1, "main.obs.signals", encode(signals)))
    return made


def full_window(articles: int, on_part: Callable[[float, int], None] | None = None) -> RealityVenue:
    """Return a venue that has decided so many articles; `on_part` hears how long a part took."""
    venue = RealityVenue(
        POLICY,
        markets=[f"M{n}" for n in range(101)],
        trusts={f"s{n}": 500 for n in range(97)},
    )
    for first in range(0, articles, PART):
        part = messages(venue, first)
        started = perf_counter()
        for at in range(0, PART, GROUP):
            venue.driver.at(venue.now_ns + SECOND_NS)
            group = decide_group(venue.engine, venue.state, part[at : at + GROUP], venue.now_ns)
            assert group.taken == GROUP
        if on_part is not None:
            on_part(perf_counter() - started, PART)
    return venue


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_full_window_is_kept_whole() -> None:
    venue = full_window(ARTICLES)
    engine, state = venue.engine, venue.state
    assert len(state.persisted.window) > ARTICLES * 0.9
    data = engine.dump(state)
    assert engine.dump(engine.load(data)) == data
