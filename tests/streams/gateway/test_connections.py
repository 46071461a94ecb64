"""What strangers do to the connections of the gateway as it is served: uvicorn over TCP."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import structlog
from fastapi import APIRouter
from starlette.responses import Response

from streams.gateway.admission import ConnectionBounds
from streams.gateway.connections import BoundedHttp, OpenConnections
from streams.gateway.limits import (
    MAX_BODY_BYTES,
    MAX_HTTP_HEADER_BYTES,
    MAX_HTTP_HEADERS,
    MAX_HTTP_REQUEST_BYTES,
    MAX_HTTP_TARGET_BYTES,
    MAX_PIPELINED,
)
from tests.streams.gateway.house import House, open_house
from tests.streams.gateway.test_real import served
from tests.support.waiting import wait_until

WITHIN_S = 30
MIB = 1024 * 1024
LARGE_BYTES = 8 * MIB
BOUNDS = ConnectionBounds(connections=24, of_one_address=12, header_timeout_s=0.4, idle_timeout_s=1)
OPEN_OF_ONE = 9  # 75 % of 12
HEALTH = "/api/v1/health"
PATIENT = replace(BOUNDS, header_timeout_s=60)
SOCKET_BYTES = 16 * MIB
"""What may be under way between two sockets of this machine, more than was asked for."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of an error, which is in the envelope and carries what all answers do."""
        error = json.loads(self.body)["error"]
        assert set(error) == {"code", "message", "detail"}
        assert self.headers["content-type"] == "application/json"
        assert len(self.headers["x-correlation-id"]) >= 7
        assert self.headers["x-content-type-options"] == "nosniff"
        return str(error["code"])


class Client:
    """One connection, by bare bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, target: str, *headers: str, method: str = "GET", body: bytes = b"") -> None:
        named = (
            headers
            if any(h.lower().startswith("host:") for h in headers)
            else (
                "Host: localhost",
                *headers,
            )
        )
        head = "\r\n".join((f"{method} {target} HTTP/1.1", *named, "", ""))
        self.writer.write(head.encode("latin-1") + body)

    async def answer(self) -> Answer:
        async with asyncio.timeout(WITHIN_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            status, *lines = head.rstrip().split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(int(status.split()[1]), headers, body)

    async def ask(self, target: str, *headers: str, **more: Any) -> Answer:
        self.send(target, *headers, **more)
        return await self.answer()

    async def end(self) -> bytes:
        """Return what comes until the server closes."""
        async with asyncio.timeout(WITHIN_S):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


class Held:
    """A route that answers when the test says so, and a large one."""

    def __init__(self) -> None:
        self.count = 0
        self.go = asyncio.Event()
        self.router = APIRouter()
        self.router.add_api_route("/held", self.held)
        self.router.add_api_route("/large", self.large)

    async def held(self) -> Response:
        self.count += 1
        await self.go.wait()
        return Response(b"held")

    async def large(self) -> Response:
        self.count += 1
        return Response(bytes(LARGE_BYTES))


class Door:
    """A served gateway, and what a test knows of its inside."""

    def __init__(self, house: House, port: int, held: Held, shared: OpenConnections) -> None:
        self.house = house
        self.port = port
        self.held = held
        self.shared = shared
        self._clients: list[Client] = []

    async def client(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self._clients.append(client)
        return client

    async def ask(self, target: str, *headers: str, **more: Any) -> Answer:
        return await (await self.client()).ask(target, *headers, **more)

    async def hold(self, number: int, *headers: str) -> list[Client]:
        """Have so many requests under way that do not end by themselves."""
        before, clients = self.held.count, []
        for _ in range(number):
            clients.append(await self.client())
            clients[-1].send("/api/v1/held", *headers)
        await wait_until(lambda: self.held.count >= before + number, what="requests under way")
        return clients

    @property
    def connections(self) -> int:
        return len(self.shared.admission._all.connections)

    async def all_closed(self) -> None:
        await wait_until(lambda: self.connections == 0, what="all connections are closed")

    def close(self) -> None:
        self.held.go.set()
        for client in self._clients:
            client.writer.close()


@asynccontextmanager
async def open_door(bounds: ConnectionBounds = BOUNDS, **options: Any) -> AsyncIterator[Door]:
    found: list[OpenConnections] = []
    held = Held()
    with pytest.MonkeyPatch.context() as patch:
        protocol = OpenConnections.protocol

        def noted(shared: OpenConnections) -> type[BoundedHttp]:
            found.append(shared)
            return protocol(shared)

        patch.setattr(OpenConnections, "protocol", noted)
        async with (
            open_house() as house,
            served(house.context, (held.router,), lifespan="off", bounds=bounds, **options) as url,
        ):
            door = Door(house, int(url.rpartition(":")[2]), held, found[0])
            try:
                yield door
            finally:
                door.close()


# -- silence ---------------------------------------------------------------------------


async def test_silent_connections_keep_nobody_out_and_end() -> None:
    async with open_door(PATIENT) as door:
        silent = [await door.client() for _ in range(PATIENT.of_one_address)]
        await wait_until(lambda: door.connections == PATIENT.of_one_address)
        for _ in range(3 * PATIENT.of_one_address):
            assert (await door.ask(HEALTH)).status == 200
            assert door.connections <= PATIENT.of_one_address
        assert [await client.end() for client in silent] == [b""] * len(silent)


async def test_silence_ends_without_a_word() -> None:
    async with open_door() as door:
        silent = [await door.client() for _ in range(8)]
        for client in silent:
            assert await client.end() == b""
        await door.all_closed()


async def test_a_connection_that_was_used_and_then_is_silent_ends() -> None:
    async with open_door() as door:
        client = await door.client()
        for _ in range(3):
            assert (await client.ask(HEALTH)).status == 200
        assert await client.end() == b""
        await door.all_closed()


async def test_headers_byte_by_byte_do_not_stay() -> None:
    async with open_door() as door:
        client = await door.client()
        sending = asyncio.create_task(drip(client, b"GET /api/v1/health HTTP/1.1\r\nA: "))
        answer = await client.answer()
        assert (answer.status, answer.code) == (408, "header_timeout")
        assert await client.end() == b""
        await door.all_closed()
        assert not sending.done(), "it would have gone on for ever"
        sending.cancel()


async def drip(client: Client, start: bytes) -> None:
    client.writer.write(start)
    while True:
        await asyncio.sleep(0.02)
        client.writer.write(b"a")


async def test_empty_lines_before_a_request_do_not_stay() -> None:
    async with open_door() as door:
        client = await door.client()
        client.writer.write(b"\r\n" * (MAX_HTTP_HEADER_BYTES // 2 + 1))
        assert (await client.answer()).status == 431


# -- size ------------------------------------------------------------------------------


async def flood(client: Client, start: bytes, part: bytes, most_bytes: int) -> int:
    """Send until the server has had enough; return how many bytes went out."""
    sent = 0
    client.writer.write(start)
    try:
        while sent < most_bytes and not client.reader.at_eof():
            client.writer.write(part)
            sent += len(part)
            await client.writer.drain()
            await asyncio.sleep(0)
    except OSError:
        pass
    return sent


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nA: ", b"x" * 65_536),
        (b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n", b"a: b\r\n" * 10_000),
        (b"GET /api/v1/health HTTP/1.1\r\n", b"x" * 65_536),
        (b"GET /", b"x" * 65_536),
    ],
    ids=["value", "many", "name", "target"],
)
async def test_endless_headers_are_refused_and_not_read_on(start: bytes, part: bytes) -> None:
    async with open_door() as door:
        client = await door.client()
        flooding = asyncio.create_task(flood(client, start, part, 64 * MIB))
        answer = await client.answer()
        wanted = (414, "target_too_long") if start == b"GET /" else (431, "headers_too_large")
        assert (answer.status, answer.code) == wanted
        assert answer.headers["connection"] == "close"
        assert await flooding < MAX_HTTP_REQUEST_BYTES + SOCKET_BYTES


async def test_headers_up_to_their_bounds_are_taken() -> None:
    async with open_door(PATIENT) as door:
        many = [f"X-{n}: 1" for n in range(MAX_HTTP_HEADERS - 1)]
        assert (await door.ask(HEALTH, *many)).status == 200
        answer = await door.ask(HEALTH, *many, "X-More: 1")
        assert (answer.status, answer.code) == (431, "headers_too_large")
        large = "X-Large: " + "x" * (MAX_HTTP_HEADER_BYTES - 200)
        assert (await door.ask(HEALTH, large)).status == 200
        answer = await door.ask(HEALTH, large + "x" * 200)
        assert (answer.status, answer.code) == (431, "headers_too_large")
        target = f"{HEALTH}?".ljust(MAX_HTTP_TARGET_BYTES, "x")
        assert (await door.ask(target)).status == 200
        answer = await door.ask(target + "x")
        assert (answer.status, answer.code) == (414, "target_too_long")


async def test_large_headers_in_one_piece_with_a_body_are_counted_apart() -> None:
    async with open_door(PATIENT) as door:
        body = b'{"account": "alice"}'.ljust(MAX_BODY_BYTES)
        typed = ("Content-Type: application/json", f"Content-Length: {len(body)}")
        path = "/api/v1/session/challenge"
        answer = await door.ask(path, *typed, method="POST", body=body)
        assert answer.code == "no_genesis"
        large = "X-Large: " + "x" * MAX_HTTP_HEADER_BYTES
        answer = await door.ask(path, *typed, large, method="POST", body=body)
        assert (answer.status, answer.code) == (431, "headers_too_large")


@pytest.mark.parametrize("tail", [b"a: b\r\n" * 200, b"a: " + b"x" * 65_536 * 64])
async def test_headers_behind_a_body_are_bounded(tail: bytes) -> None:
    async with open_door() as door:
        client = await door.client()
        chunked = "Transfer-Encoding: chunked"
        client.send(HEALTH, chunked, body=b"1\r\nx\r\n0\r\n")
        assert await flood(client, b"", tail, len(tail)) == len(tail)
        await client.end()
        await door.all_closed()


async def test_an_endless_body_ends_with_the_connection() -> None:
    async with open_door(PATIENT) as door:
        client = await door.client()
        client.send(HEALTH, "Transfer-Encoding: chunked")
        sent = await flood(client, b"", b"1\r\nx\r\n" * 10_000, 64 * MIB)
        assert sent < MAX_HTTP_REQUEST_BYTES + SOCKET_BYTES
        await door.all_closed()


# -- what is no request ----------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"junk\r\n\r\n",
        b"GET /api/v1/health HTTP/3.7\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_malformed(said: bytes) -> None:
    async with open_door(PATIENT) as door:
        client = await door.client()
        client.writer.write(said)
        answer = await client.answer()
        assert (answer.status, answer.code) == (400, "malformed")


async def test_a_body_that_breaks_off_into_junk_is_malformed() -> None:
    async with open_door(PATIENT) as door:
        client = await door.client()
        client.send(
            "/api/v1/orders",
            "Transfer-Encoding: chunked",
            "Content-Type: application/json",
            method="POST",
            body=b"1\r\n{\r\nno length\r\n",
        )
        answer = await client.answer()
        assert (answer.status, answer.code) == (400, "malformed")
        assert await client.end() == b""


async def test_an_upgrade_is_not_taken_but_answered() -> None:
    async with open_door(PATIENT) as door:
        answer = await door.ask(HEALTH, "Connection: upgrade", "Upgrade: websocket")
        assert answer.status == 200


@pytest.mark.parametrize("host", ["attacker.example", "attacker.example:8000", "", "10.0.0.1"])
async def test_another_host_is_refused(host: str) -> None:
    async with open_door(PATIENT, hosts=["market.example"]) as door:
        client = await door.client()
        answer = await client.ask(HEALTH, f"Host: {host}")
        assert (answer.status, answer.code) == (421, "unknown_host")
        for known in ("localhost:1", "127.0.0.1", "x.localhost", "market.example:443"):
            assert (await client.ask(HEALTH, f"Host: {known}")).status == 200


async def test_no_host_is_no_host_of_ours() -> None:
    async with open_door(PATIENT) as door:
        client = await door.client()
        client.writer.write(b"GET /api/v1/health HTTP/1.1\r\n\r\n")
        assert (await client.answer()).code == "unknown_host"


# -- who gets a place ------------------------------------------------------------------


async def signed_in(door: Door) -> str:
    await door.house.open_for_trade()
    headers = await door.house.trader("alice")
    return f"Authorization: {headers['Authorization']}"


async def test_one_address_leaves_places_for_health_and_signed_in_people() -> None:
    async with open_door(PATIENT) as door:
        alice = await signed_in(door)
        held = await door.hold(OPEN_OF_ONE)
        answer = await door.ask("/api/v1/venue")
        assert (answer.status, answer.code) == (503, "busy")
        assert int(answer.headers["retry-after"]) > 0
        forged = alice[:-2] + ("aa" if alice[-2:] != "aa" else "bb")
        assert (await door.ask("/api/v1/session", forged)).status == 503
        assert (await door.ask(HEALTH)).status == 200
        assert (await door.ask("/api/v1/session", alice)).status == 200
        assert (await door.ask("/api/v1/orders", method="POST")).status == 503
        held[0].writer.close()
        door.held.go.set()
        for client in held[1:]:
            assert (await client.answer()).body == b"held"
        assert (await door.ask("/api/v1/venue")).status == 200


async def test_a_refused_connection_may_ask_again() -> None:
    async with open_door(PATIENT) as door:
        await door.hold(OPEN_OF_ONE)
        client = await door.client()
        assert (await client.ask("/api/v1/venue")).status == 503
        door.held.go.set()
        await wait_until(lambda: door.shared.admission.under_way == 0)
        assert (await client.ask("/api/v1/venue")).status == 200


async def test_who_asks_and_leaves_still_has_a_request_under_way() -> None:
    async with open_door(PATIENT) as door:
        for client in await door.hold(OPEN_OF_ONE):
            client.writer.close()
        await door.all_closed()
        assert door.shared.admission.under_way == OPEN_OF_ONE
        assert (await door.ask("/api/v1/venue")).status == 503
        door.held.go.set()
        await wait_until(lambda: door.shared.admission.under_way == 0)
        assert (await door.ask("/api/v1/venue")).status == 200


async def test_behind_a_trusted_proxy_each_client_has_its_own_share() -> None:
    bounds = replace(PATIENT, connections=60)
    async with open_door(bounds, proxies=["127.0.0.1"]) as door:
        await door.hold(OPEN_OF_ONE, "X-Forwarded-For: 6.6.6.6, 203.0.113.7")
        answer = await door.ask("/api/v1/venue", "X-Forwarded-For: 203.0.113.7")
        assert answer.status == 503
        assert (await door.ask("/api/v1/venue", "X-Forwarded-For: 203.0.113.8")).status == 200
        await door.hold(OPEN_OF_ONE + 5)


async def test_who_is_no_proxy_speaks_for_itself() -> None:
    async with open_door(PATIENT) as door:
        await door.hold(OPEN_OF_ONE - 1, "X-Forwarded-For: 203.0.113.7")
        await door.hold(1, "X-Forwarded-For: 203.0.113.8")
        answer = await door.ask("/api/v1/venue", "X-Forwarded-For: 203.0.113.9")
        assert answer.status == 503


# -- answers ---------------------------------------------------------------------------


async def test_requests_in_a_row_are_answered_in_their_order() -> None:
    async with open_door(PATIENT) as door:
        client = await door.client()
        for path in ("/api/v1/held", HEALTH, "/api/v1/none"):
            client.send(path)
        door.held.go.set()
        assert [(await client.answer()).status for _ in range(3)] == [200, 200, 404]
        assert (await client.ask(HEALTH)).status == 200


async def test_more_requests_in_a_row_end_the_connection_with_the_first_answer() -> None:
    async with open_door(PATIENT) as door:
        (client,) = await door.hold(1)
        request = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        client.writer.write(request * (MAX_PIPELINED + 1))
        await wait_until(lambda: any(one._is_refused for one in protocols(door)))
        door.held.go.set()
        assert (await client.answer()).body == b"held"
        assert await client.end() == b""
        await door.all_closed()


def protocols(door: Door) -> Iterator[Any]:
    yield from door.shared.admission._all.connections


async def test_answers_that_nobody_reads_are_dropped() -> None:
    bounds = replace(BOUNDS, unsent_timeout_s=1, header_timeout_s=0.2)
    async with open_door(bounds) as door:
        for _ in range(6):
            (await door.client()).send("/api/v1/large")
        await wait_until(lambda: len(door.shared.unsent) == 6, what="all wait to be read")
        await door.all_closed()
        assert door.shared.unsent == {}


async def test_all_unread_answers_together_are_bounded() -> None:
    bounds = replace(
        BOUNDS, header_timeout_s=0.2, unsent_timeout_s=WITHIN_S, unsent_bytes=2 * LARGE_BYTES
    )
    async with open_door(bounds) as door:
        for _ in range(6):
            (await door.client()).send("/api/v1/large")
        await wait_until(lambda: door.held.count == 6, what="all are answered")

        def is_bounded() -> bool:
            held = sum(one.transport.get_write_buffer_size() for one in door.shared.unsent)
            return door.connections < 6 and held <= bounds.unsent_bytes

        await wait_until(is_bounded, what="the oldest are dropped")
        assert door.shared.unsent, "the latest goes on"


async def test_who_reads_slowly_gets_all_of_it() -> None:
    async with open_door(replace(BOUNDS, unsent_timeout_s=WITHIN_S)) as door:
        client = await door.client()
        client.send("/api/v1/large")
        await wait_until(lambda: len(door.shared.unsent) == 1)
        await asyncio.sleep(2 * BOUNDS.header_timeout_s)
        assert (await client.answer()).body == bytes(LARGE_BYTES)


async def test_each_refusal_is_logged_under_its_correlation_id() -> None:
    async with open_door(PATIENT) as door:
        with structlog.testing.capture_logs() as lines:
            answers = [
                await door.ask(HEALTH, "Host: attacker.example"),
                await door.ask(HEALTH, *(f"X-{n}: 1" for n in range(MAX_HTTP_HEADERS))),
            ]
        refused = [line for line in lines if line["event"] == "request refused"]
        assert [line["correlation_id"] for line in refused] == [
            answer.headers["x-correlation-id"] for answer in answers
        ]
        assert [(line["status"], line["code"]) for line in refused] == [
            (421, "unknown_host"),
            (431, "headers_too_large"),
        ]


async def test_a_request_that_the_end_cuts_off_is_told() -> None:
    async with open_door(PATIENT) as door:
        client = Client(*await asyncio.open_connection("127.0.0.1", door.port))
        client.send("/api/v1/held")
        await wait_until(lambda: door.held.count == 1)
        door.held.go = asyncio.Event()  # what it waits for never comes
    answer = await client.answer()
    assert (answer.status, answer.code) == (503, "busy")
    client.writer.close()


async def test_a_served_client_may_come_back_later_than_a_silent_one_is_closed() -> None:
    async with open_door(replace(BOUNDS, header_timeout_s=0.2, idle_timeout_s=60)) as door:
        served, silent = await door.client(), await door.client()
        assert (await served.ask(HEALTH)).status == 200
        assert await silent.end() == b""
        await asyncio.sleep(1)
        assert (await served.ask(HEALTH)).status == 200


async def test_who_does_not_come_back_is_closed_in_the_end() -> None:
    async with open_door(replace(BOUNDS, header_timeout_s=0.2, idle_timeout_s=1)) as door:
        client = await door.client()
        assert (await client.ask(HEALTH)).status == 200
        assert await client.end() == b""
