"""The status of a venue: the last heartbeat of every process, the log's end, the last seal."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from deploy.limits import MAX_STATUS_PROCESSES
from schemas import subjects
from schemas.events.notary import Sealed
from schemas.records import EVENT_MESSAGES
from streams.log.nats_log import NatsLog

_SILENT_AFTER_S: Final = 5


class StatusBoard:
    """The last heartbeat of every process."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, dict[str, Any]]] = {}

    async def heard(self, message: Msg) -> None:
        """Note a heartbeat."""
        name = subjects.last_token(message.subject)
        if name in self._last or len(self._last) < MAX_STATUS_PROCESSES:
            self._last[name] = (time.monotonic(), msgspec.json.decode(message.data))

    def processes(self) -> dict[str, dict[str, Any]]:
        """Return each process's last words, and how many seconds ago they were."""
        now = time.monotonic()
        return {
            name: {
                **status,
                "alive": now - heard < _SILENT_AFTER_S,
                "silent_s": round(now - heard, 1),
            }
            for name, (heard, status) in sorted(self._last.items())
        }


async def status_board(connection: Client, shard: str) -> StatusBoard:
    """Return a board that listens to all heartbeats of the shard on `connection`."""
    board = StatusBoard()
    await connection.subscribe(subjects.status(shard, "*"), cb=board.heard)
    return board


class VenueStatus:
    """What `GET /status` answers; `not_started` says which processes do not run here."""

    def __init__(
        self, board: StatusBoard, log: NatsLog, not_started: Callable[[], Mapping[str, str]]
    ) -> None:
        self._board = board
        self._log = log
        self._not_started = not_started

    async def status(self) -> dict[str, Any]:
        """Return each process's last heartbeat, the log's size and its last seal."""
        return {
            "log": {"shard": self._log.shard, **await self._log.stream.size()},
            "last_seal": await _last_seal(self._log),
            "processes": self._board.processes(),
            "absent": dict(self._not_started()),
        }


async def _last_seal(log: NatsLog) -> dict[str, Any] | None:
    stored = await log.last(subjects.events(log.shard, subjects.NOTARY))
    if stored is None:
        return None
    record = EVENT_MESSAGES.decode(stored.payload)
    last = [event for event in record.events if isinstance(event, Sealed)][-1]
    return {
        "sequence": stored.sequence,
        "through": last.through,
        "chain": last.chain,
        "time_ns": record.time_ns,
    }
