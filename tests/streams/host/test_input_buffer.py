"""When inputs make a group."""

from schemas.stored import Stored
from streams.host.input_buffer import Intake
from streams.host.limits import FILL_GROUP_INPUTS, MAX_WAITING_BYTES, MAX_WAITING_INPUTS


def messages(count: int, subject: str = "main.cmd.order.a", size: int = 10) -> list[Stored]:
    return [Stored(number + 1, subject, b"x" * size) for number in range(count)]


def test_with_nothing_in_flight_a_group_is_what_has_arrived() -> None:
    intake = Intake(2_000, 0)
    assert intake.ripe(0, 0) == 0
    intake.add(messages(3), 0)
    assert intake.ripe(0, 0) == 3
    intake.add(messages(3_000), 0)
    assert intake.ripe(0, 0) == 2_000


def test_behind_a_record_in_flight_a_group_waits_to_be_worth_one() -> None:
    intake = Intake(2_000, 0)
    intake.add(messages(FILL_GROUP_INPUTS - 1), 0)
    assert intake.ripe(0, 1) == 0
    intake.add(messages(1), 0)
    assert intake.ripe(0, 1) == FILL_GROUP_INPUTS


def test_an_engine_of_small_groups_need_not_wait_for_large_ones() -> None:
    intake = Intake(7, 0)
    intake.add(messages(7), 0)
    assert intake.ripe(0, 1) == 7


def test_what_is_decided_goes_and_the_rest_stays() -> None:
    intake = Intake(10, 0)
    intake.add(messages(15), 0)
    intake.drop(10, 0)
    assert [message.sequence for message in intake.first(10)] == [11, 12, 13, 14, 15]
    assert intake.ripe(0, 0) == 5
    intake.drop(5, 0)
    assert intake.ripe(0, 0) == 0
    assert intake.last_seen == 15


def test_a_lingering_group_closes_after_its_time_or_when_full() -> None:
    intake = Intake(100, 5, ("own",))
    intake.add(messages(1), 10)
    assert intake.ripe_at_ns() == 15
    intake.add(messages(2), 14)
    assert intake.ripe(14, 0) == 0
    assert intake.ripe(15, 0) == 3
    intake.add(messages(97), 14)
    assert intake.ripe(14, 0) == 100


def test_own_messages_never_open_a_group_but_belong_to_it() -> None:
    intake = Intake(100, 5, ("own",))
    intake.add(messages(3, "own"), 0)
    assert intake.ripe(1_000, 0) == 0
    assert intake.ripe_at_ns() is None
    intake.add(messages(1), 2_000)
    assert intake.ripe(2_004, 0) == 0
    assert intake.ripe(2_005, 0) == 4


def test_reading_pauses_at_its_bounds_and_such_a_group_closes() -> None:
    intake = Intake(10 * MAX_WAITING_INPUTS, 5, ("own",))
    intake.add(messages(MAX_WAITING_INPUTS, "own"), 0)
    seen = [(intake.full, intake.ripe(0, 0))]
    intake.drop(MAX_WAITING_INPUTS, 0)
    seen.append((intake.full, intake.ripe(0, 0)))
    intake.add(messages(8, size=MAX_WAITING_BYTES // 8), 0)
    seen.append((intake.full, intake.ripe(0, 0)))
    assert seen == [(True, MAX_WAITING_INPUTS), (False, 0), (True, 8)]


def test_a_narrowed_intake_widens_again() -> None:
    intake = Intake(100, 0, narrowed_to=30)
    intake.add(messages(200), 0)
    sizes = []
    for _ in range(3):
        sizes.append(intake.ripe(0, 0))
        intake.widen()
    assert sizes == [30, 60, 100]
