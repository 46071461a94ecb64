"""What can go wrong at the simulated log, and what its clients see of it."""

import asyncio

import pytest

from schemas.errors import AppendFailed, AppendUnknown, LogUnavailable
from schemas.stored import Stored
from tests.simulated.faults import AppendFault, DeliveryFault, Faults, Observer
from tests.simulated.log import RECONNECT_S, SimulatedReader, SimulatedServer
from tests.simulated.virtual_time import simulate

SUBJECT = "main.cmd.order.ann"


class Once(Faults):
    """One fault, of the first append or the first poll."""

    def __init__(
        self, append: AppendFault | None = None, delivery: DeliveryFault | None = None
    ) -> None:
        self._append = append
        self._delivery = delivery

    def on_append(self, client: str, subject: str) -> AppendFault:
        fault, self._append = self._append, None
        return fault or AppendFault()

    def on_poll(self, client: str) -> DeliveryFault:
        fault, self._delivery = self._delivery, None
        return fault or DeliveryFault()


class Notes(Observer):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def stored(self, message: Stored) -> None:
        self.heard.append(f"stored {message.sequence}")

    def delivered(self, client: str, messages: object) -> None:
        self.heard.append(f"delivered to {client}")

    def recovered(self, client: str, how: str) -> None:
        self.heard.append(how)


async def _read(server: SimulatedServer, fault: DeliveryFault, polls: int = 1) -> list[int]:
    log = server.connect("reader", Once(delivery=fault))
    reader = await log.open_reader(["main.>"], 0)
    found = [message for _ in range(polls) for message in await reader.poll(100, 1)]
    return [message.sequence for message in found]


@pytest.mark.parametrize(
    ("fault", "first", "noticed"),
    [
        (DeliveryFault(twice=True), [1, 2, 3, 4, 5], "a delivery came twice"),
        (DeliveryFault(skipped=True), [1, 2], "a delivery was missing"),
        (DeliveryFault(swapped=True), [1], "a delivery was missing"),
    ],
    ids=["twice", "skipped", "swapped"],
)
def test_a_reader_hands_on_every_message_once_and_in_order(
    fault: DeliveryFault, first: list[int], noticed: str
) -> None:
    notes = Notes()
    server = SimulatedServer("main", notes)
    server.store([(SUBJECT, b"%d" % number) for number in range(5)])
    assert simulate(_read(server, fault)) == first
    assert noticed in notes.heard
    polls = 1 if len(first) == 5 else 2
    assert simulate(_read(server, fault, polls)) == [1, 2, 3, 4, 5]


def test_a_poll_that_lost_all_it_was_sent_waits_for_more() -> None:
    async def main() -> list[int]:
        server = SimulatedServer()
        server.store([(SUBJECT, b"one")])
        return await _read(server, DeliveryFault(skipped=True))

    assert simulate(main()) == [1]


def test_a_late_message_is_unknown_to_its_sender_and_stored_all_the_same() -> None:
    async def main() -> None:
        server = SimulatedServer()
        log = server.connect("writer", Once(AppendFault(late_s=2.0)))
        sent = [log.send(SUBJECT, b"late"), log.send(SUBJECT, b"behind it")]
        for answer in sent:
            with pytest.raises(AppendUnknown):
                await answer
        assert server.last_sequence == 0
        await asyncio.sleep(RECONNECT_S)
        assert await log.send(SUBJECT, b"next") == 1
        await asyncio.sleep(2)
        assert [message.payload for message in server.messages()] == [b"next", b"late"]

    simulate(main())


def test_a_full_disk_refuses_and_keeps_what_it_has() -> None:
    async def main() -> None:
        server = SimulatedServer()
        log = server.connect()
        assert await log.send(SUBJECT, b"before") == 1
        server.full = True
        with pytest.raises(AppendFailed, match="no space"):
            await log.send(SUBJECT, b"no room")
        with pytest.raises(AppendFailed, match="no space"):
            await log.append_batch([(SUBJECT, b"no"), (SUBJECT, b"room")])
        server.full = False
        assert await log.send(SUBJECT, b"after") == 2

    simulate(main())


def test_a_server_that_stops_breaks_its_connections_and_keeps_what_it_has() -> None:
    async def main() -> None:
        server = SimulatedServer()
        log = server.connect("writer", Once(AppendFault(delay_s=1.0)))
        reader: SimulatedReader = await log.open_reader(["main.>"], 0)
        waiting = asyncio.ensure_future(reader.poll(1, 60))
        answer = log.send(SUBJECT, b"on the wire")
        await asyncio.sleep(0.1)
        server.stop()
        with pytest.raises(AppendUnknown):
            await answer
        with pytest.raises(LogUnavailable):
            await waiting
        with pytest.raises(LogUnavailable):
            await log.last_sequence()
        with pytest.raises(AppendFailed, match="not connected"):
            await log.send(SUBJECT, b"to nobody")
        await asyncio.sleep(2)
        server.start()
        assert await log.send(SUBJECT, b"again") == 1
        assert [message.payload for message in await reader.poll(10, 1)] == [b"again"]

    simulate(main())


def test_the_observer_hears_of_everything_and_of_every_move_of_time() -> None:
    notes, moves = Notes(), list[float]()

    async def main() -> None:
        server = SimulatedServer("main", notes)
        server.store([(SUBJECT, b"one")])
        log = server.connect("reader")
        await (await log.open_reader(["main.>"], 0)).poll(1, 1)
        await asyncio.sleep(1.5)

    simulate(main(), moves.append)
    assert notes.heard == ["stored 1", "delivered to reader"]
    assert moves[-1] == 1.5
