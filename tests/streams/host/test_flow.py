"""What a host writes when nothing goes wrong."""

import asyncio

import pytest

from engines.kernel import Grouping, fold, state_hash
from schemas.errors import BrokenInvariant
from schemas.record_chain import Head
from schemas.units import SECOND_NS
from streams.host.leadership import Committed
from streams.host.limits import MAX_RECORDS_IN_FLIGHT
from tests.simulated.faults import AppendFault, Faults
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import START_NS, simulate
from tests.streams.host.checks import GENESIS, check_accounts, records, redecide
from tests.streams.host.rig import Running, add, new_server, running, settled
from tests.streams.host.toys import COMMAND, Chain, Toy, Witness
from tests.support.waiting import wait_until


def test_low_load_is_one_command_one_record() -> None:
    async def main() -> None:
        server = new_server()
        async with running(server, Toy()) as run:
            for number in range(20):
                server.store([add(number)])
                await wait_until(settled(server), run.task)
        check_accounts(server.messages(), Toy())
        written = records(server.messages(), "toy")
        assert [len(record.events) for _, record, _ in written] == [1] * 20
        assert all(record.first_input == record.last_input for _, record, _ in written)

    simulate(main())


def test_no_time_is_lost_at_low_load() -> None:
    async def main() -> None:
        server = new_server()
        async with running(server, Toy()) as run:
            await wait_until(lambda: run.host.status()["phase"] == "leader", run.task)
            loop = asyncio.get_running_loop()
            began = loop.time()
            server.store([add(1)])
            await wait_until(settled(server), run.task)
            assert loop.time() - began <= 0.002

    simulate(main())


class SlowAcks(Faults):
    """Every answer takes a while, as under load."""

    def on_append(self, client: str, subject: str) -> AppendFault:
        return AppendFault(ack_delay_s=0.005)


def test_under_load_records_grow() -> None:
    async def main() -> None:
        server = new_server()
        async with running(server, Toy(), faults=SlowAcks()) as run:
            for step in range(100):
                server.store([add(1_000 * step + number) for number in range(100)])
                await asyncio.sleep(0.001)
            await wait_until(settled(server), run.task)
        assert check_accounts(server.messages(), Toy()) == 10_000
        sizes = [len(record.events) for _, record, _ in records(server.messages(), "toy")]
        assert len(sizes) <= 40
        assert max(sizes) >= 400

    simulate(main())


def test_what_is_in_flight_is_bounded_and_nothing_shows_before_the_ack() -> None:
    async def main() -> None:
        server = new_server()
        committed: list[Committed] = []
        in_flight: list[int] = []

        class Watch(Faults):
            def on_append(self, client: str, subject: str) -> AppendFault:
                if subject == "main.evt.toy":
                    in_flight.append(len(in_flight) + 1 - len(committed))
                return AppendFault(delay_s=0.01, ack_delay_s=0.01)

        async with running(server, Toy(), faults=Watch(), on_commit=committed.append) as run:
            for step in range(50):
                server.store([add(10_000 * step + number) for number in range(1_000)])
                await asyncio.sleep(0.002)
            await wait_until(settled(server), run.task)
        assert max(in_flight) == MAX_RECORDS_IN_FLIGHT
        on_log = [(s, data) for s, _, data in records(server.messages(), "toy")]
        assert [(one.sequence, one.data) for one in committed] == on_log
        check_accounts(server.messages(), Toy())

    simulate(main())


def test_the_host_waits_for_the_genesis() -> None:
    async def main() -> None:
        server = SimulatedServer("main")
        async with running(server, Toy()) as run:
            await asyncio.sleep(5)
            assert server.last_sequence == 0
            server.store([GENESIS, add(1)])
            await wait_until(settled(server), run.task)
        assert server.messages()[0][1:] == GENESIS

    simulate(main())


def test_it_stops_while_it_waits_for_the_genesis() -> None:
    async def main() -> None:
        server = SimulatedServer("main")
        run = Running(server, Toy())
        await asyncio.sleep(1)
        await run.stopped()
        assert server.last_sequence == 0

    simulate(main())


def test_inputs_without_events_are_covered_by_the_next_record() -> None:
    async def main() -> None:
        server = new_server()
        async with running(server, Toy()) as run:
            await wait_until(lambda: run.host.status()["phase"] == "leader", run.task)
            first = server.last_sequence + 1
            for _ in range(5):
                server.store([(COMMAND, b"nop")])
                await asyncio.sleep(0.01)
            assert records(server.messages(), "toy") == []
            server.store([add(1)])
            await wait_until(settled(server), run.task)
            (_, record, _) = records(server.messages(), "toy")[-1]
            assert (record.first_input, record.last_input) == (first, first + 5)
        check_accounts(server.messages(), Toy())

    simulate(main())


def test_a_restart_reads_on_where_the_records_end() -> None:
    async def main() -> None:
        server = new_server()
        for life in range(4):
            async with running(server, Toy(), writer=f"life{life}") as run:
                server.store([add(100 * life + number) for number in range(30)])
                server.store([(COMMAND, b"nop"), (COMMAND, b"nonsense")])
                await wait_until(settled(server), run.task)
            server.store([add(100 * life + 50)])
        async with running(server, Toy(), writer="last") as run:
            await wait_until(settled(server), run.task)
        assert check_accounts(server.messages(), Toy()) == 4 * 32

    simulate(main())


def test_folding_the_records_gives_the_state_that_the_host_had() -> None:
    async def main() -> None:
        server = new_server()
        engine = Toy(remember_ns=SECOND_NS)
        async with running(server, engine, snapshot_every=10) as run:
            for number in range(50):
                server.store([add(number)])
                await asyncio.sleep(0.3)
            await wait_until(settled(server), run.task)
            await wait_until(lambda: run.host.status()["in_flight"] == 0, run.task)
            live = run.host.view()
            assert live is not None
            hashed = state_hash(engine, live.state)
            number = live.committed.number
        state, head = engine.initial(), Head()
        for _, record, data in records(server.messages(), "toy")[:number]:
            head = fold(engine, state, head, record, data)
        assert state_hash(engine, state) == hashed

    simulate(main())


def test_time_in_records_never_goes_back() -> None:
    async def main() -> None:
        server = new_server()
        async with running(server, Toy()) as run:
            server.store([add(1)])
            await wait_until(settled(server), run.task)
            run.clock.jump(-3_600 * SECOND_NS)
            server.store([add(2)])
            await wait_until(settled(server), run.task)
            run.clock.jump(7_200 * SECOND_NS)
            server.store([add(3)])
            await wait_until(settled(server), run.task)
        times = [record.time_ns for _, record, _ in records(server.messages(), "toy")]
        assert times[0] == times[1] < times[2]
        assert times[0] >= START_NS

    simulate(main())


def test_ticks_come_when_due_and_only_then() -> None:
    async def main() -> None:
        server = new_server()
        engine = Toy(remember_ns=10 * SECOND_NS)
        async with running(server, engine) as run:
            server.store([add(1)])
            await wait_until(settled(server), run.task)
            await asyncio.sleep(100)
            assert engine.ticks in (9, 10)
        written = [record for _, record, _ in records(server.messages(), "toy")]
        assert [record.tick for record in written] == [False] + [True] * engine.ticks
        assert all(record.first_input == record.last_input == 2 for record in written)
        redecide(server.messages(), Toy(remember_ns=10 * SECOND_NS))

    simulate(main())


def test_a_tick_that_brings_nothing_about_does_not_spin() -> None:
    class Eager(Toy):
        def next_due_ns(self, state: object) -> int | None:
            return 1

    async def main() -> None:
        server = new_server()
        engine = Eager()
        async with running(server, engine):
            await asyncio.sleep(30)
        assert 10 <= engine.ticks <= 32
        assert records(server.messages(), "toy") == []

    simulate(main())


def test_a_bug_in_decide_halts_and_names_the_input() -> None:
    async def main() -> None:
        server = new_server()
        run = Running(server, Toy())
        await wait_until(lambda: run.host.status()["phase"] == "leader", run.task)
        sequence = server.store([(COMMAND, b"boom")])
        with pytest.raises(BrokenInvariant, match=str(sequence)):
            await run.task

    simulate(main())


def test_groups_whose_record_is_too_large_are_split() -> None:
    async def main() -> None:
        server = new_server()
        async with running(server, Toy()) as run:
            await wait_until(lambda: run.host.status()["phase"] == "leader", run.task)
            # 5,999 events close no group, and nine such commands make 50 MB.
            server.store([(COMMAND, b"wide id%d 5000" % number) for number in range(2)])
            server.store([(COMMAND, b"nop")] * 3 + [add(1)])
            await wait_until(settled(server), run.task)
        messages = server.messages()
        redecide(messages, Toy())
        assert [len(record.events) for _, record, _ in records(messages, "toy")] == [5000, 5000, 1]

    simulate(main())


def test_one_input_whose_record_is_too_large_halts() -> None:
    async def main() -> None:
        server = new_server()
        run = Running(server, Toy())
        server.store([(COMMAND, b"wide id 9000")])
        with pytest.raises(BrokenInvariant):
            await run.task

    simulate(main())


def test_groups_stay_within_what_the_engine_asks_for() -> None:
    async def main() -> None:
        server = new_server()
        engine = Toy(grouping=Grouping(max_inputs=7))
        server.store([add(number) for number in range(100)])
        async with running(server, engine) as run:
            await wait_until(settled(server), run.task)
        assert max(engine.decided) == 7
        check_accounts(server.messages(), Toy())

    simulate(main())


def test_a_witness_gathers_for_its_linger_and_ignores_itself() -> None:
    async def main() -> None:
        server = new_server()
        engine = Witness()
        async with running(server, engine) as run:
            await wait_until(lambda: bool(records(server.messages(), "witness")), run.task)
            first, record, _ = records(server.messages(), "witness")[0]
            assert record.time_ns - START_NS >= 5 * SECOND_NS
            assert record.last_input == 2  # the genesis and its own Epoch
            # Its own record alone is no reason for another one.
            await asyncio.sleep(60)
            assert server.last_sequence == first
            server.store([add(1)])
            await asyncio.sleep(4.9)
            assert len(records(server.messages(), "witness")) == 1
            await wait_until(lambda: len(records(server.messages(), "witness")) == 2, run.task)
            _, record, _ = records(server.messages(), "witness")[1]
            assert (record.first_input, record.last_input) == (first, first + 1)
            # A full group does not wait.
            server.store([add(number) for number in range(120)])
            await asyncio.sleep(0.1)
            sealed = [r.last_input for _, r, _ in records(server.messages(), "witness")]
            assert sealed == [2, first + 1, first + 51, first + 101]
            await asyncio.sleep(10)
        assert redecide(server.messages(), Witness()) == 5

    simulate(main())


def test_a_witness_goes_on_after_a_restart() -> None:
    async def main() -> None:
        server = new_server()
        for life in range(3):
            async with running(server, Witness(), writer=f"w{life}"):
                server.store([add(number) for number in range(130)])
                await asyncio.sleep(7)
        messages = server.messages()
        redecide(messages, Witness())
        _, last, _ = records(messages, "witness")[-1]
        assert last.last_input >= 3 * 130
        state, head = Witness().initial(), Head()
        for _, record, data in records(messages, "witness"):
            head = fold(Witness(), state, head, record, data)
        assert isinstance(state, Chain)

    simulate(main())


def test_status_says_how_the_engine_stands() -> None:
    async def main() -> None:
        server = new_server()
        seen: list[dict[str, object]] = []

        async def on_status(status: dict[str, object]) -> None:
            seen.append(status)
            raise RuntimeError("nobody listens")

        async with running(server, Toy(), on_status=on_status) as run:
            server.store([add(number) for number in range(100)])
            await asyncio.sleep(1.5)
            status = run.host.status()
        assert status["phase"] == "leader"
        assert status["lag"] == status["waiting"] == status["in_flight"] == 0
        assert status["last_input"] == status["last_seen"] == 101
        assert status["sequence"] == server.last_sequence
        assert status["inputs_per_s"] == 100
        assert len(seen) == 1
        assert run.host.status()["phase"] == "stopped"

    simulate(main())
