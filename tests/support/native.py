"""The native door by hand: what the server says to each line of a stranger's program."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from schemas import signatures

ANSWER_WITHIN_S = 15


class Raw:
    """A connection in protocol lines: the server's complaint on each is known for sure."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def stop_reading(self) -> None:
        """Leave what the server sends in the socket's buffers."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def said(self, line: str | bytes) -> str:
        """Send a line and return the server's complaint about it, "" if it has none."""
        self._writer.write((line if isinstance(line, bytes) else line.encode()) + b"\r\nPING\r\n")
        # not by wait_for, which until Python 3.12 may lose a cancellation
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await self._complaint()

    async def _complaint(self) -> str:
        complaint = ""
        while True:
            answer = await self._reader.readline()
            words = answer.split()
            match words[:1]:
                case [b"PONG"]:
                    return complaint
                case [b"-ERR"]:
                    complaint = answer.decode()
                case [b"MSG" | b"HMSG"]:
                    await self._reader.readexactly(int(words[-1]) + 2)
                case []:
                    raise ConnectionError(complaint or "the server hung up")

    async def may_publish(self, subject: str) -> bool:
        """Publish an empty message and tell whether the server let it pass."""
        complaint = await self.said(f"PUB {subject} 0\r\n")
        assert not complaint or "Permissions Violation for Publish" in complaint
        return not complaint

    async def may_subscribe(self, subject: str, queue: str = "") -> bool:
        """Subscribe for a moment and tell whether the server let it."""
        complaint = await self.said(f"SUB {subject} {queue} 1")
        assert not complaint or "Permissions Violation for Subscription" in complaint
        await self.said("UNSUB 1")
        return not complaint


@asynccontextmanager
async def raw(port: int, seed: str, name: str, *, address: str = "127.0.0.1") -> AsyncIterator[Raw]:
    """Log in with an nkey, from a loopback address. Raises ConnectionError if it is refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        info = json.loads((await reader.readline()).removeprefix(b"INFO ") or b"{}")
        if "nonce" not in info:
            raise ConnectionError("hung up before the login")
        options = {
            "verbose": False,
            "pedantic": False,
            "lang": "test",
            "version": "1",
            "protocol": 1,
            "headers": True,
            "name": name,
            "nkey": signatures.public_key(seed),
            "sig": signatures.sign(seed, info["nonce"].encode()),
        }
        connection = Raw(reader, writer)
        complaint = await connection.said(f"CONNECT {json.dumps(options)}")
        if complaint:
            raise ConnectionError(complaint)
        yield connection
    finally:
        writer.close()
        with suppress(OSError):  # the server may have hung up on it
            await writer.wait_closed()
