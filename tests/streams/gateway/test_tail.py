"""The tail: order, trust, and what ends it; and the outcomes that it feeds."""

import asyncio
from typing import Any

import pytest

from schemas.chain import GENESIS_HASH, digest
from schemas.errors import LogDiverged, LogUnavailable, UnknownRecord
from schemas.events.exchange import AccountOpened, OrdersCancelled
from schemas.records import Record, seal
from schemas.stored import Stored
from schemas.subjects import EXCHANGE, GOVERNANCE, events
from streams.accounts.directory import Directory
from streams.accounts.tail import HEADS, Arrived, Tail
from streams.gateway import outcomes
from streams.gateway.outcomes import Outcomes
from streams.log import cursor
from tests.simulated.log import SimulatedServer
from tests.streams.gateway.house import House, SetClock, open_house
from tests.support.waiting import wait_until


class Writer:
    """Write an engine's records by hand."""

    def __init__(self, server: SimulatedServer, engine: str = EXCHANGE) -> None:
        self.server = server
        self.engine = engine
        self.number = 0
        self.prev = GENESIS_HASH

    def write(
        self, first: int, last: int, causes: tuple[int, ...] = (), *, tick: bool = False
    ) -> int:
        self.number += 1
        record = Record(
            engine=self.engine,
            decider=f"{self.engine}/1",
            epoch=1,
            number=self.number,
            first_input=first,
            last_input=last,
            time_ns=1,
            tick=tick,
            events=[OrdersCancelled(cause, "alice", "c", []) for cause in causes],
            state_hash=None,
            prev=self.prev,
        )
        data, self.prev = seal(record)
        return self.server.store([(events("main", self.engine), data)])


def arrived(server: SimulatedServer, sequence: int) -> Arrived:
    stored = server.get(sequence)
    assert stored is not None
    return Arrived(stored, HEADS.decode(stored.payload))


async def test_a_record_that_does_not_follow_ends_the_door(house: House) -> None:
    await house.found()
    writer = Writer(house.server, GOVERNANCE)
    sequence = writer.write(1, 1)
    await wait_until(lambda: house.halts, what="the halt")
    assert isinstance(house.halts[0], LogDiverged)
    assert f"sequence {sequence}:" in str(house.halts[0])


@pytest.mark.parametrize("payload", [b"junk", b"{}", b'{"type":"record/9"}', b"\xff"])
async def test_a_record_that_cannot_be_read_ends_the_door(payload: bytes) -> None:
    async with open_house(engines=False) as house:
        sequence = house.server.store([(events("main", EXCHANGE), payload)])
        await wait_until(lambda: house.halts, what="the halt")
        assert isinstance(house.halts[0], UnknownRecord)
        assert f"sequence {sequence}" in str(house.halts[0])


async def test_a_record_whose_bytes_were_changed_ends_the_door() -> None:
    server = SimulatedServer()
    writer = Writer(server)
    for n in range(1, 4):
        writer.write(n, n, (n,))
    stored = server.get(2)
    assert stored is not None
    server.replace(2, stored.payload.replace(b"alice", b"alicf"))
    with pytest.raises(LogDiverged, match="sequence 2"):
        await Tail(server.connect("gateway"), SetClock(), ()).run()


async def test_a_record_on_anothers_subject_ends_the_door() -> None:
    server = SimulatedServer()
    writer = Writer(server)
    writer.write(1, 1)
    stored = server.get(1)
    assert stored is not None
    server.store([(events("main", GOVERNANCE), stored.payload)])
    with pytest.raises(UnknownRecord, match="sequence 2"):
        await Tail(server.connect("gateway"), SetClock(), ()).run()


async def test_an_event_that_cannot_be_read_ends_the_door_when_it_matters() -> None:
    async with open_house(engines=False) as house:
        writer = Writer(house.server, GOVERNANCE)
        head = (
            b'{"type":"record/1","engine":"governance","decider":"governance/1","epoch":1,'
            b'"number":1,"first_input":1,"last_input":1,"time_ns":1,"tick":false,'
            b'"events":[{"type":"unheard_of/1","cause":1}],"state_hash":null,"prev":"'
            + writer.prev.encode()
            + b'"'
        )
        data = head + b',"hash":"' + digest(head).encode() + b'","signature":""}'
        house.server.store([(events("main", GOVERNANCE), data)])
        await wait_until(lambda: house.halts, what="the halt")
        assert isinstance(house.halts[0], UnknownRecord)


async def follow(server: SimulatedServer, *, name: str = "gateway") -> tuple[Tail, list[int], Any]:
    seen: list[int] = []
    it = Tail(server.connect(name), SetClock(), (lambda a: seen.append(a.sequence),))
    return it, seen, asyncio.create_task(it.run())


async def end(task: Any) -> BaseException | None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None if task.cancelled() else task.exception()


async def test_it_has_caught_up_only_with_all_that_was_there() -> None:
    server = SimulatedServer()
    writer = Writer(server)
    for n in range(1, 200):
        writer.write(n, n)
    it, seen, task = await follow(server)
    assert not it.caught_up
    await wait_until(lambda: it.caught_up, what="caught up")
    assert seen == list(range(1, 200))
    await end(task)


async def test_it_goes_on_where_it_was_after_the_log_was_away() -> None:
    server = SimulatedServer()
    writer = Writer(server)
    writer.write(1, 1)
    log = server.connect("gateway")
    opened: list[int] = []
    open_reader = log.open_reader

    async def flaky(subjects: Any, after: int) -> Any:
        opened.append(after)
        reader = await open_reader(subjects, after)
        if len(opened) == 1:
            poll, polled = reader.poll, 0

            async def fail_later(max_messages: int, timeout_s: float) -> list[Stored]:
                nonlocal polled
                polled += 1
                if polled > 1:
                    raise LogUnavailable("gone")
                return await poll(max_messages, timeout_s)

            reader.poll = fail_later  # type: ignore[method-assign]  # a server that goes away
        return reader

    log.open_reader = flaky  # type: ignore[method-assign]
    seen: list[int] = []
    it = Tail(log, SetClock(), (lambda a: seen.append(a.sequence),))
    task = asyncio.create_task(it.run())
    await wait_until(lambda: len(opened) == 2, what="opened again")
    writer.write(2, 2)
    await wait_until(lambda: seen == [1, 2], what="both")
    assert opened == [0, 1]
    await end(task)


async def test_its_attempts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor, "REOPEN_ATTEMPTS", 3)
    log = SimulatedServer().connect("gateway")
    await log.close()
    with pytest.raises(LogUnavailable):
        await Tail(log, SetClock(), ()).run()


async def test_a_log_that_was_set_back_meanwhile_is_not_read_on() -> None:
    server = SimulatedServer()
    writer = Writer(server)
    writer.write(1, 1)
    it, seen, task = await follow(server)
    await wait_until(lambda: seen == [1], what="the first")
    await end(task)
    server.truncate(0)
    other = Writer(server)
    other.write(5, 5)
    other.write(6, 6)
    with pytest.raises(LogDiverged, match="sequence 1"):
        await it.run()


async def test_an_outcome_is_found_before_and_after_it_is_asked_for() -> None:
    server, it = SimulatedServer(), Outcomes()
    writer = Writer(server)
    asked = asyncio.create_task(it.wait(EXCHANGE, 7))
    await asyncio.sleep(0)
    sequence = writer.write(5, 9, (7, 7, 8))
    it.take(arrived(server, sequence))
    early = await asked
    late = await it.wait(EXCHANGE, 7)
    assert early == late
    assert early is not None
    assert early.sequence == sequence
    assert [event.cause for event in early.events] == [7, 7]
    covered = await it.wait(EXCHANGE, 9)
    assert covered is not None
    assert covered.events == []


async def test_engines_and_ticks_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "WAIT_OUTCOME_S", 0.01)
    server, it = SimulatedServer(), Outcomes()
    writer = Writer(server)
    it.take(arrived(server, writer.write(7, 7, (7,), tick=True)))
    assert await it.wait(EXCHANGE, 7) is None
    it.take(arrived(server, writer.write(7, 7, (7,))))
    assert await it.wait(GOVERNANCE, 7) is None
    assert await it.wait(EXCHANGE, 7) is not None


async def test_a_waiter_that_goes_leaves_nothing_behind() -> None:
    it = Outcomes()
    waiting = [asyncio.create_task(it.wait(EXCHANGE, 7)) for _ in range(3)]
    await asyncio.sleep(0)
    for task in waiting:
        await end(task)
    assert it._waiting == {EXCHANGE: {}, GOVERNANCE: {}}
    assert it._count == 0


async def test_recent_records_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "WAIT_OUTCOME_S", 0.01)
    monkeypatch.setattr(outcomes, "RECENT_RECORDS", 2)
    server, it = SimulatedServer(), Outcomes()
    writer = Writer(server)
    for n in range(1, 5):
        it.take(arrived(server, writer.write(n, n, (n,))))
    assert [await it.wait(EXCHANGE, n) is not None for n in range(1, 5)] == [
        False,
        False,
        True,
        True,
    ]
    monkeypatch.setattr(outcomes, "RECENT_RECORD_BYTES", 1)
    it.take(arrived(server, writer.write(5, 5, (5,))))
    assert await it.wait(EXCHANGE, 5) is None


def test_a_key_with_two_accounts_stands_for_the_first() -> None:
    server, directory = SimulatedServer(), Directory()
    for number, account in enumerate(("alice", "alice2"), 1):
        record = Record(
            "exchange", "exchange/1", 1, number, number, number, 1, False,
            [AccountOpened(number, account, "K")], None, GENESIS_HASH,
        )  # fmt: skip
        sequence = server.store([(events("main", EXCHANGE), seal(record)[0])])
        directory.take(arrived(server, sequence))
    assert directory.account_of("K") == "alice"
    assert directory.key_of("alice2") == "K"
    assert directory.account_of("other") is None
