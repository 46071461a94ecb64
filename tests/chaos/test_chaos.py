"""The shorter chaos that runs with the tests; `python -m tests.chaos` is the long one."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.restoring import check_restored, keep
from tests.chaos.run import OTHERS, Chaos, Plan, halts
from tests.chaos.trading import Load
from tests.support.venue import Venue


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_every_order_and_article_is_accounted_for(tmp_path: Path) -> None:
    venue = Venue(tmp_path / "home")
    venue.start()
    chaos = Chaos(venue, Plan(kills=2, other_kills=1, load=Load(rate=800)), print)
    try:
        await chaos.run()
        kept = await asyncio.to_thread(keep, venue, tmp_path / "archive")
    finally:
        code = venue.stop()
    figures = chaos.reckoning.figures
    assert (code, venue.leftovers(), halts(venue)) == (0, [], [])
    restored = tmp_path / "restored"
    await asyncio.to_thread(check_restored, kept, restored, chaos.reckoning, print)
    print("\n".join(chaos.kills.lines() + chaos.reckoning.lines()))
    assert chaos.reckoning.wrong == {}
    assert figures["kills -9"] >= 2 * 3 + len(OTHERS)
    assert figures["acknowledged"] > 2_000
    assert figures["trades"] > 1_000
    assert figures["articles observed"] >= figures["articles published"] > 10
    assert figures["messages restored"] > 2_000
    assert min(count for name, count in figures.items() if name.startswith("  by ")) > 0
