"""One JetStream stream: questions about it, over a connection that is made again when lost."""

import asyncio
from base64 import b64decode
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from schemas.codec import encode
from schemas.errors import LogDiverged, LogGap, LogUnavailable, OperatingError
from schemas.limits import CONNECT_ATTEMPTS, CONNECT_PAUSE_S, LOG_REQUEST_ATTEMPTS
from schemas.stored import Stored
from streams.log.nats_wire import SEQUENCE_HEADER, Reply, Wire, header_value

_FIRST_PAUSE_S: Final = 0.05
_NO_MESSAGE: Final = 10037
_MAY_BE_EMPTY: Final = (0, 404)
"""What a direct get answers for a message without payload, and for one that is not there."""
_decode: Final = msgspec.json.Decoder().decode

Dial = Callable[[], Awaitable[Wire]]


class NatsStream:
    """The stream `name`, whose subjects all begin with `prefix`.

    In a `dense` stream no message may be missing. `dial` makes a connection.
    """

    def __init__(self, dial: Dial, name: str, prefix: str, *, dense: bool) -> None:
        self.name = name
        self.prefix = prefix
        self.dense = dense
        self.floor = 0
        """The highest sequence that this client knows to be taken."""
        self._dial = dial
        self._wire: Wire | None = None
        self._dialling: asyncio.Task[Wire] | None = None
        self._on_lost: list[Callable[[], None]] = []
        self._closed = False

    # -- messages --------------------------------------------------------------------

    async def get(self, sequence: int) -> Stored | None:
        """Return the message at `sequence`, or None if there is none."""
        return await self._get({"seq": sequence}) if sequence > 0 else None

    async def last(self, subject: str, at: int | None = None) -> Stored | None:
        """Return the last message on exactly `subject`, or that as of sequence `at`.

        Only a direct get knows `at`. In a cluster any replica may answer it, and one that lags
        says that there is no message. Therefore nothing that decides may rely on `at`.
        """
        if at is None:
            found = await self._get({"last_by_subj": subject})
            return found if found is not None and found.subject == subject else None  # no wildcards
        if at < 1:
            return None
        found = await self._direct({"multi_last": [subject], "up_to_seq": at})
        if found is None:  # the server says so too when the log ends before `at`
            newest = await self.last(subject)
            return newest if newest is not None and newest.sequence <= at else None
        return found if found.subject == subject else None

    async def _direct(self, which: dict[str, object]) -> Stored | None:
        """Return the first message that a direct get finds."""
        subject = f"$JS.API.DIRECT.GET.{self.name}"
        reply = await self._reply(subject, encode(which), _MAY_BE_EMPTY)
        sequence = header_value(reply.header, SEQUENCE_HEADER)
        if not sequence:
            return None
        return Stored(int(sequence), header_value(reply.header, b"Nats-Subject"), reply.payload)

    async def _get(self, which: dict[str, object]) -> Stored | None:
        """Ask the stream's leader, never a replica, which may lag."""
        answer = await self.ask(f"$JS.API.STREAM.MSG.GET.{self.name}", encode(which))
        error = answer.get("error")
        if error is None:
            message = answer["message"]
            return Stored(message["seq"], message["subject"], b64decode(message.get("data", "")))
        if error.get("err_code") == _NO_MESSAGE:
            return None
        raise LogUnavailable(f"{self.name}: {error.get('description')}")

    # -- its state -------------------------------------------------------------------

    async def last_sequence(self) -> int:
        """Return the sequence of the last message, 0 for an empty stream."""
        state = await self._state()
        return int(state["last_seq"])

    async def size(self) -> dict[str, int]:
        """Return how many messages and bytes the stream holds."""
        state = await self._state()
        return {"messages": int(state["messages"]), "bytes": int(state["bytes"])}

    async def check_past(self, after: int, known: Stored | None) -> None:
        """Raise LogDiverged unless the stream reaches `after` and still holds `known`."""
        end = await self.last_sequence()
        if end < after:
            raise LogDiverged(f"{self.name} ends at {end}, but {after} was on it")
        if known is not None:
            found = await self.get(known.sequence)
            if found is None and not self.dense:
                return  # the message was too old and the server removed it
            if found != known:
                raise LogDiverged(f"{self.name}: sequence {known.sequence} is not what it was")

    async def _state(self) -> dict[str, Any]:
        """Return the stream's state.

        Raises LogGap when messages are missing, LogDiverged when the end moved back.
        """
        known = self.floor  # an append may be acked before the answer comes
        answer = await self.ask(f"$JS.API.STREAM.INFO.{self.name}")
        error = answer.get("error")
        if error is not None:
            raise LogUnavailable(f"{self.name}: {error.get('description')}")
        state: dict[str, Any] = answer["state"]
        end, held = state["last_seq"], state["messages"]
        if end < known:
            raise LogDiverged(f"{self.name} ends at {end}, but {known} was on it")
        self.floor = max(self.floor, end)
        if self.dense and held != end:
            raise LogGap(f"{self.name} has {held} messages up to sequence {end}")
        return state

    async def ask(self, subject: str, payload: bytes = b"") -> dict[str, Any]:
        """Ask the JetStream API, again on a new connection if need be.

        Only for questions that may be asked twice. Raises LogUnavailable after
        LOG_REQUEST_ATTEMPTS.
        """
        answer: dict[str, Any] = _decode((await self._reply(subject, payload)).payload)
        return answer

    async def _reply(self, subject: str, payload: bytes, empty: Sequence[int] = ()) -> Reply:
        """Return the answer to a question: one with content or with a status in `empty`."""
        failure: OperatingError | None = None
        for attempt in range(LOG_REQUEST_ATTEMPTS):
            if attempt:
                await asyncio.sleep(_FIRST_PAUSE_S * 2**attempt)
            wire = await self.wire()
            try:
                reply = await wire.request(subject, payload)
            except LogUnavailable as error:
                failure = error
                continue
            if reply.payload or reply.status in empty:
                return reply
            failure = LogUnavailable(f"{subject}: status {reply.status}")
            if reply.status == 403:
                break
        raise failure or LogUnavailable(subject)

    # -- the connection ----------------------------------------------------------------

    @property
    def live_wire(self) -> Wire | None:
        """The connection, None while there is none."""
        return None if self._wire is None or self._wire.lost else self._wire

    async def wire(self) -> Wire:
        """Return the live connection, waiting for a new one if it was lost.

        Raises LogUnavailable after CONNECT_ATTEMPTS.
        """
        if self._closed:
            raise LogUnavailable("the log is closed")
        live = self.live_wire
        return live if live is not None else await asyncio.shield(self.redial())

    def redial(self) -> "asyncio.Task[Wire]":
        """Start to make a new connection, if that is not under way."""
        if self._dialling is None or self._dialling.done():
            self._dialling = asyncio.get_running_loop().create_task(self._connect())
            # Asyncio must not report a failure for which nobody waits.
            self._dialling.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._dialling

    def when_lost(self, callback: Callable[[], None]) -> None:
        """Call `callback` each time that the connection is lost."""
        self._on_lost.append(callback)

    async def _connect(self) -> Wire:
        pause = _FIRST_PAUSE_S
        for attempt in range(CONNECT_ATTEMPTS):
            try:
                wire = await self._dial()
            except LogUnavailable:
                if attempt + 1 == CONNECT_ATTEMPTS:
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, CONNECT_PAUSE_S)
                continue
            self._wire = wire
            wire.when_lost(self._lost)
            return wire
        raise LogUnavailable("no attempt to connect was made")

    def _lost(self) -> None:
        if not self._closed:
            self.redial()
        for callback in self._on_lost:
            callback()

    async def stop_dialling(self) -> None:
        """Make no further connection."""
        self._closed = True
        if self._dialling is not None:
            self._dialling.cancel()
            await asyncio.gather(self._dialling, return_exceptions=True)

    async def close(self) -> None:
        """Close the connection and make no further one."""
        await self.stop_dialling()
        if self._wire is not None:
            await self._wire.close()
