"""The shorter chaos that runs with the tests; `python -m tests.chaos` is the long one."""

from pathlib import Path

import pytest

from tests.chaos.run import Chaos, Plan, halts
from tests.chaos.trading import Load
from tests.support.venue import Venue


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_every_order_is_accounted_for(tmp_path: Path) -> None:
    venue = Venue(tmp_path / "home")
    venue.start()
    chaos = Chaos(venue, Plan(kills=2, other_kills=1, load=Load(rate=800)), print)
    try:
        await chaos.run()
    finally:
        code = venue.stop()
    print("\n".join(chaos.kills.lines() + chaos.reckoning.lines()))
    assert chaos.reckoning.wrong == {}
    assert (code, venue.leftovers(), halts(venue)) == (0, [], [])
    figures = chaos.reckoning.figures
    assert figures["kills -9"] >= 2 * 3 + 6
    assert figures["acknowledged"] > 2_000
    assert figures["trades"] > 1_000
    assert min(count for name, count in figures.items() if name.startswith("  by ")) > 0
