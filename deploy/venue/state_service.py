"""Time travel for the read API: engines are folded in a process of their own.

Folding computes for up to seconds, and the gateway takes orders meanwhile. So the gateway asks
`processes/state_service.py`, one line at a time, and starts it at the first question. That
process ends when the gateway does: its standard input is closed.
"""

import asyncio
import sys
from collections import OrderedDict
from typing import Any

import msgspec
import structlog

from deploy.limits import (
    MAX_TRAVEL_WAITING,
    MAX_TRAVEL_WAITING_OF_ONE,
    TRAVEL_ANSWER_S,
    TRAVEL_MOMENTS_KEPT,
)
from deploy.venue.paths import VenuePaths
from projections.api.at import EngineState, StateAt
from projections.api.fair_queue import FairQueue
from replay.travel.snapshot_store import TravelSnapshotFolder
from replay.travel.travel import EngineStates
from schemas import subjects
from schemas.codec import encode
from schemas.errors import LogUnavailable
from streams.log.ports import Log

log = structlog.get_logger(__name__)

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def snapshot_stores(paths: VenuePaths) -> dict[str, TravelSnapshotFolder]:
    """Return the folder of each engine's travel snapshots."""
    folder = paths.home.snapshots / "travel" / paths.shard
    return {name: TravelSnapshotFolder(folder, name) for name in subjects.ENGINES}


def answer_of(states: EngineStates) -> bytes:
    """Return a line that says where the engines are."""
    return encode({"state": states}) + b"\n"


def refusal_of(code: str, message: str) -> bytes:
    """Return a line that says why there is no answer."""
    return encode({"error": [code, message]}) + b"\n"


class StateService:
    """Has states folded, and remembers them. Knows the log's end."""

    def __init__(self, log_: Log) -> None:
        self._log = log_
        self._child: asyncio.subprocess.Process | None = None
        self._queue = FairQueue(MAX_TRAVEL_WAITING, MAX_TRAVEL_WAITING_OF_ONE)
        self._known: OrderedDict[int, StateAt] = OrderedDict()

    async def last_sequence(self) -> int:
        return await self._log.last_sequence()

    async def subject_at(self, sequence: int) -> str | None:
        """Return the subject of the message at `sequence`, None if there is no message."""
        message = await self._log.get(sequence)
        return None if message is None else message.subject

    async def state_at(self, sequence: int, caller: str) -> StateAt:
        """Return the engines' states as of `sequence`.

        Raises LogUnavailable if it cannot, at once when MAX_TRAVEL_WAITING already wait, or
        MAX_TRAVEL_WAITING_OF_ONE of `caller`.
        """
        known = self._known.get(sequence)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(TRAVEL_ANSWER_S), self._queue.turn(caller):
                known = self._known.get(sequence) or await self._ask(sequence)
        except TimeoutError as error:
            raise LogUnavailable("the state is not folded yet") from error
        self._known[sequence] = known
        if len(self._known) > TRAVEL_MOMENTS_KEPT:
            self._known.popitem(last=False)
        return known

    async def close(self) -> None:
        """End the process, if there is one."""
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            child.kill()
            await child.wait()

    async def _ask(self, sequence: int) -> StateAt:
        try:
            child = await self._started()
            assert child.stdin is not None and child.stdout is not None
            child.stdin.write(b"%d\n" % sequence)
            await child.stdin.drain()
            line = await child.stdout.readline()
        except OSError as error:
            await self.close()
            raise LogUnavailable("states cannot be folded now") from error
        except BaseException:
            # its answer would be taken for that to the next question
            await self.close()
            raise
        if not line:
            await self.close()
            raise LogUnavailable("states cannot be folded now: see gateway.log")
        return _state(_decode(line))

    async def _started(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "deploy.processes.state_service",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        return self._child


def _state(answer: dict[str, Any]) -> StateAt:
    if "error" in answer:
        code, message = answer["error"]
        log.warning("state not folded", code=code, reason=message)
        raise LogUnavailable(f"the state cannot be folded: {code}")
    sequence, time_ns, state_hash, engines = answer["state"]
    return StateAt(sequence, time_ns, state_hash, tuple(EngineState(*one) for one in engines))
