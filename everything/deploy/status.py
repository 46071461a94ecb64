"""How the processes of a venue are: heartbeats over the broker, and GET /status.

A heartbeat is a core NATS message on `status.<shard>.<process>`: news, not history, so it
is on no stream. Where it stops, the process has stopped, and `/status` says for how long.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
import nats
from fastapi import APIRouter
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from everything.schemas import subjects
from everything.schemas.codec import encode
from everything.schemas.errors import LogUnavailable
from everything.schemas.limits import MAX_STATUS_PROCESSES, STATUS_EVERY_S
from everything.schemas.records import EVENT_MESSAGES
from everything.schemas.events.notary import Sealed
from everything.streams.log.ports import Log

_SILENT_AFTER_S: Final = 5


async def _ignore(_: Exception) -> None:
    """A heartbeat that is not heard is no error of the process that sends it."""


async def _connect(url: str, login: dict[str, str]) -> Client:
    try:
        return await nats.connect(
            url,
            name=f"{login['name']}.status",
            nkeys_seed_str=login["seed"],
            inbox_prefix=login["inbox_prefix"],
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,
            error_cb=_ignore,
        )
    except (NatsError, OSError, TimeoutError) as error:
        raise LogUnavailable(f"the broker cannot be reached: {error}") from error


class Heartbeat:
    """One process's heartbeat."""

    def __init__(self, connection: Client, subject: str) -> None:
        self._connection = connection
        self._subject = subject
        self._beating: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, url: str, shard: str, role: str, login: dict[str, str]) -> "Heartbeat":
        return cls(await _connect(url, login), subjects.status(shard, role))

    async def beat(self, status: dict[str, Any]) -> None:
        """Say once how the process is."""
        if self._connection.is_connected:
            await self._connection.publish(self._subject, encode(status))

    def every_second(self, status: Callable[[], dict[str, Any]]) -> None:
        """Go on saying what `status` returns, every STATUS_EVERY_S."""

        async def beating() -> None:
            while True:
                with contextlib.suppress(NatsError):
                    await self.beat(status())
                await asyncio.sleep(STATUS_EVERY_S)

        self._beating = asyncio.create_task(beating())

    async def aclose(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
        await self._connection.close()


class StatusBoard:
    """The last heartbeat of every process."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, dict[str, Any]]] = {}
        self._close: Callable[[], Awaitable[None]] | None = None

    @classmethod
    async def start(cls, url: str, shard: str, login: dict[str, str]) -> "StatusBoard":
        board = cls()
        connection = await _connect(url, login)
        await connection.subscribe(subjects.status(shard, "*"), cb=board._heard)
        board._close = connection.close
        return board

    async def _heard(self, message: Msg) -> None:
        name = subjects.last_token(message.subject)
        if name in self._last or len(self._last) < MAX_STATUS_PROCESSES:
            self._last[name] = (time.monotonic(), msgspec.json.decode(message.data))

    def processes(self) -> dict[str, dict[str, Any]]:
        """Return each process's last words, and how long ago in seconds they were."""
        now = time.monotonic()
        return {
            name: {
                **status,
                "silent_s": round(now - heard, 1),
                "alive": now - heard < _SILENT_AFTER_S,
            }
            for name, (heard, status) in sorted(self._last.items())
        }

    async def aclose(self) -> None:
        if self._close is not None:
            await self._close()


def create_status_router(board: StatusBoard, log: Log) -> APIRouter:
    """Return GET /status: every process, the log's end, the last seal."""
    router = APIRouter(tags=["venue"])

    @router.get("/status", summary="How every process is")
    async def status() -> dict[str, Any]:
        """Return each process's last heartbeat, the log's last sequence and the last seal."""
        return {
            "log": {"shard": log.shard, **await log.size()},
            "last_seal": await last_seal(log),
            "processes": board.processes(),
        }

    return router


async def last_seal(log: Log) -> dict[str, Any] | None:
    """Return the notary's last seal, None before the first."""
    stored = await log.last(subjects.events(log.shard, subjects.NOTARY))
    if stored is None:
        return None
    record = EVENT_MESSAGES.decode(stored.payload)
    seals = [event for event in record.events if isinstance(event, Sealed)]
    last = seals[-1]
    return {
        "sequence": stored.sequence,
        "through": last.through,
        "chain": last.chain,
        "time_ns": record.time_ns,
    }
