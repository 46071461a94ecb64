"""The simulated log: `ports.Log` in memory, with what goes wrong on a real one.

`SimulatedServer` is the store, the one truth. Each `SimulatedLog` is one connection to it,
with a wire of its own: messages arrive in the order in which they were sent, or, when the
connection breaks, not at all. Several connections may stand on one server, so a zombie
writer can exist. Nothing here waits for real time or uses threads.

It does not survive its process, and it does not model a cluster.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas.errors import (
    AppendFailed,
    AppendUnknown,
    BatchesFull,
    EverythingError,
    Fenced,
    LogDiverged,
    LogGap,
    LogUnavailable,
)
from schemas.limits import MAX_ATOMIC_BATCH, MAX_PAYLOAD_BYTES
from schemas.stored import Stored
from schemas.subjects import DEFAULT_SHARD, matches
from streams.log.ports import Fence
from streams.log.publishing import check_size, check_subject
from tests.simulated.faults import (
    AppendFault,
    DeliveryFault,
    Faults,
    Observer,
    SimulatedCrash,
)

RECONNECT_S: Final = 0.01
"""How long a broken connection takes to come back."""


class SimulatedServer:
    """The store of one shard's log. `observer` hears of what happens at it."""

    def __init__(self, shard: str = DEFAULT_SHARD, observer: Observer | None = None) -> None:
        self.shard = shard
        self.observer = observer or Observer()
        self.up = True
        self.full = False
        """Whether the disk is: then every append is refused."""
        self.batches_full = False
        """Whether others hold as many batches open as the server takes."""
        self._connections: list[SimulatedLog] = []
        self._messages: list[Stored | None] = []
        self._last_on: dict[str, int] = {}
        self._waiting: list[asyncio.Future[None]] = []

    def connect(self, name: str = "client", faults: Faults | None = None) -> "SimulatedLog":
        """Return a new connection, known to `faults` as `name`."""
        log = SimulatedLog(self.shard, server=self, name=name, faults=faults)
        self._connections = [one for one in self._connections if not one.dead]
        self._connections.append(log)
        return log

    def stop(self) -> None:
        """Stop answering and break every connection; what is stored stays."""
        self.up = False
        for connection in self._connections:
            connection.break_connection()
        self._grew()

    def start(self) -> None:
        """Answer again."""
        self.up = True

    @property
    def last_sequence(self) -> int:
        return len(self._messages)

    def store(self, messages: Sequence[tuple[str, bytes]], fence: Fence | None = None) -> int:
        """Append all of `messages` or none, and return the last one's sequence."""
        for subject, payload in messages:
            check_subject(subject, f"{self.shard}.")
            check_size(payload, MAX_PAYLOAD_BYTES)
        if self.full:
            raise AppendFailed("no space left on the disk")
        if fence is not None and self._last_on.get(fence.subject, 0) != fence.sequence:
            raise Fenced(
                f"{fence.subject} stands at {self._last_on.get(fence.subject, 0)}, "
                f"not at {fence.sequence}"
            )
        for subject, payload in messages:
            sequence = len(self._messages) + 1
            message = Stored(sequence, subject, payload)
            self._messages.append(message)
            self._last_on[subject] = sequence
            self.observer.stored(message)
        self._grew()
        return len(self._messages)

    def get(self, sequence: int) -> Stored | None:
        """Return the message at `sequence`, or None."""
        return self._messages[sequence - 1] if 0 < sequence <= len(self._messages) else None

    def last(self, subject: str, at: int | None = None) -> Stored | None:
        """Return the last message on exactly `subject`, or that as of sequence `at`."""
        if at is None or self._last_on.get(subject, 0) <= at:
            return self.get(self._last_on.get(subject, 0))
        older = (one for one in reversed(self._messages[: max(at, 0)]) if one is not None)
        return next((one for one in older if one.subject == subject), None)

    def messages(self) -> list[Stored]:
        """Return all that the store holds, in order."""
        return [message for message in self._messages if message is not None]

    def growth(self) -> asyncio.Future[None]:
        """Return a future that is done once more has been stored."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting = [other for other in self._waiting if not other.done()]
        self._waiting.append(future)
        return future

    def _grew(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    # -- damage to the store, as a failing disk does it ------------------------------

    def truncate(self, last: int) -> None:
        """Forget every message after sequence `last`; new ones reuse those sequences."""
        del self._messages[last:]
        self._last_on = {m.subject: m.sequence for m in self._messages if m is not None}

    def lose(self, sequence: int) -> None:
        """Lose one message out of the middle."""
        self._messages[sequence - 1] = None

    def replace(self, sequence: int, payload: bytes) -> None:
        """Change the bytes of one message."""
        old = self._messages[sequence - 1]
        if old is not None:
            self._messages[sequence - 1] = old._replace(payload=payload)


class _Packet(NamedTuple):
    """What travels to the server as one."""

    messages: Sequence[tuple[str, bytes]]
    fence: Fence | None
    fault: AppendFault
    answer: asyncio.Future[int]
    founding: bool = False


class SimulatedLog:
    """One connection to a simulated server."""

    def __init__(
        self,
        shard: str = DEFAULT_SHARD,
        *,
        server: SimulatedServer | None = None,
        name: str = "client",
        faults: Faults | None = None,
    ) -> None:
        self.server = server or SimulatedServer(shard)
        self.name = name
        self.faults = faults or Faults()
        self._wire: deque[_Packet] = deque()
        self._answers: deque[tuple[_Packet, int | EverythingError]] = deque()
        self._arrival_s = 0.0
        self._answer_s = 0.0
        self._connection = 0
        self._connected_from_s = 0.0
        self._fenced_on: tuple[Fence, int] | None = None
        """The fence used last and its connection; on another connection it is refused."""
        self._dead = False
        self._stalled: asyncio.Future[None] | None = None

    @property
    def shard(self) -> str:
        return self.server.shard

    # -- the port --------------------------------------------------------------------

    def send(self, subject: str, payload: bytes, fence: Fence | None = None) -> asyncio.Future[int]:
        """Put one message on the wire now; see `ports.Log.send`."""
        self.at("send")
        answer = self._transmit([(subject, payload)], fence)
        self.at("sent")
        return answer

    async def append_batch(
        self, messages: Sequence[tuple[str, bytes]], fence: Fence | None = None
    ) -> int:
        """Append `messages`, all or none; see `ports.Log.append_batch`."""
        self.at("append_batch")
        if not 0 < len(messages) <= MAX_ATOMIC_BATCH:
            raise AppendFailed(f"a batch of {len(messages)} messages")
        sequence = await self._transmit(list(messages), fence)
        self.at("batch_appended")
        return sequence

    async def found(self, subject: str, payload: bytes) -> int:
        """Append the first message of an empty log; see `ports.Log.found`."""
        self.at("found")
        return await self._transmit([(subject, payload)], None, founding=True)

    async def open_reader(self, subjects: Sequence[str], after: int) -> "SimulatedReader":
        """Read what matches any of `subjects` behind sequence `after`."""
        await self._pass("open_reader")
        return SimulatedReader(self, tuple(subjects), after)

    async def get(self, sequence: int) -> Stored | None:
        """Return the message at `sequence`, or None if there is none."""
        await self._pass("get")
        return self.server.get(sequence)

    async def last(self, subject: str, at: int | None = None) -> Stored | None:
        """Return the last message on exactly `subject`, or that as of sequence `at`."""
        await self._pass("last")
        return self.server.last(subject, at)

    async def last_sequence(self) -> int:
        """Return the sequence of the last message, 0 for an empty log."""
        await self._pass("last_sequence")
        return self.server.last_sequence

    async def close(self) -> None:
        """Close the connection; what is on the wire may still arrive."""
        self._dead = True

    # -- what a test does to the connection ------------------------------------------

    def kill(self) -> None:
        """Have the process at this end die: what it sent arrives, nobody hears the answers."""
        self._dead = True
        self._answers.clear()

    @property
    def dead(self) -> bool:
        """Whether nothing more will come of this connection."""
        return self._dead and not self._wire

    def stall(self) -> None:
        """Stop the process at this end (SIGSTOP): nothing passes until `resume`."""
        if self._stalled is None:
            self._stalled = asyncio.get_running_loop().create_future()

    def resume(self) -> None:
        """Let a stalled process go on (SIGCONT)."""
        if self._stalled is None:
            return
        stalled, self._stalled = self._stalled, None
        stalled.set_result(None)
        loop = asyncio.get_running_loop()
        for _ in self._wire:
            loop.call_soon(self._arrive, self._connection)
        for _ in self._answers:
            loop.call_soon(self._answer, self._connection)

    def break_connection(self) -> None:
        """Lose all that is on the wire, both ways, and reconnect.

        What was sent and not answered fails with AppendUnknown, and a fence that was used
        on the lost connection is refused on the next: a record that arrived would otherwise
        follow one that did not.
        """
        self._connection += 1
        self._connected_from_s = asyncio.get_running_loop().time() + RECONNECT_S
        lost = [packet for packet, _ in self._answers] + list(self._wire)
        self._answers.clear()
        self._wire.clear()
        for packet in lost:
            self._resolve(packet, AppendUnknown("the connection broke before the answer"))

    # -- the wire --------------------------------------------------------------------

    def at(self, point: str) -> None:
        """Pass a named point of the client's program, or die there."""
        if self._dead:
            raise LogUnavailable("the connection is closed")
        try:
            self.faults.at(self.name, point)
        except SimulatedCrash:
            self.kill()
            raise

    def reach(self) -> None:
        """Raise LogUnavailable while the server does not answer."""
        if not self.server.up:
            raise LogUnavailable("the server does not answer")

    async def hold(self) -> None:
        """Wait while the client's process is stopped."""
        if self._stalled is not None:
            await asyncio.shield(self._stalled)

    async def _pass(self, point: str) -> None:
        self.at(point)
        await asyncio.sleep(0)
        await self.hold()
        self.reach()
        self.at(f"{point} done")

    def _transmit(
        self,
        messages: Sequence[tuple[str, bytes]],
        fence: Fence | None,
        founding: bool = False,
    ) -> asyncio.Future[int]:
        loop = asyncio.get_running_loop()
        now = loop.time()
        answer: asyncio.Future[int] = loop.create_future()
        if now < self._connected_from_s or not self.server.up:
            answer.set_exception(AppendFailed("not connected"))
            return answer
        if fence is not None:
            if self._fenced_on is None or self._fenced_on[0] != fence:
                self._fenced_on = (fence, self._connection)
            elif self._fenced_on[1] != self._connection:
                answer.set_exception(AppendFailed("the connection of this fence is gone"))
                return answer
        fault = self.faults.on_append(self.name, messages[0][0])
        self._wire.append(_Packet(messages, fence, fault, answer, founding))
        self._arrival_s = max(self._arrival_s, now + fault.delay_s)
        if self._arrival_s > now:
            loop.call_at(self._arrival_s, self._arrive, self._connection)
        else:
            loop.call_soon(self._arrive, self._connection)
        return answer

    def _arrive(self, connection: int) -> None:
        """Have the server take the next packet off the wire."""
        loop = asyncio.get_running_loop()
        if connection != self._connection or not self._wire or self._stalled is not None:
            return
        if self._wire[0].fault.lost or not self.server.up:
            self.break_connection()
            return
        packet = self._wire.popleft()
        if packet.fault.late_s:
            loop.call_later(packet.fault.late_s, self._store, packet)
            self._answers.append((packet, 0))
            self.break_connection()
            return
        outcome = self._store(packet)
        self._answers.append((packet, outcome))
        if packet.fault.ack_lost:
            self.break_connection()
            return
        now = loop.time()
        self._answer_s = max(self._answer_s, now + packet.fault.ack_delay_s)
        if self._answer_s > now:
            loop.call_at(self._answer_s, self._answer, self._connection)
        else:
            loop.call_soon(self._answer, self._connection)

    def _store(self, packet: _Packet) -> int | EverythingError:
        if packet.fault.refused:
            return AppendFailed("the server refused")
        if packet.founding and self.server.last_sequence:
            return AppendFailed("the log is not empty")
        if self.server.batches_full and len(packet.messages) > 1:
            return BatchesFull("too many batches are open")
        try:
            sequence = self.server.store(packet.messages, packet.fence)
            if packet.fault.twice:
                self.server.store(packet.messages)
        except (AppendFailed, Fenced) as error:
            return error
        return sequence

    def _answer(self, connection: int) -> None:
        """Have the client hear the next answer."""
        if connection == self._connection and self._answers and self._stalled is None:
            self._resolve(*self._answers.popleft())

    def _resolve(self, packet: _Packet, outcome: int | EverythingError) -> None:
        if packet.answer.done() or self._dead:
            return
        if isinstance(outcome, int):
            packet.answer.set_result(outcome)
        else:
            packet.answer.set_exception(outcome)


class SimulatedReader:
    """An ordered walk along the simulated log.

    Deliveries are numbered, as a consumer's are: one that comes again is dropped, and
    behind one that is missing the reader begins anew, so its caller meets neither.
    """

    def __init__(self, log: SimulatedLog, subjects: tuple[str, ...], after: int) -> None:
        self._log = log
        self._subjects = subjects
        self._everything = f"{log.shard}.>" in subjects
        self._position = after
        self._wanted: dict[str, bool] = {}
        self._closed = False

    async def poll(self, max_messages: int, timeout_s: float) -> list[Stored]:
        """Return the next messages in sequence order; see `ports.Reader.poll`."""
        if self._closed:
            raise LogUnavailable("the reader is closed")
        self._log.at("poll")
        await self._log.hold()
        ends = asyncio.get_running_loop().time() + timeout_s
        found: list[Stored] = []
        while not found and await self._waited(ends):
            fault = self._log.faults.on_poll(self._log.name)
            if fault.silent:
                await asyncio.sleep(timeout_s)
                break
            found = await self._fetch(max_messages, fault)
        self._log.at("poll done")
        if found:
            self._position = found[-1].sequence
            self._log.server.observer.delivered(self._log.name, found)
        return found

    async def close(self) -> None:
        """End the walk."""
        self._closed = True

    async def _waited(self, ends: float) -> bool:
        """Wait for a message that is wanted; False if none came in time."""
        while not self._look(1):
            self._log.reach()
            try:
                async with asyncio.timeout_at(ends):
                    await self._log.server.growth()
            except TimeoutError:
                return False
            await self._log.hold()
        return True

    async def _fetch(self, max_messages: int, fault: DeliveryFault) -> list[Stored]:
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        self._log.reach()
        if fault.fails:
            raise LogUnavailable("the server did not answer")
        found = self._look(min(max_messages, fault.at_most or max_messages))
        return self._receive(_on_the_way(found, fault))

    def _receive(self, deliveries: Sequence[tuple[int, Stored]]) -> list[Stored]:
        """Return what came in order, up to the first delivery that is missing."""
        taken: list[Stored] = []
        for number, message in deliveries:
            if number > len(taken):
                self._log.server.observer.recovered(self._log.name, "a delivery was missing")
                break
            if number == len(taken):
                taken.append(message)
            else:
                self._log.server.observer.recovered(self._log.name, "a delivery came twice")
        return taken

    def _look(self, max_messages: int) -> list[Stored]:
        """Return what stands behind the position, and step over what is not wanted."""
        server = self._log.server
        if server.last_sequence < self._position:
            raise LogDiverged(
                f"the log ends at {server.last_sequence}, but {self._position} had been read"
            )
        found: list[Stored] = []
        for sequence in range(self._position + 1, server.last_sequence + 1):
            message = server.get(sequence)
            if message is None:
                if self._everything:
                    raise LogGap(f"sequence {sequence} is missing")
                continue
            if self._wants(message.subject):
                found.append(message)
                if len(found) == max_messages:
                    break
            elif not found:
                self._position = sequence
        return found

    def _wants(self, subject: str) -> bool:
        wanted = self._wanted.get(subject)
        if wanted is None:
            wanted = any(matches(pattern, subject) for pattern in self._subjects)
            self._wanted[subject] = wanted
        return wanted


def _on_the_way(found: list[Stored], fault: DeliveryFault) -> list[tuple[int, Stored]]:
    """Number deliveries from 0, and do to them what `fault` says."""
    deliveries = list(enumerate(found))
    middle = len(deliveries) // 2
    if fault.twice:
        deliveries.insert(middle, deliveries[middle])
    if fault.swapped and len(found) > 1:
        deliveries[middle - 1 : middle + 1] = deliveries[middle], deliveries[middle - 1]
    if fault.skipped:
        del deliveries[middle]
    return deliveries
