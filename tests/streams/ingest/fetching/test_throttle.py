"""The throttle in virtual time: who goes first, who waits how long, and nobody goes too soon."""

import asyncio
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ingest import limits
from streams.ingest.fetching.problems import HostBusy
from streams.ingest.fetching.throttle import Precedence, Throttle
from tests.simulated.virtual_time import VirtualClock, simulate
from tests.support.drawing import drawn

DOCUMENT, OWN, LINKED = Precedence
DELAY_S = 30


class Street:
    """A throttle, and jobs that ask for turns until they have one."""

    def __init__(self) -> None:
        self.throttle = Throttle(VirtualClock())
        self.turns: list[tuple[str, float]] = []
        self.busy: dict[str, int] = {}

    async def job(
        self, name: str, precedence: Precedence, after_s: float = 0, *, late_s: float = 0,
        takes_s: float = 0, host: str = "h", delay_s: float = DELAY_S,
    ) -> None:  # fmt: skip
        """Ask after `after_s`, and again when told, `late_s` too late."""
        await asyncio.sleep(after_s)
        while True:
            try:
                async with self.throttle.turn(host, delay_s, name, precedence):
                    self.turns.append((name, asyncio.get_running_loop().time()))
                    await asyncio.sleep(takes_s)
                    return
            except HostBusy as busy:
                self.busy[name] = self.busy.get(name, 0) + 1
                await asyncio.sleep(busy.seconds + late_s)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.turns]

    def at(self, name: str) -> int:
        (found,) = (round(at_s) for one, at_s in self.turns if one == name)
        return found


def run(work: Coroutine[Any, Any, None]) -> None:
    simulate(work)


def test_among_equals_in_the_order_of_asking() -> None:
    async def work() -> None:
        street = Street()
        await asyncio.gather(*(street.job(str(n), LINKED, n / 10) for n in range(9)))
        assert street.names == [str(n) for n in range(9)]
        assert [round(at_s) for _, at_s in street.turns] == [DELAY_S * n for n in range(9)]
        assert set(street.busy.values()) == {1}  # who keeps its place asks twice

    run(work())


def test_documents_go_before_own_pages_and_those_before_linked_ones() -> None:
    async def work() -> None:
        street = Street()
        links = [street.job(f"link{n}", LINKED) for n in range(4)]
        later = [street.job("own", OWN, 1), street.job("feed", DOCUMENT, 2)]
        await asyncio.gather(*links, *later)
        assert street.names == ["link0", "feed", "own", "link1", "link2", "link3"]

    run(work())


def test_who_sleeps_here_gives_way_too() -> None:
    async def work() -> None:
        street = Street()
        first = street.job("first", LINKED)
        link, feed = street.job("link", LINKED, 15), street.job("feed", DOCUMENT, 20)
        await asyncio.gather(first, link, feed)
        assert [street.at(name) for name in ("first", "feed", "link")] == [0, 30, 60]

    run(work())


def test_links_are_not_starved_by_documents_that_never_end() -> None:
    async def work() -> None:
        street = Street()
        feeds = [street.job(f"feed{n}", DOCUMENT, 20 * n) for n in range(60)]
        links = [street.job(f"link{n}", LINKED, 1) for n in range(8)]
        await asyncio.gather(*feeds, *links)
        turns = [name.startswith("link") for name in street.names]
        places = [place for place, is_link in enumerate(turns) if is_link]
        ahead = limits.MAX_TURNS_AHEAD
        assert places[0] <= ahead + 1
        assert all(b - a <= ahead + 1 for a, b in pairwise(places))
        assert [name for name in street.names if "link" in name] == [f"link{n}" for n in range(8)]

    run(work())


def test_own_pages_do_not_keep_linked_ones_away_either() -> None:
    async def work() -> None:
        street = Street()
        own = [street.job(f"own{n}", OWN) for n in range(40)]
        await asyncio.gather(*own, street.job("link", LINKED, 1), street.job("feed", DOCUMENT, 2))
        assert street.names.index("feed") == 1
        assert street.names.index("link") <= 2 * limits.MAX_TURNS_AHEAD + 1

    run(work())


def test_who_comes_late_takes_nothing_from_the_pause() -> None:
    async def work() -> None:
        street = Street()
        first, late = street.job("first", LINKED), street.job("late", LINKED, 1, late_s=4)
        await asyncio.gather(first, late, street.job("last", LINKED, 2))
        assert [street.at(name) for name in ("late", "last")] == [34, 64]

    run(work())


def test_who_does_not_come_is_passed_over() -> None:
    async def work() -> None:
        street = Street()
        first, gone = street.job("first", LINKED), street.job("gone", DOCUMENT, 1, late_s=50)
        await asyncio.gather(first, gone, street.job("last", LINKED, 2))
        assert street.at("last") == 60 and street.at("gone") == 90

    run(work())


def test_who_stays_away_has_no_place_any_more() -> None:
    async def work() -> None:
        street = Street()
        first, gone = street.job("first", LINKED), street.job("gone", LINKED, 1, late_s=70)
        others = [street.job(str(n), LINKED, 95 + n) for n in range(3)]
        await asyncio.gather(first, gone, *others)
        assert street.names == ["first", "0", "1", "2", "gone"]

    run(work())


def test_a_job_that_is_handed_out_twice_has_two_turns() -> None:
    async def work() -> None:
        street = Street()
        await asyncio.gather(*(street.job("one", LINKED, takes_s=1) for _ in range(2)))
        assert [round(at_s) for _, at_s in street.turns] == [0, 30]

    run(work())


def test_a_request_that_takes_longer_than_the_pause_is_waited_for() -> None:
    async def work() -> None:
        street = Street()
        slow = street.job("slow", LINKED, takes_s=25, delay_s=5)
        await asyncio.gather(slow, *(street.job(str(n), LINKED, 1, delay_s=5) for n in range(3)))
        assert [round(at_s) for _, at_s in street.turns] == [0, 25, 30, 35]

    run(work())


def test_a_pause_that_the_host_asks_for_holds_for_all_who_wait() -> None:
    async def work() -> None:
        street = Street()
        jobs = [asyncio.create_task(street.job(str(n), LINKED)) for n in range(3)]
        await asyncio.sleep(1)
        street.throttle.hold("h", 600)
        await asyncio.gather(*jobs)
        assert [street.at(str(n)) for n in range(3)] == [0, 601, 631]

    run(work())


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.ingest.fetching.throttle.MAX_THROTTLED_HOSTS", 10)

    async def work() -> None:
        street = Street()
        for number in range(100):
            await street.job(str(number), LINKED, DELAY_S, host=f"h{number}")
            with pytest.raises(HostBusy):
                async with street.throttle.turn(f"h{number}", DELAY_S, "gone", LINKED):
                    raise AssertionError
        assert len(street.throttle._hosts) <= 12

    run(work())


ASKED = st.tuples(
    st.integers(0, 100), st.integers(0, 2), st.sampled_from(Precedence), st.integers(0, 9),
    st.integers(0, 70),
)  # fmt: skip


@drawn(100)
@given(st.lists(ASKED, min_size=1, max_size=15))
def test_no_two_turns_at_a_host_are_nearer_than_its_delay(
    asks: list[tuple[int, int, Precedence, int, int]],
) -> None:
    async def work() -> None:
        street = Street()
        await asyncio.gather(*(
            street.job(
                f"{n}@{host}", goes, after_s, host=f"h{host}", takes_s=takes_s, late_s=late_s,
                delay_s=7,
            )
            for n, (after_s, host, goes, takes_s, late_s) in enumerate(asks)
        ))  # fmt: skip
        assert len(street.turns) == len(asks)
        for host in range(3):
            times = [at_s for name, at_s in street.turns if name.endswith(f"@{host}")]
            assert all(b - a >= 7 - 1e-6 for a, b in pairwise(times)), times

    run(work())
