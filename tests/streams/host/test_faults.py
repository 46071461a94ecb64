"""What a host writes, and what it refuses to write, when things go wrong."""

import asyncio

import pytest

from schemas.errors import Fenced, LogDiverged, LogUnavailable, UnknownRecord
from schemas.stored import Stored
from schemas.units import SECOND_NS
from streams.host.limits import HOST_ATTEMPTS
from streams.host.snapshots import SnapshotMemory
from tests.simulated.faults import (
    AppendFault,
    DeliveryFault,
    Faults,
    Rates,
    SeededFaults,
    SimulatedCrash,
)
from tests.simulated.log import SimulatedReader, SimulatedServer
from tests.simulated.virtual_time import simulate
from tests.streams.host.checks import check_accounts, records, redecide
from tests.streams.host.rig import Running, add, new_server, running, settled
from tests.streams.host.toys import COMMAND, Toy, Witness
from tests.support.waiting import wait_until


class Nth(Faults):
    """Have `fault` befall the nth append to the toy's own subjects."""

    def __init__(self, nth: int, fault: AppendFault) -> None:
        self._nth = nth
        self._fault = fault
        self._seen = 0

    def on_append(self, client: str, subject: str) -> AppendFault:
        self._seen += 1
        return self._fault if self._seen == self._nth else AppendFault()


@pytest.mark.parametrize("nth", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "fault",
    [
        AppendFault(lost=True),
        AppendFault(ack_lost=True),
        AppendFault(refused=True),
        AppendFault(delay_s=3),
        AppendFault(ack_delay_s=3),
    ],
    ids=["lost", "ack lost", "refused", "late", "ack late"],
)
def test_an_append_that_goes_wrong_costs_nothing(nth: int, fault: AppendFault) -> None:
    async def main() -> None:
        server = new_server()
        async with running(server, Toy(), faults=Nth(nth, fault)) as run:
            for number in range(30):
                server.store([add(number)])
                await asyncio.sleep(0.01)
            await wait_until(settled(server), run.task)
            restarts = run.host.status()["restarts"]
        assert check_accounts(server.messages(), Toy()) == 30
        assert restarts == (1 if fault.lost or fault.ack_lost or fault.refused else 0)

    simulate(main())


def test_a_record_whose_ack_was_lost_is_not_written_twice() -> None:
    async def main() -> None:
        server = new_server()
        async with running(server, Toy(), faults=Nth(2, AppendFault(ack_lost=True))) as run:
            server.store([add(1)])
            await wait_until(settled(server), run.task)
            server.store([add(2)])
            await wait_until(settled(server), run.task)
        assert [r.number for _, r, _ in records(server.messages(), "toy")] == [1, 2]

    simulate(main())


# -- death at every point --------------------------------------------------------------


class CrashAt(Faults):
    """Die at the nth named point; with n 0 only count them."""

    def __init__(self, nth: int) -> None:
        self._nth = nth
        self.points: list[str] = []

    def at(self, client: str, point: str) -> None:
        self.points.append(point)
        if len(self.points) == self._nth:
            self.crash(point)


async def _live(server: SimulatedServer, faults: CrashAt, snapshots: SnapshotMemory) -> None:
    """One life of a host under load, to its end or its death."""
    run = Running(
        server,
        Toy(remember_ns=SECOND_NS // 50),
        faults=faults,
        snapshots=snapshots,
        snapshot_every=4,
    )
    for number in range(12):
        server.store([add(100 * server.last_sequence + number)])
        await asyncio.sleep(0.004)
    run.stop.set()
    await run.task


async def _die_and_recover(nth: int) -> str:
    server, snapshots = new_server(), SnapshotMemory()
    faults = CrashAt(nth)
    with pytest.raises(SimulatedCrash) as crash:
        await _live(server, faults, snapshots)
    await asyncio.sleep(0.1)  # what it had sent arrives
    server.store([add(9_999)])
    async with running(
        server, Toy(remember_ns=SECOND_NS // 50), writer="two", snapshots=snapshots
    ) as run:
        await wait_until(settled(server), run.task)
    check_ticking(server)
    return str(crash.value)


def check_ticking(server: SimulatedServer) -> None:
    check_accounts(server.messages(), Toy(remember_ns=SECOND_NS // 50))


def test_death_at_any_point_costs_nothing() -> None:
    counted = CrashAt(0)
    simulate(_live(new_server(), counted, SnapshotMemory()))
    assert len(counted.points) > 60
    assert {"send", "sent", "poll", "poll done", "open_reader", "last"} <= set(counted.points)
    died = [simulate(_die_and_recover(nth)) for nth in range(1, len(counted.points) - 1)]
    assert died == counted.points[: len(died)]


# -- two writers -------------------------------------------------------------------------


async def _load(server: SimulatedServer, stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        server.store([add(1_000_000 * number + index) for index in range(20)])
        await asyncio.sleep(0.001)


def test_a_second_host_takes_over_at_once_and_the_first_writes_no_more() -> None:
    class Slow(Faults):
        """A wire with some length: records of both are on it at any time."""

        def on_append(self, client: str, subject: str) -> AppendFault:
            return AppendFault(delay_s=0.002, ack_delay_s=0.002)

    async def main() -> None:
        server = new_server()
        stop = asyncio.Event()
        load = asyncio.create_task(_load(server, stop))
        first = Running(server, Toy(), faults=Slow())
        await asyncio.sleep(0.5)
        async with running(server, Toy(), writer="two", faults=Slow()) as second:
            with pytest.raises(Fenced) as fenced:
                await first.task
            assert fenced.value.exit_code == 71
            await wait_until(lambda: second.host.status()["phase"] == "leader", second.task)
            epoch = second.host.status()["epoch"]
            await asyncio.sleep(0.5)
            stop.set()
            await load
            await wait_until(settled(server), second.task)
            assert second.host.status()["restarts"] == 0
        written = [(s, r.epoch) for s, r, _ in records(server.messages(), "toy")]
        assert all((own == epoch) == (sequence > epoch) for sequence, own in written)
        assert min(s for s, own in written if own == epoch) > epoch
        check_accounts(server.messages(), Toy())

    simulate(main())


def test_a_stopped_process_that_goes_on_is_fenced() -> None:
    async def main() -> None:
        server = new_server()
        stop = asyncio.Event()
        load = asyncio.create_task(_load(server, stop))
        first = Running(server, Toy())
        await asyncio.sleep(0.2)
        first.log.stall()
        async with running(server, Toy(), writer="two") as second:
            await asyncio.sleep(0.5)
            epoch = second.host.status()["epoch"]
            first.log.resume()
            with pytest.raises(Fenced):
                await first.task
            stop.set()
            await load
            await wait_until(settled(server), second.task)
        assert {r.epoch for s, r, _ in records(server.messages(), "toy") if s > epoch} == {epoch}
        check_accounts(server.messages(), Toy())

    simulate(main())


def test_an_idle_writer_learns_that_it_was_replaced() -> None:
    async def main() -> None:
        server = new_server()
        first = Running(server, Toy())
        await asyncio.sleep(1)
        async with running(server, Toy(), writer="two"):
            with pytest.raises(Fenced):
                await asyncio.wait_for(first.task, 1)

    simulate(main())


def test_a_witness_is_fenced_too() -> None:
    async def main() -> None:
        server = new_server()
        first = Running(server, Witness())
        await asyncio.sleep(1)
        async with running(server, Witness(), writer="two"):
            with pytest.raises(Fenced):
                await first.task
            await asyncio.sleep(10)
        redecide(server.messages(), Witness())

    simulate(main())


def test_an_own_epoch_that_comes_late_is_not_another_writer() -> None:
    async def main() -> None:
        server = new_server()
        async with running(server, Toy()) as run:
            await wait_until(lambda: run.host.status()["phase"] == "leader", run.task)
            stored = server.last("main.evt.toy.epoch")
            assert stored is not None
            # The same bytes once more: an append given up for lost that was only late.
            server.store([("main.evt.toy.epoch", stored.payload)])
            server.store([add(1)])
            await wait_until(settled(server), run.task)
            assert run.host.status()["restarts"] == 1
        check_accounts(server.messages(), Toy())

    simulate(main())


# -- the log is not what it was ------------------------------------------------------------


def test_a_foreign_message_on_the_engines_subject_halts_and_is_named() -> None:
    async def main(payload: bytes) -> None:
        server = new_server()
        async with running(server, Toy()) as run:
            server.store([add(1)])
            await wait_until(settled(server), run.task)
        sequence = server.store([("main.evt.toy", payload)])
        second = Running(server, Toy(), writer="two")
        with pytest.raises(UnknownRecord, match=f"sequence {sequence}"):
            await second.task

    for payload in (b"", b"{}", b'{"type":"record/9"}', b"\xff\xfe", b"[[[["):
        simulate(main(payload))


@pytest.mark.parametrize("at", ["record", "epoch"])
def test_a_changed_past_halts_and_is_named(at: str) -> None:
    async def main() -> None:
        server = new_server()
        async with running(server, Toy()) as run:
            for number in range(10):
                server.store([add(number)])
                await wait_until(settled(server), run.task)
        sequence, _, data = records(server.messages(), "toy")[4]
        if at == "record":
            server.replace(sequence, data.replace(b"alice", b"mally"))
        else:
            server.lose(sequence)
        second = Running(server, Toy(), writer="two")
        with pytest.raises(LogDiverged, match="sequence"):
            await second.task

    simulate(main())


def test_a_record_of_a_former_leader_halts() -> None:
    async def main() -> None:
        server = new_server()
        async with running(server, Toy()) as run:
            server.store([add(1)])
            await wait_until(settled(server), run.task)
        epoch = server.last("main.evt.toy.epoch")
        sequence, _, data = records(server.messages(), "toy")[0]
        assert epoch is not None
        server.truncate(sequence - 1)
        server.store([epoch[1:], ("main.evt.toy", data)])
        second = Running(server, Toy(), writer="two")
        with pytest.raises(LogDiverged, match="epoch"):
            await second.task

    simulate(main())


def test_a_log_cut_short_while_the_host_runs_halts_it() -> None:
    async def main() -> None:
        server = new_server()
        run = Running(server, Toy())
        for number in range(10):
            server.store([add(number)])
            await wait_until(settled(server), run.task)
        await asyncio.sleep(0.1)
        server.truncate(5)
        server.store([add(77)])
        with pytest.raises(LogDiverged):
            await run.task

    simulate(main())


def test_an_ack_that_goes_back_in_the_log_halts() -> None:
    """The store is cut short between a send and its arrival, when no reader looks."""

    class CutShort(Faults):
        def on_append(self, client: str, subject: str) -> AppendFault:
            if server.last_sequence > 20:
                server.truncate(5)
            return AppendFault()

    server = new_server()

    async def main() -> None:
        run = Running(server, Toy(), faults=CutShort())
        await wait_until(lambda: run.host.status()["phase"] == "leader", run.task)
        with pytest.raises(LogDiverged, match="had given before"):
            for number in range(30):
                server.store([add(number)])
                await wait_until(settled(server), run.task)

    simulate(main())


def test_a_log_cut_short_between_two_terms_halts_the_next() -> None:
    async def main() -> None:
        server, faults = new_server(), Down()
        faults.down = False
        run = Running(server, Toy(), faults=faults)
        for number in range(10):
            server.store([add(number)])
            await wait_until(settled(server), run.task)
        faults.down = True
        server.store([add(50)])
        await wait_until(lambda: run.host.status()["restarts"] > 0, run.task)
        server.truncate(15)
        faults.down = False
        with pytest.raises(LogDiverged, match="no longer holds record"):
            await run.task

    simulate(main())


# -- operating errors ------------------------------------------------------------------------


class Down(Faults):
    """Polls fail from the start, or while `down` is set."""

    def __init__(self) -> None:
        self.down = True

    def on_poll(self, client: str) -> DeliveryFault:
        return DeliveryFault(fails=self.down)


def test_a_log_that_stays_away_ends_the_host_after_its_bound() -> None:
    async def main() -> None:
        server = new_server()
        run = Running(server, Toy(), faults=Down())
        with pytest.raises(LogUnavailable):
            await run.task
        assert run.host.status()["restarts"] == HOST_ATTEMPTS - 1
        assert HOST_ATTEMPTS < asyncio.get_running_loop().time() < 3 * HOST_ATTEMPTS

    simulate(main())


def test_a_log_that_comes_back_costs_nothing() -> None:
    async def main() -> None:
        server, faults = new_server(), Down()
        async with running(server, Toy(), faults=faults) as run:
            server.store([add(1)])
            await asyncio.sleep(20)
            faults.down = False
            await wait_until(settled(server), run.task)
        assert check_accounts(server.messages(), Toy()) == 1

    simulate(main())


# -- everything at once --------------------------------------------------------------------------


RATES = Rates(
    delay_e4=500,
    lost_e4=150,
    ack_delay_e4=500,
    ack_lost_e4=150,
    poll_delay_e4=300,
    poll_short_e4=2_000,
    poll_fails_e4=50,
    crash_e4=10,
)


async def _chaos(seed: int) -> tuple[bytes, dict[str, int]]:
    """A load, a host that keeps dying and being replaced, and at last a time of peace."""
    server, faults = new_server(), SeededFaults(seed, RATES)
    snapshots = SnapshotMemory()
    runs: list[Running] = []

    def start() -> Running:
        run = Running(
            server,
            Toy(remember_ns=SECOND_NS // 10),
            writer=f"w{len(runs)}",
            faults=faults,
            snapshots=snapshots,
            snapshot_every=15,
        )
        runs.append(run)
        return run

    run = start()
    for number in range(200):
        server.store([add(1_000 * number + index) for index in range(number % 7)])
        if number % 11 == 0:
            server.store([(COMMAND, b"nop")])
        await asyncio.sleep(0.003)
        if number == 60:
            runs[-1].log.stall()
            run = start()
        if number == 90:
            runs[0].log.resume()
        if run.task.done():
            run = start()
    faults.healed = True
    if run.task.done():
        run = start()
    look = settled(server)
    while not look():
        await asyncio.sleep(0.01)
        if run.task.done():
            run = start()
    await run.stopped()
    for other in runs[:-1]:
        await other.killed()
    check_accounts(server.messages(), Toy(remember_ns=SECOND_NS // 10))
    return b"".join(message.payload for message in server.messages()), faults.drawn


@pytest.mark.parametrize("seed", range(40))
def test_under_all_faults_each_command_has_one_outcome(seed: int) -> None:
    log, drawn = simulate(_chaos(seed))
    assert drawn
    if seed % 20 == 0:
        assert simulate(_chaos(seed)) == (log, drawn), "a run is not repeatable"


def test_a_cancellation_lost_in_a_library_does_not_hang_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """asyncio.wait_for of Python 3.11 can swallow one; then a failed term never ended."""
    poll = SimulatedReader.poll

    async def deaf(self: SimulatedReader, max_messages: int, timeout_s: float) -> list[Stored]:
        try:
            return await poll(self, max_messages, timeout_s)
        except asyncio.CancelledError:
            return []

    monkeypatch.setattr(SimulatedReader, "poll", deaf)

    async def main() -> None:
        server = new_server()
        async with running(server, Toy(), faults=Nth(3, AppendFault(lost=True))) as run:
            for number in range(10):
                server.store([add(number)])
                await asyncio.sleep(0.1)
            await asyncio.wait_for(wait_until(settled(server), run.task), 30)
        assert check_accounts(server.messages(), Toy()) == 10

    simulate(main())
