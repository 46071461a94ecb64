"""What the simulated log does when things go wrong; tests/contract holds what it does else."""

import asyncio

import pytest

from schemas.errors import (
    AppendFailed,
    AppendUnknown,
    Fenced,
    LogDiverged,
    LogGap,
    LogUnavailable,
)
from schemas.units import SECOND_NS
from streams.log.ports import Fence
from tests.simulated.faults import (
    AppendFault,
    Faults,
    Rates,
    SeededFaults,
    SimulatedCrash,
)
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import START_NS, VirtualClock, simulate

SUBJECT = "main.cmd.order.alice"


class Script(Faults):
    """One fault for each append, in order; then none."""

    def __init__(self, *faults: AppendFault) -> None:
        self._faults = list(faults)

    def on_append(self, client: str, subject: str) -> AppendFault:
        return self._faults.pop(0) if self._faults else AppendFault()


def payloads(server: SimulatedServer) -> list[bytes]:
    return [message.payload for message in server.messages()]


def test_a_lost_message_takes_all_behind_it_along() -> None:
    async def main() -> None:
        server = SimulatedServer()
        log = server.connect("a", Script(AppendFault(), AppendFault(lost=True)))
        answers = [log.send(SUBJECT, b"%d" % number) for number in range(4)]
        results = await asyncio.gather(*answers, return_exceptions=True)
        assert [type(result) for result in results] == [AppendUnknown] * 4
        assert payloads(server) == [b"0"]
        with pytest.raises(AppendFailed):
            await log.send(SUBJECT, b"too early")
        await asyncio.sleep(1)
        assert await log.send(SUBJECT, b"later") == 2

    simulate(main())


def test_a_fence_does_not_outlive_the_connection_it_was_used_on() -> None:
    async def main() -> None:
        server = SimulatedServer()
        log = server.connect("a", Script(AppendFault(), AppendFault(), AppendFault(lost=True)))
        fence = Fence("main.evt.toy.epoch", await log.send("main.evt.toy.epoch", b"one"))
        await log.send("main.evt.toy", b"first", fence)
        with pytest.raises(AppendUnknown):
            await log.send("main.evt.toy", b"second", fence)
        await asyncio.sleep(1)
        with pytest.raises(AppendFailed):
            await log.send("main.evt.toy", b"third, which must not follow the first", fence)
        again = Fence("main.evt.toy.epoch", await log.send("main.evt.toy.epoch", b"two"))
        assert await log.send("main.evt.toy", b"second", again) == 4

    simulate(main())


def test_a_lost_ack_leaves_the_message_on_the_log() -> None:
    async def main() -> None:
        server = SimulatedServer()
        log = server.connect("a", Script(AppendFault(ack_lost=True)))
        with pytest.raises(AppendUnknown):
            await log.append_batch([(SUBJECT, b"1"), (SUBJECT, b"2")])
        assert payloads(server) == [b"1", b"2"]

    simulate(main())


def test_delay_keeps_the_order_of_one_writer_and_not_that_of_two() -> None:
    async def main() -> None:
        server = SimulatedServer()
        slow = server.connect("slow", Script(AppendFault(delay_s=1)))
        fast = server.connect("fast")
        await asyncio.gather(
            slow.send(SUBJECT, b"1"), slow.send(SUBJECT, b"2"), fast.send(SUBJECT, b"3")
        )
        assert payloads(server) == [b"3", b"1", b"2"]
        assert asyncio.get_running_loop().time() == pytest.approx(1)

    simulate(main())


def test_a_stopped_process_neither_sends_nor_hears() -> None:
    async def main() -> None:
        server = SimulatedServer()
        log, other = server.connect("a"), server.connect("b")
        reader = await log.open_reader(["main.>"], 0)
        log.stall()
        sending = log.send(SUBJECT, b"held")
        reading = asyncio.create_task(reader.poll(10, 100))
        await other.send("main.cmd.order.bob", b"goes")
        await asyncio.sleep(50)
        assert not sending.done()
        assert not reading.done()
        log.resume()
        assert await sending == 2
        assert [message.payload for message in await reading] == [b"goes", b"held"]

    simulate(main())


def test_what_a_dead_process_sent_arrives_and_nothing_else_happens_to_it() -> None:
    async def main() -> None:
        server = SimulatedServer()
        log = server.connect("a")
        answer = log.send(SUBJECT, b"on the wire")
        log.kill()
        await asyncio.sleep(1)
        assert payloads(server) == [b"on the wire"]
        assert not answer.done()
        with pytest.raises(LogUnavailable):
            await log.last_sequence()

    simulate(main())


def test_a_crash_is_not_caught_by_what_handles_errors() -> None:
    class Crash(Faults):
        def at(self, client: str, point: str) -> None:
            self.crash(point)

    async def main() -> None:
        log = SimulatedServer().connect("a", Crash())
        with pytest.raises(SimulatedCrash, match="send"):
            log.send(SUBJECT, b"")
        assert not issubclass(SimulatedCrash, Exception)

    simulate(main())


def test_a_reader_notices_what_a_bad_disk_did() -> None:
    async def main() -> None:
        server = SimulatedServer()
        server.store([(SUBJECT, b"%d" % number) for number in range(10)])
        reader = await server.connect().open_reader(["main.>"], 0)
        assert len(await reader.poll(5, 1)) == 5
        server.lose(7)
        assert len(await reader.poll(1, 1)) == 1
        with pytest.raises(LogGap, match="7"):
            await reader.poll(5, 1)
        server.truncate(3)
        with pytest.raises(LogDiverged, match="3"):
            await reader.poll(5, 1)

    simulate(main())


def test_a_zombie_is_fenced_by_the_store() -> None:
    async def main() -> None:
        server = SimulatedServer()
        old, new = server.connect("old"), server.connect("new")
        fence = Fence("main.evt.toy.epoch", await old.send("main.evt.toy.epoch", b"old"))
        waiting = [old.send("main.evt.toy", b"%d" % number, fence) for number in range(3)]
        await asyncio.gather(*waiting)
        await new.send("main.evt.toy.epoch", b"new")
        with pytest.raises(Fenced):
            await old.send("main.evt.toy", b"late", fence)
        assert b"late" not in payloads(server)

    simulate(main())


def test_virtual_time_passes_without_waiting_and_clocks_can_jump() -> None:
    async def main() -> tuple[int, int]:
        clock, skewed = VirtualClock(), VirtualClock()
        await clock.sleep(86_400)
        skewed.jump(-5 * SECOND_NS)
        return clock.now_ns(), skewed.now_ns()

    day = START_NS + 86_400 * SECOND_NS
    assert simulate(main()) == (day, day - 5 * SECOND_NS)


def test_a_simulation_in_which_nothing_can_happen_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.simulated.virtual_time.REAL_WAIT_S", 0.01)
    calls: list[str] = []

    async def main() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            calls.append("ended")
            raise

    with pytest.raises(RuntimeError, match="stuck"):
        simulate(main())
    assert calls == ["ended"]


def test_seeded_faults_repeat() -> None:
    def draw(seed: int) -> list[AppendFault]:
        faults = SeededFaults(seed, Rates(delay_e4=3_000, lost_e4=2_000, twice_e4=2_000), ("b",))
        drawn = [faults.on_append("ab"[number % 2], SUBJECT) for number in range(200)]
        assert not any(fault.twice for fault in drawn[::2])
        assert any(fault.twice for fault in drawn[1::2])
        faults.healed = True
        assert faults.on_append("b", SUBJECT) == AppendFault()
        return drawn

    assert draw(1) == draw(1) != draw(2)
