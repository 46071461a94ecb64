"""When inputs make a group."""

from schemas.stored import Stored
from streams.host.input_buffer import InputBuffer
from streams.host.limits import FILL_GROUP_INPUTS, MAX_WAITING_BYTES, MAX_WAITING_INPUTS


def messages(count: int, subject: str = "main.cmd.order.a", size: int = 10) -> list[Stored]:
    return [Stored(number + 1, subject, b"x" * size) for number in range(count)]


def test_with_nothing_in_flight_a_group_is_what_has_arrived() -> None:
    buffer = InputBuffer(2_000, 0)
    assert buffer.ready(0, 0) == 0
    buffer.add(messages(3), 0)
    assert buffer.ready(0, 0) == 3
    buffer.add(messages(3_000), 0)
    assert buffer.ready(0, 0) == 2_000


def test_behind_a_record_in_flight_a_group_waits_to_be_worth_one() -> None:
    buffer = InputBuffer(2_000, 0)
    buffer.add(messages(FILL_GROUP_INPUTS - 1), 0)
    assert buffer.ready(0, 1) == 0
    buffer.add(messages(1), 0)
    assert buffer.ready(0, 1) == FILL_GROUP_INPUTS


def test_an_engine_of_small_groups_need_not_wait_for_large_ones() -> None:
    buffer = InputBuffer(7, 0)
    buffer.add(messages(7), 0)
    assert buffer.ready(0, 1) == 7


def test_what_is_decided_goes_and_the_rest_stays() -> None:
    buffer = InputBuffer(10, 0)
    buffer.add(messages(15), 0)
    buffer.drop(10, 0)
    assert [message.sequence for message in buffer.first(10)] == [11, 12, 13, 14, 15]
    assert buffer.ready(0, 0) == 5
    buffer.drop(5, 0)
    assert buffer.ready(0, 0) == 0
    assert buffer.last_seen == 15


def test_a_lingering_group_closes_after_its_time_or_when_full() -> None:
    buffer = InputBuffer(100, 5, ("own",))
    buffer.add(messages(1), 10)
    assert buffer.ready_at_ns() == 15
    buffer.add(messages(2), 14)
    assert buffer.ready(14, 0) == 0
    assert buffer.ready(15, 0) == 3
    buffer.add(messages(97), 14)
    assert buffer.ready(14, 0) == 100


def test_own_messages_never_open_a_group_but_belong_to_it() -> None:
    buffer = InputBuffer(100, 5, ("own",))
    buffer.add(messages(3, "own"), 0)
    assert buffer.ready(1_000, 0) == 0
    assert buffer.ready_at_ns() is None
    buffer.add(messages(1), 2_000)
    assert buffer.ready(2_004, 0) == 0
    assert buffer.ready(2_005, 0) == 4


def test_reading_pauses_at_its_bounds_and_such_a_group_closes() -> None:
    buffer = InputBuffer(10 * MAX_WAITING_INPUTS, 5, ("own",))
    buffer.add(messages(MAX_WAITING_INPUTS, "own"), 0)
    seen = [(buffer.full, buffer.ready(0, 0))]
    buffer.drop(MAX_WAITING_INPUTS, 0)
    seen.append((buffer.full, buffer.ready(0, 0)))
    buffer.add(messages(8, size=MAX_WAITING_BYTES // 8), 0)
    seen.append((buffer.full, buffer.ready(0, 0)))
    assert seen == [(True, MAX_WAITING_INPUTS), (False, 0), (True, 8)]


def test_a_narrowed_intake_widens_again() -> None:
    buffer = InputBuffer(100, 0, narrowed_to=30)
    buffer.add(messages(200), 0)
    sizes = []
    for _ in range(3):
        sizes.append(buffer.ready(0, 0))
        buffer.widen()
    assert sizes == [30, 60, 100]
