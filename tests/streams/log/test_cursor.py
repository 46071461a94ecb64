"""The cursor on a simulated log: where it ends, what it keeps, when it gives up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import LogDiverged, LogGap, LogUnavailable
from schemas.stored import Stored
from schemas.subjects import matches
from streams.log.cursor import Cursor, retried
from streams.log.limits import READ_PATIENCE, READ_POLL_S, REOPEN_ATTEMPTS, REOPEN_PAUSE_S
from tests.simulated.faults import DeliveryFault, Faults, Rates, SeededFaults
from tests.simulated.log import SimulatedLog, SimulatedReader, SimulatedServer
from tests.simulated.virtual_time import VirtualClock, simulate

MINE, OTHER = "main.cmd.order.ada", "main.cmd.order.bob"
ALL = "main.>"


def server_with(*subjects: str) -> SimulatedServer:
    server = SimulatedServer()
    for number, subject in enumerate(subjects, 1):
        server.store([(subject, b"%d" % number)])
    return server


def sequences(messages: Sequence[Stored]) -> list[int]:
    return [message.sequence for message in messages]


async def read(cursor: Cursor, sequence: int, *, exact: bool = True) -> list[int]:
    """Return the sequences that `read_to` yields."""
    found: list[int] = []
    async for messages in cursor.read_to(sequence, exact=exact):
        found += sequences(messages)
    return found


class Polls(Faults):
    """The faults of the first polls, in order."""

    def __init__(self, *faults: DeliveryFault) -> None:
        self._faults = list(faults)

    def on_poll(self, client: str) -> DeliveryFault:
        return self._faults.pop(0) if self._faults else DeliveryFault()


SILENT, FAILS = DeliveryFault(silent=True), DeliveryFault(fails=True)


class Silent(Faults):
    """No poll ever brings anything."""

    def on_poll(self, client: str) -> DeliveryFault:
        return SILENT


def elapsed(main: Callable[[], Awaitable[None]]) -> float:
    """Return how many virtual seconds `main` takes."""

    async def timed() -> float:
        await main()
        return asyncio.get_running_loop().time()

    return simulate(timed())


async def test_it_reads_to_a_sequence_and_then_on_from_there() -> None:
    log = server_with(MINE, OTHER, MINE, MINE, OTHER, MINE).connect()
    async with Cursor(log, [MINE]) as cursor:
        assert await read(cursor, 3) == [1, 3]
        assert cursor.position == 3
        assert cursor.has_read(4)
        assert cursor.has_read(6)
        assert not cursor.has_read(7)
        assert await read(cursor, 3) == []
        assert await read(cursor, await cursor.end()) == [4, 6]
        assert not cursor.has_read(6)


async def test_what_was_read_ahead_is_followed_first() -> None:
    server = server_with(MINE, MINE, MINE)
    async with Cursor(server.connect(), [MINE]) as cursor:
        assert await read(cursor, 1) == [1]
        following = cursor.follow()
        assert sequences(await anext(following)) == [2, 3]
        server.store([(MINE, b"4")])
        assert sequences(await anext(following)) == [4]
        assert cursor.position == 4


async def test_it_begins_behind_a_sequence_and_keeps_to_its_batch() -> None:
    log = server_with(*[MINE] * 10).connect()
    async with Cursor(log, [ALL], 4, batch=4) as cursor:
        assert [sequences(some) async for some in cursor.read_to(10)] == [[5, 6, 7, 8], [9, 10]]


async def test_the_end_is_that_of_its_subjects() -> None:
    log = server_with(MINE, OTHER, MINE, OTHER, "main.evt.exchange").connect()
    assert await Cursor(log, [MINE, OTHER]).end() == 4
    assert await Cursor(log, [MINE]).end() == 3
    assert await Cursor(log, ["main.cmd.order.eve"]).end() == 0


def test_a_silence_is_an_empty_batch() -> None:
    async def main() -> None:
        log = server_with(MINE, MINE).connect(faults=Polls(SILENT, DeliveryFault(at_most=1)))
        cursor = Cursor(log, [MINE])
        assert [sequences(some) async for some in cursor.read_to(2)] == [[], [1], [2]]

    assert elapsed(main) == READ_POLL_S


def test_a_message_that_does_not_come_is_given_up() -> None:
    async def main() -> None:
        log = server_with(MINE, MINE).connect(faults=Silent())
        empty = 0
        with pytest.raises(LogUnavailable, match="behind sequence 0, and 2 is on the log"):
            async for messages in Cursor(log, [MINE]).read_to(2):
                assert messages == []
                empty += 1
        assert empty == READ_PATIENCE - 1

    assert elapsed(main) == READ_PATIENCE * READ_POLL_S


def test_only_silences_in_a_row_count() -> None:
    almost = [SILENT] * (READ_PATIENCE - 1)
    faults = Polls(*almost, DeliveryFault(at_most=1), *almost, DeliveryFault(at_most=1))

    async def main() -> None:
        assert await read(Cursor(server_with(MINE, MINE).connect(faults=faults), [MINE]), 2) == [
            1,
            2,
        ]

    simulate(main())


async def test_a_message_that_is_passed_over_is_a_gap_behind_what_came_before() -> None:
    server = server_with(MINE, OTHER, MINE, MINE)
    server.lose(3)
    cursor, found = Cursor(server.connect(), [MINE]), list[int]()
    with pytest.raises(LogGap, match="sequence 4 comes behind 1, and 3 does not"):
        async for messages in cursor.read_to(3):
            found += sequences(messages)
    assert found == [1]


async def test_a_sequence_that_is_not_its_own_may_be_passed_over() -> None:
    log = server_with(MINE, OTHER, MINE, MINE).connect()
    cursor = Cursor(log, [MINE])
    assert await read(cursor, 2, exact=False) == [1]
    assert cursor.position == 2
    assert await read(cursor, 3, exact=False) == [3]
    assert await read(cursor, 4) == [4]


class Sparse(SimulatedLog):
    """A log whose readers do not see that a message is missing."""

    async def open_reader(self, subjects: Sequence[str], after: int) -> SimulatedReader:
        return await super().open_reader(["main.cmd.order.*"], after)


async def test_a_cursor_over_the_whole_log_finds_a_gap_by_itself() -> None:
    server = server_with(MINE, MINE, MINE, MINE)
    server.lose(2)
    with pytest.raises(LogGap, match="sequence 3 follows 1"):
        await read(Cursor(Sparse(server=server), [ALL]), 4)
    with pytest.raises(LogGap, match="sequence 3 follows 1"):
        await anext(Cursor(Sparse(server=server), [ALL], 1).follow())
    assert sequences(await anext(Cursor(Sparse(server=server), [MINE]).follow())) == [1, 3, 4]


def test_without_retry_a_failure_is_raised_and_the_next_read_goes_on() -> None:
    async def main() -> None:
        faults = Polls(DeliveryFault(at_most=1), FAILS)
        cursor = Cursor(server_with(MINE, MINE).connect(faults=faults), [MINE])
        following = cursor.follow()
        assert sequences(await anext(following)) == [1]
        with pytest.raises(LogUnavailable):
            await anext(following)
        assert sequences(await anext(following)) == [2]

    simulate(main())


def test_with_retry_the_log_is_opened_again() -> None:
    async def main() -> None:
        fails = [FAILS] * (REOPEN_ATTEMPTS - 1)
        faults = Polls(*fails, DeliveryFault(at_most=1), *fails)
        cursor = Cursor(server_with(MINE, MINE).connect(faults=faults), [MINE])
        following = cursor.follow(retry=VirtualClock())
        assert sequences(await anext(following)) == [1]
        assert sequences(await anext(following)) == [2]

    assert elapsed(main) == 2 * (REOPEN_ATTEMPTS - 1) * REOPEN_PAUSE_S


def test_attempts_in_a_row_are_bounded() -> None:
    async def main() -> None:
        server = server_with(MINE)
        log = server.connect()
        server.stop()
        with pytest.raises(LogUnavailable):
            await anext(Cursor(log, [MINE]).follow(retry=VirtualClock()))
        with pytest.raises(LogUnavailable):
            await retried(log.last_sequence, VirtualClock())

    assert elapsed(main) == 2 * (REOPEN_ATTEMPTS - 1) * REOPEN_PAUSE_S


def test_a_log_that_was_set_back_meanwhile_is_not_read_on() -> None:
    async def main() -> None:
        server = server_with(MINE, MINE)
        cursor = Cursor(server.connect(), [MINE])
        assert await read(cursor, 2) == [1, 2]
        await cursor.close()
        server.truncate(1)
        server.store([(MINE, b"another")])
        server.store([(MINE, b"3")])
        with pytest.raises(LogDiverged, match="sequence 2: another message"):
            await read(cursor, 3)

    simulate(main())


TARGETS = st.lists(st.integers(0, 40), max_size=8).map(sorted)


@given(
    written=st.lists(st.sampled_from([MINE, OTHER, "main.evt.exchange"]), max_size=40),
    subjects=st.sampled_from([(MINE,), (MINE, OTHER), ("main.cmd.>",), (ALL,)]),
    after=st.integers(0, 40),
    targets=TARGETS,
    batch=st.integers(1, 7),
    seed=st.integers(0, 2**32),
)
def test_whatever_is_asked_for_each_message_comes_once_and_in_order(
    written: list[str],
    subjects: tuple[str, ...],
    after: int,
    targets: list[int],
    batch: int,
    seed: int,
) -> None:
    rates = Rates(poll_delay_e4=500, poll_short_e4=2_000, poll_silent_e4=2_000)
    server = server_with(*written)
    after = min(after, len(written))
    wanted = [
        sequence
        for sequence, subject in enumerate(written, 1)
        if sequence > after and any(matches(pattern, subject) for pattern in subjects)
    ]

    async def main() -> None:
        log = server.connect(faults=SeededFaults(seed, rates))
        async with Cursor(log, subjects, after, batch=batch) as cursor:
            found: list[int] = []
            for target in targets:
                if target > (wanted[-1] if wanted else 0):
                    continue
                found += await read(cursor, target, exact=target in wanted)
                assert found == [one for one in wanted if one <= target]
                assert cursor.position == max(after, target)
            following = cursor.follow(retry=VirtualClock())
            while len(found) < len(wanted):
                messages = await anext(following)
                assert len(messages) <= batch
                found += sequences(messages)
            assert found == wanted

    simulate(main())
