"""The wire: how bytes are split, and what of nats-py's inside it leans on."""

import asyncio
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.aio.transport import TcpTransport
from nats.protocol.parser import Parser

from schemas.errors import LogUnavailable
from streams.log.nats_wire import Wire, _Splitter, header_value, status_of
from tests.support.nats import TestServer

Seen = tuple[bytes, bytes, bytes, bytes]


class _Library:
    """Stands where nats-py's client does and counts what reaches it."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    async def _process_ping(self) -> None:
        self.seen.append("ping")

    async def _process_pong(self) -> None:
        self.seen.append("pong")

    async def _process_err(self, text: str) -> None:
        self.seen.append(text)

    async def _process_info(self, info: dict[str, object]) -> None:
        self.seen.append(info)

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, header: bytes
    ) -> None:
        self.seen.append((sid, subject, reply, data, header))


def message(sid: bytes, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> bytes:
    words = [subject, sid] + ([reply] if reply else [])
    if not header:
        return b"MSG %b %d\r\n%b\r\n" % (b" ".join(words), len(payload), payload)
    sizes = (len(header), len(header) + len(payload))
    return b"HMSG %b %d %d\r\n%b%b\r\n" % (b" ".join(words), *sizes, header, payload)


messages = st.lists(
    st.tuples(
        st.sampled_from([b"main.a", b"_INBOX.x.1"]),
        st.sampled_from([b"", b"$JS.ACK.LOG.c.1.2.3.4.5"]),
        st.sampled_from([b"", b"NATS/1.0 408 Request Timeout\r\nA: b\r\n\r\n"]),
        st.one_of(st.binary(max_size=60), st.just(b"\r\nMSG x e1 1\r\n"), st.just(b"z" * 5_000)),
    ),
    max_size=12,
)


@given(
    messages,
    st.lists(st.integers(1, 400), max_size=40),
    st.sets(st.integers(0, 12), max_size=4),
)
def test_any_chopping_gives_the_same_messages(
    sent: list[Seen], cuts: list[int], others: set[int]
) -> None:
    library, got, broken = _Library(), list[Seen](), list[Exception]()
    splitter = _Splitter(library, {b"e1": lambda *seen: got.append(seen)}, broken.append)  # type: ignore[arg-type]
    stream, foreign = b"", 0
    for number, (subject, reply, header, payload) in enumerate(sent):
        if number in others:
            foreign += 3
            stream += b"PING\r\n-ERR 'Permissions Violation'\r\n"
            stream += message(b"7", b"lib", b"", b"", b"theirs\r\n")
            stream += message(b"e9", b"gone", b"", b"", b"nobody's")
        stream += message(b"e1", subject, reply, header, payload)

    async def feed() -> None:
        rest = stream
        for cut in cuts:
            await splitter.parse(rest[:cut])
            rest = rest[cut:]
        await splitter.parse(rest)

    asyncio.run(feed())
    assert broken == []
    assert got == sent
    assert len(library.seen) == foreign


def test_a_stream_of_bytes_that_makes_no_sense_breaks_the_wire() -> None:
    broken: list[Exception] = []
    splitter = _Splitter(_Library(), {}, broken.append)  # type: ignore[arg-type]
    asyncio.run(splitter.parse(b"MSG main.a e1 nonsense\r\n"))
    assert len(broken) == 1


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"NATS/1.0 404\r\n\r\n", 404),
        (b"NATS/1.0 503\r\nNats-Subject: x\r\n\r\n", 503),
        (b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 8\r\n\r\n", 100),
        (b"NATS/1.0\r\nNats-Batch-Id: 404\r\n\r\n", 0),
        (b"", 0),
    ],
)
def test_statuses(header: bytes, status: int) -> None:
    assert status_of(header) == status


def test_header_values() -> None:
    header = b"NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 12\r\nB: c\r\n\r\n"
    assert header_value(header, b"Nats-Pending-Messages") == "12"
    assert header_value(header, b"B") == "c"
    assert header_value(header, b"A") == ""


def test_the_last_of_several_values_counts() -> None:
    """The server adds its own behind those that were stored."""
    header = b"NATS/1.0\r\nNats-Sequence: 1\r\nX: y\r\nNats-Sequence: 7\r\n\r\n"
    assert header_value(header, b"Nats-Sequence") == "7"


def test_what_is_used_of_nats_py_is_still_there() -> None:
    """If this fails after an update of nats-py, read nats_wire's docstring and check each."""
    client = Client()
    assert isinstance(client._ps, Parser)
    assert "await self._ps.parse(b)" in inspect.getsource(Client._read_loop)
    assert inspect.iscoroutinefunction(Parser.parse)
    assert list(inspect.signature(Parser.parse).parameters) == ["self", "data"]
    assert "_transport" in vars(client)
    assert list(inspect.signature(TcpTransport.write).parameters) == ["self", "payload"]
    assert "_server_info" in vars(client)


async def test_bytes_leave_in_the_order_of_the_calls(server: TestServer) -> None:
    wire = await server.wire()
    got: list[bytes] = []
    done = asyncio.Event()

    def receive(_subject: bytes, _reply: bytes, _header: bytes, payload: bytes) -> None:
        got.append(payload)
        if len(got) == 5_000:
            done.set()

    wire.subscribe("order.test", receive)
    for number in range(5_000):
        payload = b"%d" % number
        wire.write(b"PUB order.test %d\r\n%b\r\n" % (len(payload), payload))
    await asyncio.wait_for(done.wait(), 10)
    assert got == [b"%d" % number for number in range(5_000)]
    await wire.close()


async def test_a_lost_wire_says_so_at_once_and_keeps_nothing(server: TestServer) -> None:
    wire = await server.wire()
    told: list[int] = []
    wire.when_lost(lambda: told.append(1))
    asked = asyncio.ensure_future(wire.request("nobody.answers.if.someone.listens"))
    assert (await asked).status == 503
    silent = await server.wire("silent")
    silent.subscribe("question", lambda *_: None)
    await silent.request("$JS.API.INFO")
    asked = asyncio.ensure_future(wire.request("question", timeout_s=60))
    await asyncio.sleep(0)
    await server.kill9()
    with pytest.raises(LogUnavailable):
        await asyncio.wait_for(asked, 5)
    assert wire.lost
    assert told == [1]
    with pytest.raises(LogUnavailable):
        wire.write(b"PUB a 0\r\n\r\n")
    with pytest.raises(LogUnavailable):
        await wire.request("question")
    await wire.close()
    await silent.close()


async def test_inboxes_are_private_to_each_connection(server: TestServer) -> None:
    one, two = await server.wire("one"), await server.wire("two")
    assert one.inbox != two.inbox
    own = await Wire.open(server.url, name="own", inbox_prefix="_INBOX_ada")
    assert own.inbox.startswith("_INBOX_ada.")
    assert (await own.request("$JS.API.INFO")).payload
    for wire in (one, two, own):
        await wire.close()
