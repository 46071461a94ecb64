"""The door asks for one state at a time, lets no more than so many wait, and callers in turn."""

import asyncio

import pytest

from deploy.limits import MAX_TRAVEL_WAITING, MAX_TRAVEL_WAITING_OF_ONE
from deploy.venue.state_service import StateService
from projections.api.at import StateAt
from schemas.errors import Busy
from tests.simulated.log import SimulatedServer

OF_ONE = MAX_TRAVEL_WAITING_OF_ONE
Asking = asyncio.Task[StateAt]


class Slow(StateService):
    """Is asked, and answers when it is let."""

    def __init__(self) -> None:
        super().__init__(SimulatedServer().connect())
        self.let = asyncio.Event()
        self.asked: list[int] = []

    async def _ask(self, sequence: int) -> StateAt:
        self.asked.append(sequence)
        await self.let.wait()
        return StateAt(sequence, 0, "", ())

    async def ask(self, caller: str, *sequences: int) -> list[Asking]:
        """Have `caller` ask, and wait until all questions are in the row or refused."""
        asking = [asyncio.create_task(self.state_at(one, caller)) for one in sequences]
        await asyncio.sleep(0)
        return asking

    async def fill(self) -> list[Asking]:
        """Have as many ask as may, from several networks."""
        asking = []
        for number in range(1, MAX_TRAVEL_WAITING + 1):
            asking += await self.ask(f"n{(number - 1) // OF_ONE}", number)
        return asking


async def test_beyond_the_bound_a_question_is_refused_at_once_and_none_is_lost() -> None:
    slow = Slow()
    waiting = await slow.fill()
    with pytest.raises(Busy, match="wait"):
        await slow.state_at(1_000, "late")
    assert slow.asked == [1]
    slow.let.set()
    states = await asyncio.gather(*waiting)
    assert [state.sequence for state in states] == sorted(slow.asked)
    assert (await slow.state_at(1_000, "late")).sequence == 1_000


async def test_what_was_answered_once_is_known_even_while_all_wait() -> None:
    slow = Slow()
    slow.let.set()
    await slow.state_at(1_007, "early")
    slow.let.clear()
    waiting = await slow.fill()
    assert (await slow.state_at(1_007, "late")).sequence == 1_007
    slow.let.set()
    await asyncio.gather(*waiting)
    assert slow.asked[0] == 1_007
    assert len(slow.asked) == 1 + MAX_TRAVEL_WAITING


async def test_one_client_cannot_have_all_of_it() -> None:
    """The attack: one client keeps 16 questions waiting, and all others get 503."""
    slow = Slow()
    flood = await slow.ask("attacker", *range(1, 101))
    refused = [one for one in flood if one.done()]
    assert len(refused) == 100 - OF_ONE
    assert all(isinstance(one.exception(), Busy) for one in refused)
    honest = await slow.ask("honest", 1_000)
    assert not honest[0].done()
    slow.let.set()
    assert (await honest[0]).sequence == 1_000
    await asyncio.gather(*flood, return_exceptions=True)
    assert slow.asked == [1, 2, 1_000, 3, 4], "the honest one waits for one turn of the other"


async def test_callers_are_answered_in_turn() -> None:
    slow = Slow()
    waiting = await slow.ask("a", 11, 12, 13, 14)
    waiting += await slow.ask("b", 21, 22)
    waiting += await slow.ask("c", 31)
    slow.let.set()
    await asyncio.gather(*waiting)
    assert slow.asked == [11, 12, 21, 31, 13, 22, 14]


async def test_who_gives_up_gives_the_place_back() -> None:
    slow = Slow()
    running, *waiting = await slow.ask("a", *range(1, OF_ONE + 1))
    for one in (*waiting, running):
        one.cancel()
    await asyncio.gather(running, *waiting, return_exceptions=True)
    again = await slow.ask("a", *range(11, 11 + OF_ONE))
    slow.let.set()
    assert [state.sequence for state in await asyncio.gather(*again)] == [11, 12, 13, 14]


async def test_a_turn_that_comes_with_the_cancellation_is_passed_on() -> None:
    slow = Slow()
    first, second, third = await slow.ask("a", 1, 2, 3)
    slow.let.set()
    await first
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert (await third).sequence == 3
    assert (await slow.state_at(4, "b")).sequence == 4
