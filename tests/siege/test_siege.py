"""The shorter siege that runs with the tests; `python -m tests.siege` is the long one."""

from pathlib import Path

import pytest

from tests.siege.attacks import ATTACKS
from tests.siege.report import bounds, report
from tests.siege.run import SiegePlan, lay_siege


@pytest.mark.long
@pytest.mark.timeout(900)
def test_strangers_stop_pervert_and_fill_nothing(tmp_path: Path) -> None:
    found = lay_siege(tmp_path / "home", tmp_path, SiegePlan(attack_s=40), print)
    print("\n".join(report(found)))
    assert found.reckoning.wrong == {}
    assert [one for one in bounds(found) if not one.holds and not one.timed] == []
    assert found.ledger.acks > 1_000
    assert found.moved.trades.total() > 100
    silent = [one.name for one in ATTACKS if not found.tallies["attack"][one.name]]
    assert silent == []
