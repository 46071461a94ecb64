"""The door asks for one state at a time, and lets no more than so many wait."""

import asyncio

import pytest

from deploy.limits import MAX_TRAVEL_WAITING
from deploy.venue.state_service import StateService
from projections.api.at import StateAt
from schemas.errors import LogUnavailable
from tests.simulated.log import SimulatedServer


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


async def test_beyond_the_bound_a_question_is_refused_at_once_and_none_is_lost() -> None:
    slow = Slow()
    waiting = [
        asyncio.create_task(slow.state_at(number)) for number in range(1, MAX_TRAVEL_WAITING + 1)
    ]
    await asyncio.sleep(0)
    with pytest.raises(LogUnavailable, match="busy"):
        await slow.state_at(1_000)
    assert slow.asked == [1]
    slow.let.set()
    states = await asyncio.gather(*waiting)
    assert [state.sequence for state in states] == slow.asked
    assert (await slow.state_at(1_000)).sequence == 1_000


async def test_what_was_answered_once_is_known_even_while_all_wait() -> None:
    slow = Slow()
    slow.let.set()
    await slow.state_at(7)
    slow.let.clear()
    waiting = [
        asyncio.create_task(slow.state_at(number))
        for number in range(100, 100 + MAX_TRAVEL_WAITING)
    ]
    await asyncio.sleep(0)
    assert (await slow.state_at(7)).sequence == 7
    slow.let.set()
    await asyncio.gather(*waiting)
    assert slow.asked[0] == 7
    assert len(slow.asked) == 1 + MAX_TRAVEL_WAITING
