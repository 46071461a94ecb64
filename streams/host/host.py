"""The engine host: gives a pure engine its inputs, its time and its position on the log.

One host runs one engine. It acquires leadership (see `leadership`) and runs the leader loop
(see `leader_loop`). After an operating error nobody knows which records are on the log, so
the host acquires leadership again and starts from what the log holds. A halt ends the host:
it never repairs the log and never skips a message.

    stopped -> acquiring leadership -> leader -> stopped        `stop` was set, or a halt
                     ^                    |
                     +--------------------+                     an operating error
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, Literal, TypeVar

import structlog

from engines.kernel import Engine
from schemas.errors import Fenced, OperatingError
from schemas.limits import STATUS_EVERY_S
from schemas.units import SECOND_NS
from streams.host.gc_control import ManualCollection
from streams.host.leader_loop import GroupTooLarge, LeaderLoop, StateView
from streams.host.leadership import Committed, HostConfig, StoppedEarly, acquire_leadership
from streams.host.limits import (
    HOST_ATTEMPTS,
    HOST_BACKOFF_MAX_MS,
    HOST_BACKOFF_MS,
    LEADERSHIP_SETTLED_NS,
    SNAPSHOT_EVERY_RECORDS,
)
from streams.host.snapshots import SnapshotOrigin, Snapshots
from streams.log.ports import Clock, Log

S = TypeVar("S")

log = structlog.get_logger(__name__)

MILLISECONDS: Final = 1_000
Status = dict[str, Any]
Phase = Literal["stopped", "acquiring leadership", "leader"]


class EngineHost(Generic[S]):
    """Runs `engine` on `log` until told to stop.

    `writer` names this process in its Epochs and must be unique to it. `sign` signs record
    hashes, for engines whose records are signed. `on_commit` is called with each record
    after it is on the log. `on_status` is called with `status()` every STATUS_EVERY_S.
    `on_commit` does not get the records that were in flight when a leader loop failed, so
    code that needs every record must read the log.
    """

    def __init__(
        self,
        engine: Engine[S],
        log: Log,
        clock: Clock,
        *,
        writer: str,
        snapshots: Snapshots | None = None,
        sign: Callable[[bytes], str] | None = None,
        on_commit: Callable[[Committed], None] | None = None,
        on_status: Callable[[Status], Awaitable[None]] | None = None,
        snapshot_every: int = SNAPSHOT_EVERY_RECORDS,
        collection: ManualCollection | None = None,
    ) -> None:
        self._config = HostConfig(
            engine, log, clock, writer, snapshots, sign, on_commit, snapshot_every, collection
        )
        self._on_status = on_status
        self._leader: LeaderLoop[S] | None = None
        self._phase: Phase = "stopped"
        self._origin: SnapshotOrigin | None = None
        self._epochs: deque[bytes] = deque(maxlen=HOST_ATTEMPTS)
        self._max_inputs: int | None = None
        self._restarts = 0
        self._records_per_s = 0
        self._inputs_per_s = 0

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Be leader, or try to become it, until `stop` is set.

        Raises a Halt for what must not be retried, and the last OperatingError after
        HOST_ATTEMPTS in a row.
        """
        stop = stop or asyncio.Event()
        reporter = asyncio.create_task(self._report())
        try:
            await self._serve(stop)
        except StoppedEarly:
            pass
        finally:
            self._phase = "stopped"
            reporter.cancel()
            await asyncio.gather(reporter, return_exceptions=True)

    async def _serve(self, stop: asyncio.Event) -> None:
        """Lead again and again until `stop` ends a leadership."""
        attempts = 0
        while True:
            began_ns = self._config.clock.now_ns()
            try:
                await self._lead(stop)
                return
            except Fenced:
                if not await self._fenced_by_own_epoch():
                    raise
                reason = "our own Epoch, given up before, came late"
            except OperatingError as error:
                if stop.is_set():
                    return
                lasted_ns = self._config.clock.now_ns() - began_ns
                worked = lasted_ns > LEADERSHIP_SETTLED_NS or self._committed_lately()
                attempts = 1 if worked else attempts + 1
                if attempts >= HOST_ATTEMPTS:
                    raise
                self._max_inputs = error.inputs // 2 if isinstance(error, GroupTooLarge) else None
                reason = f"{error.code}: {error}"
            self._restarts += 1
            log.warning("leadership lost", engine=self._config.engine.name, reason=reason)
            backoff_ms = min(HOST_BACKOFF_MS << min(attempts, 10), HOST_BACKOFF_MAX_MS)
            await self._config.clock.sleep(backoff_ms / MILLISECONDS)

    def _committed_lately(self) -> bool:
        return self._phase == "leader" and self._leader is not None and self._leader.records > 0

    async def _lead(self, stop: asyncio.Event) -> None:
        """Acquire leadership once and run the leader loop until it ends."""
        config = self._config
        self._phase = "acquiring leadership"
        if self._origin is None and config.snapshots is not None:
            self._origin = await config.snapshots.load_origin()
        recovered = await acquire_leadership(config, stop, self._origin, self._epochs.append)
        self._leader = leader = LeaderLoop(config, recovered, self._max_inputs)
        log.info(
            "leader",
            engine=config.engine.name,
            seq=leader.epoch,
            record=recovered.head.number,
            folded=recovered.folded,
        )
        del recovered  # it refers to the state of the start, which must be freed
        if config.collection is not None:
            config.collection.settle()
        self._phase = "leader"
        try:
            await leader.run(stop)
        finally:
            await self._remember(leader)
            if config.collection is not None:
                config.collection.release()

    async def _remember(self, leader: LeaderLoop[S]) -> None:
        """Keep the newest record known to be on the log, here and beside the snapshots."""
        origin = SnapshotOrigin(leader.sequence, leader.committed.hash)
        if not leader.sequence or origin == self._origin:
            return
        self._origin = origin
        if self._config.snapshots is not None:
            try:
                await self._config.snapshots.save_origin(origin)
            except OSError as error:
                log.warning("origin not written", reason=str(error))

    async def _fenced_by_own_epoch(self) -> bool:
        """Tell whether the Epoch that fenced us is our own, sent before and given up."""
        try:
            newest = await self._config.log.last(self._config.epoch_subject)
        except OperatingError:
            return False
        return newest is not None and newest.payload in self._epochs

    # -- status ----------------------------------------------------------------------

    def status(self) -> Status:
        """Return what the engine has committed and how far it is behind.

        `lag` counts the inputs that have reached this process and are not yet committed;
        `waiting` counts those of them that are not decided.
        """
        leader = self._leader
        status: Status = {
            "engine": self._config.engine.name,
            "decider": self._config.engine.decider,
            "writer": self._config.writer,
            "phase": self._phase,
            "restarts": self._restarts,
            "records_per_s": self._records_per_s,
            "inputs_per_s": self._inputs_per_s,
        }
        if leader is None:
            return status
        return status | {
            "epoch": leader.epoch,
            "record": leader.committed.number,
            "record_hash": leader.committed.hash,
            "sequence": leader.sequence,
            "last_input": leader.committed.last_input,
            "last_seen": leader.last_seen,
            "waiting": leader.waiting,
            "in_flight": leader.in_flight,
            "lag": leader.lag,
            "time_ns": leader.committed.time_ns,
        }

    def view(self) -> StateView[S] | None:
        """Return the leader's state, None before this host was leader for the first time."""
        return None if self._leader is None else self._leader.view()

    async def _report(self) -> None:
        """Measure rates, remember the newest record, and pass the status on."""
        clock = self._config.clock
        before = self._counted()
        before_ns = clock.now_ns()
        while True:
            await clock.sleep(STATUS_EVERY_S)
            now, now_ns = self._counted(), clock.now_ns()
            elapsed_ns = max(now_ns - before_ns, 1)
            self._records_per_s = max(now[0] - before[0], 0) * SECOND_NS // elapsed_ns
            self._inputs_per_s = max(now[1] - before[1], 0) * SECOND_NS // elapsed_ns
            before, before_ns = now, now_ns
            if self._leader is not None:
                await self._remember(self._leader)
            if self._on_status is not None:
                try:
                    await self._on_status(self.status())
                except Exception as error:
                    # A listener must not be able to stop the engine.
                    log.warning("status not delivered", reason=repr(error))

    def _counted(self) -> tuple[int, int]:
        return (self._leader.records, self._leader.inputs) if self._leader else (0, 0)
