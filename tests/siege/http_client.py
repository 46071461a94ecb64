"""HTTP by bare bytes, from any loopback address: a client library would keep to the rules."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from schemas import signatures
from schemas.sessions import opening_text
from tests.siege.ground import HOST, Acting, Login

ANSWER_WITHIN_S: Final = 30
_READ: Final = 64 * 1024


class HttpClient:
    """One connection."""

    def __init__(
        self, acting: Acting, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._acting = acting
        self.reader = reader
        self.writer = writer

    async def answer(self) -> tuple[int, bytes]:
        """Read one answer; note its status, and its code where it is an error."""
        async with asyncio.timeout(ANSWER_WITHIN_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            body = await self.reader.readexactly(length)
        status = int(head[9:12])
        self._acting.tally.note(f"{status} {_code(body)}".strip() if status >= 400 else "served")
        return status, body

    async def ask(
        self, method: str, path: str, body: object = None, *headers: str
    ) -> tuple[int, bytes]:
        """Send a request and read its answer."""
        self.writer.write(request(method, path, body, *headers))
        await self.writer.drain()
        return await self.answer()

    async def drain_until_closed(self) -> None:
        """Read on until the other side closes."""
        with suppress(OSError):
            while await self.reader.read(_READ):
                pass


def _code(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "without an envelope"


def request(method: str, path: str, body: object = None, *headers: str) -> bytes:
    """Return the bytes of a request; `body` is JSON, or bytes as they are."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", *headers]
    if not any(header.startswith("Host:") for header in headers):
        lines.append("Host: localhost")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data


@asynccontextmanager
async def connected(acting: Acting, address: str) -> AsyncIterator[HttpClient]:
    """Give a connection to the gateway from `address`."""
    reader, writer = await asyncio.open_connection(
        HOST, acting.ground.http_port, local_addr=(address, 0)
    )
    try:
        yield HttpClient(acting, reader, writer)
    finally:
        writer.transport.abort()


async def proof(client: HttpClient, login: Login) -> dict[str, Any] | None:
    """Return the body that opens a session, None if there was no challenge."""
    status, answer = await client.ask(
        "POST", "/api/v1/session/challenge", {"account": login.account}
    )
    if status != 200:
        return None
    challenge = json.loads(answer)
    text = opening_text(login.account, challenge["nonce"], challenge["venue_id"])
    signature = signatures.sign(login.seed, text)
    return {"account": login.account, "nonce": challenge["nonce"], "signature": signature}


async def token(client: HttpClient, login: Login) -> str | None:
    """Open a session and return its token, None if it was refused."""
    opening = await proof(client, login)
    if opening is None:
        return None
    status, answer = await client.ask("POST", "/api/v1/session", opening)
    return str(json.loads(answer)["token"]) if status == 200 else None
