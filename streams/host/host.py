"""The engine host: gives a pure engine its inputs, its time and its place on the log.

One host runs one engine. It takes office (see `office`), holds it for a term (see `term`),
and after an operating error, when nobody can know what landed, takes office again and
starts from what the log holds. A halt ends it: it never repairs the log or skips in it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

import structlog

from engines.kernel import Engine
from schemas.errors import Fenced, OperatingError
from schemas.limits import STATUS_EVERY_S
from schemas.units import SECOND_NS
from streams.host.gc_control import ManualCollection
from streams.host.leader_loop import GroupTooLarge, Term
from streams.host.leadership import Committed, Setup, StoppedEarly, take_office
from streams.host.limits import (
    HOST_ATTEMPTS,
    HOST_BACKOFF_MAX_MS,
    HOST_BACKOFF_MS,
    OFFICE_SETTLED_NS,
    SNAPSHOT_EVERY_RECORDS,
)
from streams.host.snapshots import Anchor, Snapshots
from streams.log.ports import Clock, Log

S = TypeVar("S")

log = structlog.get_logger(__name__)

MILLISECONDS: Final = 1_000
Status = dict[str, Any]


class EngineHost(Generic[S]):
    """Run `engine` on `log` until told to stop.

    `writer` names this process in its Epochs and must be unique to it. `sign` signs record
    hashes, for engines whose records are signed. `on_commit` is called with every record
    once it is on the log, and never before; `on_status` with `status()` every
    STATUS_EVERY_S. Records that a failed term left on the log reach `on_commit` no more:
    who must see every record reads the log.
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
        self._setup = Setup(
            engine, log, clock, writer, snapshots, sign, on_commit, snapshot_every, collection
        )
        self._on_status = on_status
        self._term: Term[S] | None = None
        self._phase = "stopped"
        self._anchor: Anchor | None = None
        self._epochs: deque[bytes] = deque(maxlen=HOST_ATTEMPTS)
        self._max_inputs: int | None = None
        self._restarts = 0
        self._records_per_s = 0
        self._inputs_per_s = 0

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Take office and hold it until `stop` is set.

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
        """Hold one office after the other until one ends in peace."""
        attempts = 0
        while True:
            taken_ns = self._setup.clock.now_ns()
            try:
                await self._one_term(stop)
                return
            except Fenced:
                if not await self._fenced_by_own_epoch():
                    raise
                reason = "an Epoch of our own that had been given up came late"
            except OperatingError as error:
                if stop.is_set():
                    return
                held_ns = self._setup.clock.now_ns() - taken_ns
                worked = held_ns > OFFICE_SETTLED_NS or self._committed_lately()
                attempts = 1 if worked else attempts + 1
                if attempts >= HOST_ATTEMPTS:
                    raise
                self._max_inputs = error.inputs // 2 if isinstance(error, GroupTooLarge) else None
                reason = f"{error.code}: {error}"
            self._restarts += 1
            log.warning("term ended", engine=self._setup.engine.name, reason=reason)
            backoff_ms = min(HOST_BACKOFF_MS << min(attempts, 10), HOST_BACKOFF_MAX_MS)
            await self._setup.clock.sleep(backoff_ms / MILLISECONDS)

    def _committed_lately(self) -> bool:
        return self._phase == "in office" and self._term is not None and self._term.records > 0

    async def _one_term(self, stop: asyncio.Event) -> None:
        setup = self._setup
        self._phase = "taking office"
        if self._anchor is None and setup.snapshots is not None:
            self._anchor = await setup.snapshots.recall()
        office = await take_office(setup, stop, self._anchor, self._epochs.append)
        self._term = term = Term(setup, office, self._max_inputs)
        log.info(
            "in office",
            engine=setup.engine.name,
            seq=term.epoch,
            record=office.head.number,
            folded=office.folded,
        )
        del office  # it holds the state as it was
        if setup.collection is not None:
            setup.collection.settle()
        self._phase = "in office"
        try:
            await term.hold(stop)
        finally:
            await self._remember(term)
            if setup.collection is not None:
                setup.collection.release()

    async def _remember(self, term: Term[S]) -> None:
        """Keep in mind, and where snapshots are kept, the newest record known to be on the log."""
        anchor = Anchor(term.sequence, term.committed.hash)
        if not term.sequence or anchor == self._anchor:
            return
        self._anchor = anchor
        if self._setup.snapshots is not None:
            try:
                await self._setup.snapshots.remember(anchor)
            except OSError as error:
                log.warning("anchor not written", reason=str(error))

    async def _fenced_by_own_epoch(self) -> bool:
        """Tell whether what fenced us is an Epoch of ours that we had given up for lost."""
        try:
            newest = await self._setup.log.last(self._setup.epoch_subject)
        except OperatingError:
            return False
        return newest is not None and newest.payload in self._epochs

    # -- status ----------------------------------------------------------------------

    def status(self) -> Status:
        """Return how the engine stands: what it has committed and how far it is behind.

        `lag` counts inputs that have reached this process and are not yet committed;
        `waiting` those of them that are not decided.
        """
        term = self._term
        status: Status = {
            "engine": self._setup.engine.name,
            "decider": self._setup.engine.decider,
            "writer": self._setup.writer,
            "phase": self._phase,
            "restarts": self._restarts,
            "records_per_s": self._records_per_s,
            "inputs_per_s": self._inputs_per_s,
        }
        if term is None:
            return status
        return status | {
            "epoch": term.epoch,
            "record": term.committed.number,
            "record_hash": term.committed.hash,
            "sequence": term.sequence,
            "last_input": term.committed.last_input,
            "last_seen": term.last_seen,
            "waiting": term.waiting,
            "in_flight": term.in_flight,
            "lag": term.lag,
            "time_ns": term.committed.time_ns,
        }

    async def _report(self) -> None:
        """Measure rates, remember how far the log went, and hand the status on."""
        clock = self._setup.clock
        before = self._counted()
        before_ns = clock.now_ns()
        while True:
            await clock.sleep(STATUS_EVERY_S)
            now, now_ns = self._counted(), clock.now_ns()
            elapsed_ns = max(now_ns - before_ns, 1)
            self._records_per_s = max(now[0] - before[0], 0) * SECOND_NS // elapsed_ns
            self._inputs_per_s = max(now[1] - before[1], 0) * SECOND_NS // elapsed_ns
            before, before_ns = now, now_ns
            if self._term is not None:
                await self._remember(self._term)
            if self._on_status is not None:
                try:
                    await self._on_status(self.status())
                except Exception as error:
                    # Whoever listens must not be able to stop the engine.
                    log.warning("status not delivered", reason=repr(error))

    def _counted(self) -> tuple[int, int]:
        return (self._term.records, self._term.inputs) if self._term else (0, 0)
