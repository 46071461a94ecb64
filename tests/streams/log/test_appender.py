"""The appender: sharing of batches, order, bad messages, bounds."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from schemas.errors import AppendFailed, AppendUnknown, LogUnavailable
from schemas.limits import MAX_ATOMIC_BATCH, MAX_PAYLOAD_BYTES
from streams.log.appender import Appender
from streams.log.limits import APPEND_SINGLES, MAX_APPEND_QUEUE, MAX_APPENDS_IN_FLIGHT
from streams.log.ports import Fence
from tests.simulated.faults import AppendFault, Faults
from tests.simulated.log import SimulatedLog, SimulatedServer
from tests.support.nats import nats_server

SUBJECT = "main.cmd.order.ada"


class Watched(SimulatedLog):
    """A simulated log that remembers how it was used."""

    def __init__(self, server: SimulatedServer, faults: Faults | None = None) -> None:
        super().__init__(server=server, faults=faults)
        self.batches: list[int] = []
        self.singles = 0

    def send(self, subject: str, payload: bytes, fence: Fence | None = None) -> asyncio.Future[int]:
        self.singles += 1
        return super().send(subject, payload, fence)

    async def append_batch(
        self, messages: Sequence[tuple[str, bytes]], fence: Fence | None = None
    ) -> int:
        self.batches.append(len(messages))
        return await super().append_batch(messages, fence)


@pytest.fixture
async def log() -> AsyncIterator[Watched]:
    log = Watched(SimulatedServer())
    yield log
    await log.close()


async def test_a_lone_append_goes_out_alone(log: Watched) -> None:
    appender = Appender(log)
    assert [await appender.append(SUBJECT, b"x") for _ in range(3)] == [1, 2, 3]
    assert (log.singles, log.batches) == (3, [])


async def test_many_share_batches_and_keep_their_order(log: Watched) -> None:
    appender = Appender(log)
    total = 2 * MAX_ATOMIC_BATCH + 100
    got = await asyncio.gather(*[appender.append(SUBJECT, b"%d" % n) for n in range(total)])
    assert got == list(range(1, total + 1))
    assert [one.payload for one in log.server.messages()] == [b"%d" % n for n in range(total)]
    assert (log.singles, log.batches) == (0, [MAX_ATOMIC_BATCH, MAX_ATOMIC_BATCH, 100])


async def test_few_go_one_by_one(log: Watched) -> None:
    appender = Appender(log)
    await asyncio.gather(*[appender.append(SUBJECT, b"x") for _ in range(APPEND_SINGLES)])
    assert (log.singles, log.batches) == (APPEND_SINGLES, [])


async def test_what_comes_while_all_groups_fly_waits_and_grows(log: Watched) -> None:
    class Slow(Faults):
        def on_append(self, client: str, subject: str) -> AppendFault:
            return AppendFault(delay_s=0.25)

    log = Watched(SimulatedServer(), Slow())
    appender = Appender(log)
    callers = []
    for number in range(MAX_APPENDS_IN_FLIGHT + 50):
        callers.append(asyncio.create_task(appender.append(SUBJECT, b"%d" % number)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert appender.waiting == 50
    assert await asyncio.gather(*callers) == list(range(1, MAX_APPENDS_IN_FLIGHT + 51))
    assert log.batches == [50]


@pytest.mark.parametrize(
    "bad",
    [(SUBJECT, b"x" * (MAX_PAYLOAD_BYTES + 1)), ("main.cmd.>", b"x"), ("other.cmd", b"x")],
    ids=["too large", "wildcard", "foreign"],
)
async def test_a_bad_message_fails_alone(log: Watched, bad: tuple[str, bytes]) -> None:
    appender = Appender(log)
    messages = [(SUBJECT, b"%d" % number) for number in range(100)]
    messages[37] = bad
    got = await asyncio.gather(
        *[appender.append(*message) for message in messages], return_exceptions=True
    )
    assert isinstance(got[37], AppendFailed)
    assert [one for one in got if isinstance(one, int)] == list(range(1, 100))
    stored = [one.payload for one in log.server.messages()]
    assert stored == [payload for number, (_, payload) in enumerate(messages) if number != 37]


async def test_no_caller_is_told_anything_but_unknown_when_the_ack_is_lost() -> None:
    class Lost(Faults):
        def on_append(self, client: str, subject: str) -> AppendFault:
            return AppendFault(ack_lost=True)

    appender = Appender(Watched(SimulatedServer(), Lost()))
    got = await asyncio.gather(
        *[appender.append(SUBJECT, b"x") for _ in range(100)], return_exceptions=True
    )
    assert all(isinstance(one, AppendUnknown) for one in got)
    assert len({id(one) for one in got}) == 100


async def test_a_full_queue_refuses_at_once(log: Watched) -> None:
    appender = Appender(log)
    callers = [
        asyncio.create_task(appender.append(SUBJECT, b"x")) for _ in range(MAX_APPEND_QUEUE + 5)
    ]
    got = await asyncio.gather(*callers, return_exceptions=True)
    refused = [one for one in got if isinstance(one, LogUnavailable)]
    assert len(refused) == 5
    assert log.server.last_sequence == MAX_APPEND_QUEUE


async def test_what_its_caller_gave_up_before_it_left_is_not_sent(log: Watched) -> None:
    appender = Appender(log)
    callers = [asyncio.create_task(appender.append(SUBJECT, b"%d" % n)) for n in range(3)]
    await asyncio.sleep(0)
    callers[1].cancel()
    got = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(got[1], asyncio.CancelledError)
    assert b"1" not in [one.payload for one in log.server.messages()]
    assert [got[0], got[2]] == [1, 2]


async def test_closing_lets_what_flies_land_and_refuses_the_rest(log: Watched) -> None:
    appender = Appender(log)
    flying = asyncio.create_task(appender.append(SUBJECT, b"x"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting = asyncio.create_task(appender.append(SUBJECT, b"y"))
    await asyncio.sleep(0)
    await appender.close()
    assert await flying == 1
    for refused in (waiting, appender.append(SUBJECT, b"z")):
        with pytest.raises(LogUnavailable):
            await refused


async def test_on_a_real_server_every_caller_gets_its_own_sequence(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as server:
        log = await server.connect()
        appender = Appender(log)

        async def caller(name: int) -> list[int]:
            return [await appender.append(f"main.cmd.order.a{name}", b"%d" % n) for n in range(20)]

        got = await asyncio.gather(*[caller(name) for name in range(200)])
        for name, sequences in enumerate(got):
            assert sequences == sorted(sequences)
            for number, sequence in enumerate(sequences):
                if number % 7 == 0:
                    stored = await log.get(sequence)
                    assert stored is not None
                    assert (stored.subject, stored.payload) == (
                        f"main.cmd.order.a{name}",
                        b"%d" % number,
                    )
        assert sorted(one for each in got for one in each) == list(range(1, 4_001))
        await appender.close()
        await log.close()
