"""Deciding a group, writing a record, following the chain, folding it back."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.kernel import Engine, decide_group, fold, state_hash, write
from schemas import limits
from schemas.chain import GENESIS_HASH, digest
from schemas.errors import LogDiverged, UnknownRecord
from schemas.events import Event
from schemas.events.exchange import BookHalted, BookOpened
from schemas.events.notary import Sealed
from schemas.record_chain import Head, follow
from schemas.records import Record, seal
from schemas.stored import Stored
from tests.engines.driver import Driver, check_decides_again, check_folds, decoded
from tests.engines.kernel.toy import WAKE_AFTER_NS, Tally, ToyEngine


def inputs(*payloads: bytes, first: int = 1) -> list[Stored]:
    return [Stored(first + index, "main.cmd.toy", data) for index, data in enumerate(payloads)]


def test_each_input_is_judged_by_what_those_before_it_left() -> None:
    state = Tally()
    group = decide_group(ToyEngine(), state, inputs(b"ab", b"c", b"end", b"ignored"), 7)
    assert group.taken == 4
    symbols = [event.symbol for event in group.events if isinstance(event, BookOpened)]
    assert symbols == ["T0", "T0", "T2"]
    assert group.events[-1] == Sealed(4, 7, "4", "")
    assert (state.total, state.closed, state.groups) == (3, True, 1)


def test_full_group_leaves_the_rest_and_concludes_only_what_it_took() -> None:
    big = b"x" * (limits.MAX_GROUP_EVENTS - 1)
    group = decide_group(ToyEngine(), Tally(), inputs(big, b"ab", b"c"), 7)
    assert group.taken == 2
    assert group.events[-1] == Sealed(2, 7, "2", "")
    assert len(group.events) == limits.MAX_GROUP_EVENTS + 2


def test_an_engine_may_count_an_event_for_more_than_one() -> None:
    class Heavy(ToyEngine):
        def weight(self, event: Event) -> int:
            return limits.MAX_GROUP_EVENTS // 2

    group = decide_group(Heavy(), Tally(), inputs(b"a", b"b", b"c"), 7)
    assert group.taken == 2


def test_tick_is_a_group_without_inputs() -> None:
    driver: Driver[Tally] = Driver(ToyEngine())
    driver.feed(("main.cmd.toy", b"a"))
    driver.at(WAKE_AFTER_NS)
    assert driver.take([]) == [BookHalted(0, "T")]
    record = decoded(driver.records[-1])
    assert record.tick
    assert (record.first_input, record.last_input) == (1, 1)
    check_folds(driver)
    check_decides_again(driver)


def test_record_says_all_that_is_needed_to_decide_it_again() -> None:
    engine, state = ToyEngine(), Tally()
    group = decide_group(engine, state, inputs(b"ab", b"c", first=5), 70)
    head = Head(number=3, hash="e" * 64, last_input=4, time_ns=60, epoch=2)
    data, new = write(engine, state, head, 9, (5, 6), 70, group.events)
    record = decoded(data)
    assert record == Record(
        engine="toy",
        decider="toy/1",
        epoch=9,
        number=4,
        first_input=5,
        last_input=6,
        time_ns=70,
        tick=False,
        events=group.events,
        state_hash=None,
        prev="e" * 64,
        hash=new.hash,
    )
    assert new == Head(4, record.hash, 6, 70, 9)
    assert follow(head, record, data) == new
    # the same again gives the same bytes
    again = Tally()
    second = decide_group(engine, again, inputs(b"ab", b"c", first=5), 70)
    assert write(engine, again, head, 9, (5, 6), 70, second.events) == (data, new)


def test_every_thousandth_record_holds_the_state_hash() -> None:
    driver: Driver[Tally] = Driver(ToyEngine())
    for _ in range(limits.STATE_HASH_EVERY_RECORDS + 1):
        driver.feed(("main.cmd.toy", b"a"))
    hashes = [decoded(data).state_hash for data in driver.records]
    assert [number for number, hash_ in enumerate(hashes, 1) if hash_] == [1_000]
    check_folds(driver)
    check_decides_again(driver)


def test_signed_record_carries_the_signature_of_its_hash() -> None:
    data, head = write(
        ToyEngine(), Tally(), Head(), 1, (1, 1), 5, [], sign=lambda text: text.decode()[:4]
    )
    assert decoded(data).signature == head.hash[:4]
    assert follow(Head(), decoded(data), data) == head


# -- divergence ----------------------------------------------------------------------

HEAD = Head(number=3, hash="a" * 64, last_input=40, time_ns=400, epoch=30)
NEXT = Record(
    engine="toy",
    decider="toy/1",
    epoch=30,
    number=4,
    first_input=41,
    last_input=50,
    time_ns=500,
    tick=False,
    events=[BookOpened(41, "T0", 0)],
    state_hash=None,
    prev="a" * 64,
)


def sealed(**changes: Any) -> tuple[Record, bytes]:
    data, _ = seal(msgspec.structs.replace(NEXT, **changes))
    return decoded(data), data


def test_good_record_is_followed_and_folded() -> None:
    record, data = sealed()
    assert follow(HEAD, record, data) == Head(4, record.hash, 50, 500, 30)
    state = Tally()
    assert fold(ToyEngine(), state, HEAD, record, data).number == 4
    assert state.total == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 3},
        {"number": 5},
        {"prev": GENESIS_HASH},
        {"last_input": 39},
        {"time_ns": 399},
        {"epoch": 29},
    ],
)
def test_record_that_does_not_continue_the_chain(changes: dict[str, Any]) -> None:
    record, data = sealed(**changes)
    state = Tally()
    with pytest.raises(LogDiverged):
        fold(ToyEngine(), state, HEAD, record, data)
    assert state == Tally()


@pytest.mark.parametrize("changes", [{"last_input": 40}, {"time_ns": 400}, {"epoch": 31}])
def test_record_on_the_edge_of_continuing(changes: dict[str, Any]) -> None:
    record, data = sealed(**changes)
    assert follow(HEAD, record, data).number == 4


def test_record_whose_bytes_are_not_those_of_its_hash() -> None:
    _, data = sealed()
    changed = data.replace(b'"T0"', b'"T1"')
    with pytest.raises(LogDiverged, match="do not match the hash"):
        follow(HEAD, decoded(changed), changed)


def test_record_of_another_engine() -> None:
    record, data = sealed(engine="exchange")
    with pytest.raises(UnknownRecord, match="exchange"):
        fold(ToyEngine(), Tally(), HEAD, record, data)


def test_record_that_leads_to_another_state_than_it_says() -> None:
    record, data = sealed(state_hash=digest(b"another"))
    with pytest.raises(LogDiverged, match="state after record 4"):
        fold(ToyEngine(), Tally(), HEAD, record, data)
    record, data = sealed(state_hash=state_hash(ToyEngine(), Tally(total=1)))
    assert fold(ToyEngine(), Tally(), HEAD, record, data).number == 4


def test_what_another_decider_recorded_of_its_state_is_not_compared() -> None:
    record, data = sealed(state_hash=digest(b"written otherwise"), decider="toy/0")
    assert fold(ToyEngine(), Tally(), HEAD, record, data).number == 4


@given(
    st.lists(st.lists(st.one_of(st.binary(max_size=4), st.just(b"end")), max_size=4), max_size=12),
    st.data(),
)
def test_any_grouping_folds_to_the_live_state_from_any_snapshot(
    groups: list[list[bytes]], data: st.DataObject
) -> None:
    engine: Engine[Tally] = ToyEngine()
    driver = Driver(engine)
    cut = data.draw(st.integers(0, len(groups)))
    snapshot, head, known = engine.dump(driver.state), driver.head, 0
    for number, payloads in enumerate(groups):
        if number == cut:
            snapshot, head, known = engine.dump(driver.state), driver.head, len(driver.records)
        driver.at(driver.now_ns + 60)
        driver.feed(*(("main.cmd.toy", payload) for payload in payloads))
    check_folds(driver)
    check_decides_again(driver)
    state = engine.load(snapshot)
    for record in driver.records[known:]:
        # `at` let time pass without a record, so the snapshot's head is taken as it was
        head = fold(engine, state, head, decoded(record), record)
    assert state == driver.state
