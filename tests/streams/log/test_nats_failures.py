"""A real server's failures: crashes, frozen servers, lost connections, lost leadership."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from schemas.errors import (
    AppendFailed,
    AppendUnknown,
    Fenced,
    LogDiverged,
    LogUnavailable,
    OperatingError,
)
from schemas.stored import Stored
from streams.log import nats_appends, nats_stream
from streams.log.nats_log import NatsLog, dialler
from streams.log.nats_stream import NatsStream
from streams.log.nats_wire import Wire
from streams.log.ports import Fence
from tests.support.nats import TestServer, nats_server
from tests.support.waiting import wait_until

ORDERS = "main.cmd.order.ada"
RECORDS = "main.evt.exchange"
EPOCHS = "main.evt.exchange.epoch"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    """A server of the test's own, which it kills."""
    async with nats_server(tmp_path) as it:
        yield it


@pytest.fixture
async def log(server: TestServer) -> AsyncIterator[NatsLog]:
    log = await server.connect()
    yield log
    await log.close()


async def everything(log: NatsLog, after: int = 0) -> list[Stored]:
    reader = await log.open_reader(["main.>"], after)
    end = await log.last_sequence()
    found: list[Stored] = []
    while len(found) < end - after:
        found.extend(await reader.poll(1_000, 5))
    await reader.close()
    return found


class Load:
    """Appends payloads that are all different, and keeps what it was told about each."""

    def __init__(self, log: NatsLog, name: str, *, batch: int) -> None:
        self.log, self.name, self.batch = log, name, batch
        self.acked: dict[bytes, int] = {}
        self.unknown: set[bytes] = set()
        self.refused: set[bytes] = set()
        self._number = 0
        self.stopping = False

    async def run(self) -> None:
        while not self.stopping:
            self._number += 1
            payloads = [
                b"%s %d %d" % (self.name.encode(), self._number, n) for n in range(self.batch)
            ]
            try:
                await self._append(payloads)
            except AppendUnknown:
                self.unknown.update(payloads)
            except AppendFailed:
                self.refused.update(payloads)
                await asyncio.sleep(0.005)

    async def _append(self, payloads: list[bytes]) -> None:
        if self.batch == 1:
            self.acked[payloads[0]] = await self.log.send(ORDERS, payloads[0])
            return
        last = await self.log.append_batch([(ORDERS, payload) for payload in payloads])
        for sequence, payload in enumerate(payloads, last - len(payloads) + 1):
            self.acked[payload] = sequence


async def crash_under_load(server: TestServer, crashes: int) -> None:
    """Kill the server again and again; then hold what the writers heard against the log."""
    logs = [await server.connect(f"load {number}") for number in range(4)]
    loads = [Load(log, f"l{n}", batch=(1, 1, 20, 200)[n]) for n, log in enumerate(logs)]
    reading = await server.connect("reader")
    reader = await reading.open_reader(["main.>"], 0)
    seen: list[Stored] = []

    async def read() -> None:
        while True:
            seen.extend(await reader.poll(1_000, 0.5))

    tasks = [asyncio.create_task(load.run()) for load in loads]
    follower = asyncio.create_task(read())

    def heard(at_least: int) -> bool:
        return sum(len(load.acked) for load in loads) >= at_least

    for _ in range(crashes):
        before = sum(len(load.acked) for load in loads)
        await wait_until(partial(heard, before + 500))
        await server.kill9()
        await server.start()
    for load in loads:
        load.stopping = True
    await asyncio.gather(*tasks)
    check = await server.connect("check")
    stored = await everything(check)
    places = {one.payload: one.sequence for one in stored}
    assert max(Counter(one.payload for one in stored).values()) == 1
    for load in loads:
        assert load.acked
        for payload, sequence in load.acked.items():
            assert places.get(payload) == sequence, "an acked append is not where it was acked"
        assert not load.refused & places.keys(), "a refused append is on the log"
    await wait_until(lambda: len(seen) >= len(stored))
    follower.cancel()
    await asyncio.gather(follower, return_exceptions=True)
    assert seen == stored
    for log in [*logs, reading, check]:
        await log.close()


async def test_crash_under_load(server: TestServer) -> None:
    await crash_under_load(server, 2)


@pytest.mark.slow
async def test_twenty_crashes_under_load(server: TestServer) -> None:
    await crash_under_load(server, 20)


async def test_an_append_whose_ack_was_lost_is_found_on_the_log(
    server: TestServer, log: NatsLog
) -> None:
    """The connection goes after the server took the message and before its ack is read."""
    deaf = await log.stream.wire()
    for sid in deaf._handlers:
        deaf._handlers[sid] = lambda *_: None
    waiting = asyncio.ensure_future(log.send(ORDERS, b"mine"))
    batch = asyncio.ensure_future(log.append_batch([(ORDERS, b"%d" % n) for n in range(7)]))
    await asyncio.sleep(0)
    other = await server.connect("other")
    reader = await other.open_reader(["main.>"], 0)
    seen: list[Stored] = []
    while len(seen) < 8:
        seen.extend(await reader.poll(10, 10))
    await deaf.close()
    assert await waiting == 1
    assert await batch == 8
    assert await other.last_sequence() == 8
    await other.close()


async def test_an_append_that_never_arrived_is_unknown_and_never_doubled(
    server: TestServer, log: NatsLog
) -> None:
    await server.freeze()
    waiting = [
        asyncio.ensure_future(log.send(ORDERS, b"mine")),
        asyncio.ensure_future(log.append_batch([(ORDERS, b"%d" % n) for n in range(7)])),
    ]
    await asyncio.sleep(0.05)
    await server.kill9()
    await server.start()
    got = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in got] == [AppendUnknown, AppendUnknown]
    assert await log.last_sequence() == 0


async def test_a_frozen_server_answers_late_and_nothing_is_lost(
    server: TestServer, log: NatsLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_appends, "APPEND_TIMEOUT_S", 0.2)
    await server.freeze()
    waiting = asyncio.ensure_future(log.send(ORDERS, b"late"))
    await asyncio.sleep(0.4)
    assert not waiting.done()
    server.thaw()
    assert await asyncio.wait_for(waiting, 10) == 1


async def test_a_fence_does_not_outlive_its_connection(server: TestServer, log: NatsLog) -> None:
    fence = Fence(EPOCHS, await log.send(EPOCHS, b"one"))
    assert await log.send(RECORDS, b"1", fence) == 2
    await server.kill9()
    await server.start()
    assert await log.last_sequence() == 2
    with pytest.raises(AppendFailed, match="fence"):
        await log.send(RECORDS, b"2", fence)
    again = Fence(EPOCHS, await log.send(EPOCHS, b"two"))
    assert await log.send(RECORDS, b"2", again) == 4


async def test_a_record_in_doubt_behind_a_new_epoch_means_fenced(server: TestServer) -> None:
    """No ack came, the record is not on the log, and another is leader since."""
    dial, may_dial = dialler(server.url, name="test"), asyncio.Event()

    async def dial_later() -> Wire:
        await may_dial.wait()
        return await dial()

    may_dial.set()
    log = NatsLog(NatsStream(dial_later, "LOG_main", "main.", dense=True), "main")
    assert await log.last_sequence() == 0
    fence = Fence(EPOCHS, await log.send(EPOCHS, b"one"))
    await server.freeze()
    waiting = asyncio.ensure_future(log.send(RECORDS, b"mine", fence))
    await asyncio.sleep(0.05)
    may_dial.clear()
    await server.kill9()
    await server.start()
    heir = await server.connect("heir")
    await heir.send(EPOCHS, b"two")
    may_dial.set()
    with pytest.raises(Fenced):
        await waiting
    await heir.close()
    await log.close()


async def test_a_reader_goes_on_where_it_was_after_a_crash(
    server: TestServer, log: NatsLog
) -> None:
    await log.append_batch([(ORDERS, b"%d" % n) for n in range(100)])
    reader = await log.open_reader(["main.cmd.>"], 0)
    seen = [*await reader.poll(60, 5)]
    for number in range(3):
        await server.kill9()
        await server.start()
        while len(seen) < 100 + number:
            seen.extend(await reader.poll(7, 5))
        await log.last_sequence()
        await log.send(ORDERS, b"after %d" % number)
    seen.extend(await reader.poll(7, 5))
    assert [one.sequence for one in seen] == list(range(1, 104))


async def test_a_reader_whose_consumer_was_deleted_makes_another(
    server: TestServer, log: NatsLog
) -> None:
    await log.send(ORDERS, b"1")
    reader = await log.open_reader(["main.cmd.>"], 0)
    assert len(await reader.poll(10, 5)) == 1
    answer = await log.stream.ask(f"$JS.API.CONSUMER.DELETE.LOG_main.{reader.consumer}")
    assert answer["success"] is True
    await log.send(ORDERS, b"2")
    assert [one.payload for one in await reader.poll(10, 5)] == [b"2"]


async def test_a_pull_that_ran_out_is_asked_for_again(
    log: NatsLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    from schemas.codec import encode
    from streams.log import nats_reader

    short = {"batch": 500, "expires": 100_000_000}
    monkeypatch.setattr(nats_reader, "_PULL", encode(short))
    reader = await log.open_reader(["main.cmd.>"], 0)
    assert await reader.poll(10, 0.5) == []
    for number in range(1_500):
        if number % 500 == 0:
            await asyncio.sleep(0.15)
            await log.append_batch([(ORDERS, b"%d" % n) for n in range(number, number + 500)])
    seen: list[Stored] = []
    while len(seen) < 1_500:
        got = await reader.poll(100, 5)
        assert got
        seen.extend(got)
    assert [one.sequence for one in seen] == list(range(1, 1_501))


async def test_a_server_that_stays_away_is_unavailable(
    server: TestServer, log: NatsLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_stream, "CONNECT_ATTEMPTS", 3)
    reader = await log.open_reader(["main.>"], 0)
    await server.kill9()
    for asking in (log.last_sequence, lambda: reader.poll(10, 0.1)):
        with pytest.raises(LogUnavailable):
            await asking()
    with pytest.raises(OperatingError):
        await log.send(ORDERS, b"x")
    with pytest.raises(LogUnavailable):
        await server.connect("another")
    await server.start()
    assert await log.last_sequence() == 0


async def test_no_more_appends_in_flight_than_the_bound(
    server: TestServer, log: NatsLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_appends, "MAX_SENDS_IN_FLIGHT", 10)
    waiting = [log.send(ORDERS, b"%d" % n) for n in range(11)]
    with pytest.raises(AppendFailed, match="10 appends"):
        await waiting.pop()
    assert [await one for one in waiting] == list(range(1, 11))
    assert await log.send(ORDERS, b"x") == 11


async def test_a_log_that_gives_a_sequence_twice_has_diverged(
    server: TestServer, log: NatsLog
) -> None:
    """A store that lost its end uses those sequences again; a writer that goes on sees it."""
    await log.append_batch([(ORDERS, b"%d" % n) for n in range(10)])
    log.stream.floor += 5
    with pytest.raises(LogDiverged):
        await log.send(ORDERS, b"x")
    with pytest.raises(LogDiverged):
        await log.last_sequence()


async def test_closing_ends_what_is_under_way(server: TestServer) -> None:
    log = await server.connect("closing")
    await server.freeze()
    waiting = asyncio.ensure_future(log.send(ORDERS, b"x"))
    await asyncio.sleep(0.02)
    closing = asyncio.create_task(log.close())
    with pytest.raises(AppendUnknown, match="the log is closed"):
        await waiting  # before the server can have answered
    server.thaw()
    await closing


async def _raises(kind: type[Exception], what: Callable[[], Awaitable[object]]) -> None:
    with pytest.raises(kind):
        await what()


async def test_a_foreign_shard_and_an_absent_stream(server: TestServer) -> None:
    await _raises(LogUnavailable, lambda: server.connect(shard="second"))
    await server.declare("second")
    second = await server.connect(shard="second")
    assert await second.send("second.cmd.order.ada", b"x") == 1
    await second.close()
    with pytest.raises(LogUnavailable):
        await Wire.open("nats://127.0.0.1:1", name="nobody")
