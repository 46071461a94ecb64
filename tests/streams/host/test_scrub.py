"""The scrub finds what changed in the past, and names it."""

import pytest

from schemas.errors import LogDiverged, LogGap
from schemas.events.notary import Sealed
from schemas.records import EVENT_MESSAGES
from streams.host.limits import SCRUB_MESSAGES_PER_S
from streams.host.scrub import scrub
from tests.replay.venue import history, server_with
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import VirtualClock, simulate


def walk(server: SimulatedServer) -> tuple[int, int]:
    """Scrub once in virtual time; return the sequence it came to and the ns it took."""

    async def walking() -> tuple[int, int]:
        clock = VirtualClock()
        before = clock.now_ns()
        end = await scrub(server.connect("scrub"), clock)
        return end, clock.now_ns() - before

    return simulate(walking())


def sealed_through(server: SimulatedServer) -> int:
    """Return what the last seal covers."""
    for stored in reversed(server.messages()):
        if stored.subject == "main.evt.notary":
            (seal,) = EVENT_MESSAGES.decode(stored.payload).events
            assert isinstance(seal, Sealed)
            return seal.through
    raise AssertionError("no seal")


def test_a_whole_log_is_walked_to_its_end_and_not_faster_than_allowed() -> None:
    server = server_with(history())
    end, took_ns = walk(server)
    assert end == server.last_sequence
    assert took_ns >= end * 10**9 // SCRUB_MESSAGES_PER_S


def test_an_empty_log_is_nothing_to_scrub() -> None:
    assert walk(SimulatedServer())[0] == 0


def test_a_lost_message_is_a_gap_that_is_named() -> None:
    server = server_with(history())
    server.lose(40)
    with pytest.raises(LogGap, match="40"):
        walk(server)


@pytest.mark.parametrize("part", [3, 2])
def test_a_changed_message_is_not_what_was_sealed(part: int) -> None:
    server = server_with(history())
    sequence = sealed_through(server) // part
    stored = server.get(sequence)
    assert stored is not None
    changed = bytes([stored.payload[0] ^ 1]) + stored.payload[1:]
    server.replace(sequence, changed)
    with pytest.raises(LogDiverged, match="are not what the seal at sequence") as caught:
        walk(server)
    words = str(caught.value).split()
    assert int(words[1]) <= sequence <= int(words[3])
    assert str(caught.value).endswith(f": sequence {sequence} has changed")
