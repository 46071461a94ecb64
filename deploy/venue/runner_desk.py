"""The runners' desk for the gateway: the process that has the browser's queue, over the broker."""

from typing import Final

import msgspec
from nats.aio.client import Client

from schemas import subjects
from schemas.codec import encode
from schemas.errors import Busy, LogUnavailable
from schemas.runners import (
    RUNNERS,
    DeskTold,
    ReportGiven,
    RunnerJob,
    RunnerReport,
    WorkAsked,
)
from streams.ingest.limits import RUNNER_ASK_S
from streams.log.nats_requests import ask

_PATIENCE_S: Final = 2 * RUNNER_ASK_S
"""One that asks may have to wait for its turn to wait."""
_decode: Final = msgspec.json.Decoder(DeskTold).decode


class NatsRunnerDesk:
    """Implements `RunnerDesk` on `connection`, whose inbox is where the desk may answer."""

    def __init__(self, connection: Client, shard: str) -> None:
        self._connection = connection
        self._subject = subjects.ask(shard, RUNNERS)

    async def take(self, runner: str) -> RunnerJob | None:
        """Return a job for `runner`. See `RunnerDesk`."""
        return (await self._told(WorkAsked(runner))).job

    async def report(self, runner: str, report: RunnerReport) -> bool:
        """Hand in `report`. See `RunnerDesk`."""
        return (await self._told(ReportGiven(runner, report))).taken

    async def _told(self, asked: WorkAsked | ReportGiven) -> DeskTold:
        answer = await ask(self._connection, self._subject, encode(asked), _PATIENCE_S)
        try:
            told = _decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise LogUnavailable("the desk answers in another version") from error
        if told.problem == "busy":
            raise Busy("too many runners ask at once")
        if told.problem:
            raise LogUnavailable("the desk does not answer")
        return told
