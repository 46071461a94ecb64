"""What those who act in a siege know of the venue, and what they note of its answers."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

HOST: Final = "127.0.0.1"
STRANGE_NETWORKS: Final = "127.66"
"""Attackers come from loopback addresses of their own, as others do from other networks;"""
KIND_NETWORKS: Final = "127.77"
"""and so do the well-behaved."""

Side = Literal["attack", "behaved"]


class Login(msgspec.Struct):
    """An account and the seed of its key."""

    account: str
    seed: str


class Ground(msgspec.Struct):
    """One side's view of the venue: its doors, the accounts that it has, what it may serve at.

    `ports` are free ones of loopback, by the name of the source that is to be served there.
    """

    side: Side
    seed: int
    venue_id: str
    home: str
    http_port: int
    front_port: int
    server_port: int
    free: list[Login]
    funded: list[Login]
    washers: list[Login]
    symbols: list[str]
    wash_symbol: str
    gamed: list[str]
    ports: dict[str, int]

    def address(self, network: int, host: int = 1) -> str:
        """Return a loopback address in a network of this side's."""
        prefix = STRANGE_NETWORKS if self.side == "attack" else KIND_NETWORKS
        return f"{prefix}.{network}.{host}"


@dataclass
class Tally:
    """What was tried, and how it was answered: by status and code, or by what happened."""

    answers: Counter[str] = field(default_factory=Counter)

    def note(self, answer: str, times: int = 1) -> None:
        self.answers[answer] += times


Deed = Callable[["Acting"], Coroutine[Any, Any, None]]


@dataclass
class Acting:
    """One deed under way."""

    ground: Ground
    tally: Tally
    dice: random.Random

    @contextlib.asynccontextmanager
    async def patience(self, hung_up: str = "hung up") -> AsyncIterator[None]:
        """Note a connection that ends, and go on a moment later: an attacker does not give up."""
        try:
            yield
        except (OSError, EOFError, TimeoutError) as error:
            said = str(error)
            self.tally.note(_short(said) if isinstance(error, Refused) else hung_up)
            await asyncio.sleep(0.2)

    async def each(self, count: int, work: Callable[[int], Awaitable[None]]) -> None:
        """Do the same `count` times at once, for as long as the deed lasts."""

        async def again(number: int) -> None:
            while True:
                async with self.patience():
                    await work(number)
                await asyncio.sleep(0)

        await asyncio.gather(*(again(number) for number in range(count)))


class Refused(ConnectionError):
    """A door said no, in the words of the error."""


def _short(said: str) -> str:
    return said.strip().removeprefix("-ERR").strip(" '\r\n")[:60]


@dataclass(frozen=True)
class Attack:
    """One kind of attack, by its item of list A, and what well-behaved clients do instead.

    The twin asks for the same kind of thing from as many places, as it is meant to be asked for.
    """

    name: str
    items: str
    attack: Deed
    behaved: Deed
