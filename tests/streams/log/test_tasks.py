"""Work that lives together ends together, and always in the same way."""

import asyncio

import pytest

from streams.log.tasks import run_until_first_exits


class Failed(Exception):
    pass


async def fails(name: str, when: asyncio.Event) -> None:
    await when.wait()
    raise Failed(name)


async def for_ever(ended: list[str], name: str) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(name)


async def test_the_first_to_end_ends_the_others() -> None:
    ended: list[str] = []

    async def short() -> None:
        await asyncio.sleep(0)

    await run_until_first_exits(for_ever(ended, "a"), short(), for_ever(ended, "b"))
    assert ended == ["a", "b"]


async def test_what_one_raises_is_raised_when_the_others_have_ended() -> None:
    ended: list[str] = []
    now = asyncio.Event()
    now.set()
    with pytest.raises(Failed, match="it"):
        await run_until_first_exits(for_ever(ended, "a"), fails("it", now))
    assert ended == ["a"]


async def test_of_several_that_fail_at_once_the_first_in_order_counts() -> None:
    """Not the first in a set, whose order is where the tasks lie in memory."""
    for _ in range(50):
        when = asyncio.Event()
        asyncio.get_running_loop().call_soon(when.set)
        with pytest.raises(Failed, match=r"^first$"):
            await run_until_first_exits(
                *(fails(name, when) for name in ("first", "second", "third"))
            )
