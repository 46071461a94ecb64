"""What a home needs after a change of release, and what a person is told of it."""

import pytest

from deploy.venue.upgrading import Upgrade, describe, notice
from projections.store.versions import ModelStatus, Versions

OURS, THEIRS = "a" * 64, "b" * 64
OLD = ModelStatus(1, "rm_1", THEIRS, "ready", 2_500)
OLD_HISTORY = ModelStatus(1, "history_1", THEIRS, "ready", 2_499)
HISTORY = Versions(OURS, *2 * [ModelStatus(1, "history_1", OURS, "ready", 2_499)])


def beside(state: str, sequence: int) -> Versions:
    return Versions(OURS, OLD, ModelStatus(2, "rm_2", OURS, state, sequence))


@pytest.mark.parametrize(
    ("tables", "needed", "ready"),
    [
        (Versions(OURS, None, None), False, False),
        (Versions(THEIRS, OLD, OLD), False, False),
        (Versions(OURS, OLD, None), True, False),
        (beside("building", 1_000), True, False),
        (beside("building", 2_500), True, False),
        (beside("ready", 2_500), True, True),
        (beside("ready", 2_600), True, True),
        # the other release ran once more after this one's tables were built
        (beside("ready", 2_400), True, False),
    ],
)
def test_what_must_be_done(tables: Versions, needed: bool, ready: bool) -> None:
    found = Upgrade(tables, HISTORY)
    assert (found.is_needed, found.is_ready) == (needed, ready)
    assert bool(notice(found)) == needed


def test_a_start_says_what_is_built_and_what_to_type() -> None:
    told = "\n".join(notice(Upgrade(beside("building", 5), Versions(OURS, OLD_HISTORY, None))))
    assert "the tables (rm_1) were made by another release" in told
    assert "built beside them now" in told
    assert "trading goes on; reads show message 2,500" in told
    assert "`everything upgrade --switch`" in told
    assert "the history (history_1)" in told
    assert "`?at=` is answered up to message 2,499" in told


def test_a_later_start_says_that_the_tables_stand_ready() -> None:
    first, *_ = notice(Upgrade(beside("ready", 2_500), HISTORY))
    assert first.endswith("this one's stand ready beside them")


def test_a_home_that_needs_nothing_says_so() -> None:
    same = Versions(OURS, OLD._replace(digest=OURS), OLD._replace(digest=OURS))
    assert notice(Upgrade(same, HISTORY)) == []
    (line,) = describe(Upgrade(same, HISTORY))
    assert line.startswith("nothing to do: rm_1 (version aaaaaaaaaaaa) at message 2,500")
    (line,) = describe(Upgrade(Versions(OURS, None, None), Versions(OURS, None, None)))
    assert line == "there are no tables yet: `everything up` makes them"


def test_how_far_it_is() -> None:
    tables, history = describe(
        Upgrade(beside("building", 1_000), Versions(OURS, OLD_HISTORY, None))
    )
    assert "at message 2,500, by another release" in tables
    assert "rm_2 (version aaaaaaaaaaaa) at message 1,000 is being built beside it" in tables
    assert "this release's are not begun yet; it switches by itself" in history
    tables, history = describe(Upgrade(beside("ready", 2_500), HISTORY))
    assert tables.endswith("at message 2,500 is built beside it")
    assert history.endswith("by this release")
