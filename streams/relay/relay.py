"""The relay: hears the commands of native clients, and puts them on the log."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from schemas import subjects
from schemas.commands import ORDER_COMMANDS
from schemas.errors import Busy, EverythingError, LogUnavailable
from streams.accounts.quotas import Quotas, may_rest
from streams.accounts.rate_limiter import Buckets, per_second
from streams.log.appender import GroupAppender
from streams.log.clock import SteadyClock
from streams.log.cursor import retried
from streams.log.nats_wire import Wire
from streams.log.ports import Clock, Log
from streams.relay import answers
from streams.relay.headers import check_headers
from streams.relay.limits import DIAL_PAUSE_MS, HELD_S, TOLD_REFUSALS_BURST, TOLD_REFUSALS_PER_S
from streams.relay.lines import Lines

_QUEUE_GROUP: Final = "relay"
_MILLISECONDS: Final = 1_000
_log = structlog.get_logger(__name__)

Dial = Callable[[], Awaitable[Wire]]


class _Command:
    """One command on its way, and where its answer goes."""

    __slots__ = ("_relay", "_reply", "account", "deadline", "payload", "subject")

    def __init__(
        self, relay: "Relay", account: str, subject: str, payload: bytes, reply: bytes
    ) -> None:
        self._relay: Relay | None = relay
        self._reply = reply
        self.account = account
        self.subject = subject
        self.payload = payload
        self.deadline = time.monotonic() + HELD_S

    def succeed(self, sequence: int) -> None:
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.stored(self._reply, sequence)

    def fail(self, error: EverythingError) -> None:
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.refused(self.account, self._reply, error)


class _Fresh:
    """The lines, without what has waited too long."""

    def __init__(self) -> None:
        self.lines: Lines[_Command] = Lines()

    def take(self) -> list[_Command]:
        """Return the next group, and refuse what nobody expects to be carried out any more."""
        while group := self.lines.take():
            now = time.monotonic()
            fresh = [one for one in group if one.deadline > now]
            if len(fresh) < len(group):
                for one in group:
                    if one.deadline <= now:
                        one.fail(Busy("the command waited too long; nothing was done"))
            if fresh:
                return fresh
        return []


class Relay:
    """Carries commands until cancelled, over one connection after the other.

    `dial` connects as the role of that name. `quotas` are counted on the way in.
    """

    def __init__(self, log: Log, dial: Dial, quotas: Quotas, clock: Clock) -> None:
        self._shard: Final = log.shard
        self._stream: Final = subjects.log_stream(log.shard)
        self._dial: Final = dial
        self._quotas: Final = quotas
        self._clock: Final = clock
        self._queue: Final = _Fresh()
        self._groups: Final = GroupAppender(log, self._queue)
        self._refusals: Final = Buckets(SteadyClock())
        self._heard: Final = subjects.order_door(log.shard, "*")
        self._prefix: Final = len(self._heard) - 1
        self._wire: Wire | None = None
        self._answers: list[bytes] = []
        self._appended = 0
        self._refused = 0
        self.is_heard = False
        """Whether clients are heard at the moment: the server knows of the subscription."""

    @property
    def status(self) -> dict[str, int]:
        """What a heartbeat says of it."""
        lines = self._queue.lines
        return {
            "hears": self.is_heard,
            "waiting": len(lines),
            "accounts_waiting": lines.accounts,
            "appended": self._appended,
            "refused": self._refused,
        }

    async def run(self) -> None:
        """Hear commands until cancelled, then carry out and answer what has been heard.

        Connects again, a bounded number of times, when the connection is lost. Raises
        LogUnavailable once its attempts are used up.
        """
        while True:
            wire = await retried(self._dial, self._clock)
            try:
                await self._serve(wire)
            except LogUnavailable as error:
                _log.warning("no commands are heard", error=str(error))
            finally:
                self.is_heard = False
                await wire.close()
            await self._clock.sleep(DIAL_PAUSE_MS / _MILLISECONDS)

    async def _serve(self, wire: Wire) -> None:
        """Hear commands on `wire` until it is lost. Raises LogUnavailable."""
        lost = asyncio.Event()
        wire.when_lost(lost.set)
        self._wire = wire
        heard = wire.subscribe(self._heard, self._arrived, queue=_QUEUE_GROUP)
        try:
            await wire.flush()
            self.is_heard = True
            _log.info("commands are heard")
            await lost.wait()
            raise LogUnavailable("the connection is lost")
        except asyncio.CancelledError:
            await self._leave(wire, heard)
            raise

    async def _leave(self, wire: Wire, heard: bytes) -> None:
        """Carry out what the server has handed over, so that no sender is left in doubt."""
        with suppress(LogUnavailable):
            await wire.leave(heard)
        await self._groups.finish()
        self._flush()
        with suppress(LogUnavailable):
            await wire.drain()
        _log.info("no more commands are heard", **self.status)

    def _arrived(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        account = subject[self._prefix :].decode()
        command = _Command(
            self, account, subjects.order_command(self._shard, account), payload, reply
        )
        try:
            if header:
                check_headers(header, self._stream)
            asked = ORDER_COMMANDS.decode(payload)
            self._quotas.admit_command(account, len(payload))
            self._quotas.admit_orders_now(account, may_rest(asked))
            self._queue.lines.put(command)
        except EverythingError as error:
            command.fail(error)
        else:
            self._groups.wake()

    def stored(self, reply: bytes, sequence: int) -> None:
        """Tell who asked that the command is on the log."""
        self._appended += 1
        if reply:
            self._answer(reply, answers.stored(self._stream, sequence, self._shard))

    def refused(self, account: str, reply: bytes, error: EverythingError) -> None:
        """Tell who asked why the command is not on the log, or not known to be there."""
        self._refused += 1
        rate = per_second(TOLD_REFUSALS_PER_S, TOLD_REFUSALS_BURST)
        if reply and not self._refusals.take(account, rate):
            self._answer(reply, answers.refused(error))

    def _answer(self, reply: bytes, answer: bytes) -> None:
        if not self._answers:
            # Answers that are ready now leave in one write.
            asyncio.get_running_loop().call_soon(self._flush)
        self._answers.append(b"PUB %b %d\r\n%b\r\n" % (reply, len(answer), answer))

    def _flush(self) -> None:
        said, self._answers = b"".join(self._answers), []
        if said and self._wire is not None:
            try:
                self._wire.write(said)
            except LogUnavailable:
                _log.warning("answers are lost with the connection", bytes=len(said))
