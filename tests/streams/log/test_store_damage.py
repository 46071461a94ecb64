"""A damaged JetStream store ends in a halt or in no service, never in skipped messages.

nats-server itself skips a message whose bytes do not fit their checksum, delivers nothing
more out of a block that it cannot read, cuts the log off there after a crash, or forgets
the whole stream, and says nothing in each case.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from schemas import subjects
from schemas.codec import encode
from schemas.errors import Halt, LogDiverged, LogGap, LogUnavailable
from schemas.stored import Stored
from streams.broker import server as broker_server
from streams.log import nats_reader, nats_stream
from streams.log.nats_log import NatsLog
from streams.log.nats_wire import Wire
from streams.log.streams import ensure_streams, log_spec
from tests.support.nats import TestServer

BATCHES, SIZE = 18, 1_000
"""Over 8 MB, so that the first block is full and compressed and the second is not."""
HEARTBEATS_S = 0.7
"""Three of them come in this time."""
IDLE_S = 1.5
"""So long without a message, and what is left of a damaged log has been read."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    pull = {"batch": 500, "expires": 2_000_000_000, "idle_heartbeat": 200_000_000}
    monkeypatch.setattr(nats_reader, "_PULL", encode(pull))
    monkeypatch.setattr(broker_server, "SERVER_READY_S", 4)
    monkeypatch.setattr(nats_stream, "LOG_REQUEST_ATTEMPTS", 2)


async def fill(log: NatsLog) -> None:
    for number in range(BATCHES):
        rest = b"%d " % number * 150
        batch = [(f"main.cmd.order.a{n % 3}", b"%d %b" % (n, rest)) for n in range(SIZE)]
        await log.append_batch(batch)


class Filled(NamedTuple):
    """A store that was filled once, by how its server ended."""

    folders: dict[str, Path]
    messages: list[Stored]

    def on(self, subject: str) -> list[Stored]:
        return [one for one in self.messages if subjects.matches(subject, one.subject)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return asyncio.run(_filled(tmp_path_factory.mktemp("filled")))


async def _filled(folder: Path) -> Filled:
    """Fill a store, and keep a copy as a crash leaves it, and one as an orderly end does."""
    server = TestServer(folder)
    await server.start()
    await server.declare()
    log = await server.connect()
    await fill(log)
    messages = await walk(log, "main.>", [], await log.last_sequence())
    await log.close()
    await server.kill9()
    shutil.copytree(server.store, folder / "killed")
    await server.start()
    await server.stop()
    shutil.copytree(server.store, folder / "stopped")
    return Filled({"killed": folder / "killed", "stopped": folder / "stopped"}, messages)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    """A server of the test's own that does not run yet."""
    it = TestServer(tmp_path)
    yield it
    await it.kill9()


async def walk(log: NatsLog, subject: str, found: list[Stored], end: int) -> list[Stored]:
    """Read on, into `found`, until `end`, or until the server has been idle for some time."""
    reader = await log.open_reader([subject], 0)
    while not found or found[-1].sequence < end:
        got = await reader.poll(1_000, IDLE_S)
        if not got:
            return found
        found.extend(got)
    # The server's heartbeat tells how many there were, so that one that was skipped is missed.
    found.extend(await reader.poll(1, HEARTBEATS_S))
    return found


def damage(store: Path, kind: str, block: str) -> None:
    blocks = sorted(store.rglob("*.blk"), key=lambda path: int(path.stem))
    blocks = [path for path in blocks if path.stat().st_size]
    assert len(blocks) > 1
    path = blocks[0 if block == "first" else -1]
    data = bytearray(path.read_bytes())
    match kind:
        case "bit in the middle":
            data[len(data) // 2] ^= 1
        case "bit at the end":
            data[-40] ^= 1
        case "cut":
            del data[len(data) * 2 // 3 :]
    path.write_bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["main.>", "main.cmd.order.a1"])
@pytest.mark.parametrize("end", ["stopped", "killed"])
@pytest.mark.parametrize("block", ["first", "last"])
@pytest.mark.parametrize("kind", ["bit in the middle", "bit at the end", "cut"])
async def test_damage_never_goes_unseen(
    server: TestServer, filled: Filled, kind: str, block: str, end: str, subject: str
) -> None:
    whole, known = filled.on(subject), filled.messages[-1].sequence
    shutil.copytree(filled.folders[end], server.store)
    damage(server.store, kind, block)
    found: list[Stored] = []
    try:
        await server.start()
        log = await server.connect()
        try:
            await walk(log, subject, found, whole[-1].sequence)
            await log.stream.check_past(known, whole[-1])
        finally:
            await log.close()
    except (Halt, LogUnavailable):
        if subject == "main.>":
            assert found == whole[: len(found)], "it was handed what lies behind the damage"
        return
    assert subject != "main.>", "whoever reads everything must see any damage"
    assert found == whole


async def test_a_skipped_message_is_missed_behind_a_filter(
    server: TestServer, filled: Filled
) -> None:
    shutil.copytree(filled.folders["stopped"], server.store)
    damage(server.store, "bit in the middle", "last")
    await server.start()
    log = await server.connect()
    lost = 0
    for subject in ("main.cmd.order.a0", "main.cmd.order.a1", "main.cmd.order.a2"):
        try:
            await walk(log, subject, [], filled.on(subject)[-1].sequence)
        except LogGap:
            lost += 1
    assert lost == 1
    await log.close()


async def opened(server: TestServer, filled: Filled) -> NatsLog:
    """Start the server on a store that no server has ended in good order, and connect."""
    shutil.copytree(filled.folders["killed"], server.store)
    await server.start()
    return await server.connect()


async def cut_under(server: TestServer) -> None:
    await server.kill9()
    damage(server.store, "cut", "last")
    await server.start()


async def test_a_reader_sees_that_the_end_moved_back(server: TestServer, filled: Filled) -> None:
    log = await opened(server, filled)
    reader = await log.open_reader(["main.cmd.>"], 0)
    seen = 0
    while seen < BATCHES * SIZE:
        seen += len(await reader.poll(1_000, 5))
    await cut_under(server)
    with pytest.raises(LogDiverged):
        await reader.poll(10, 5)
    with pytest.raises(LogDiverged):
        await log.last_sequence()
    with pytest.raises(LogDiverged):
        await log.send("main.cmd.order.ada", b"x")
    await log.close()
    fresh = await server.connect()
    with pytest.raises(LogDiverged):
        await fresh.open_reader(["main.>"], seen)
    await fresh.close()


async def test_a_reader_sees_that_its_last_message_is_another(
    server: TestServer, filled: Filled
) -> None:
    """The end moved back, and others have written past it before the reader looked."""
    log = await opened(server, filled)
    reader = await log.open_reader(["main.cmd.>"], BATCHES * SIZE - 5)
    assert len(await reader.poll(1_000, 5)) == 5
    await cut_under(server)
    other = await server.connect("other")
    while await other.last_sequence() < BATCHES * SIZE + 10:
        await other.append_batch([("main.cmd.order.bob", b"new")] * 1_000)
    with pytest.raises(LogDiverged, match="not what it was"):
        await reader.poll(10, 5)
    await other.close()
    await log.close()


async def test_a_founded_venue_is_not_given_an_empty_log(server: TestServer) -> None:
    await server.start()
    await server.declare()
    async with Wire.opened(server.url, name="operator") as wire, server.monitor() as monitor:
        await ensure_streams(wire, [log_spec("main")], monitor, create=False)
        await wire.request("$JS.API.STREAM.DELETE.LOG_main")
        with pytest.raises(LogDiverged, match="LOG_main is gone"):
            await ensure_streams(wire, [log_spec("main")], monitor, create=False)
