"""Workload: traders who place, cancel, repeat themselves and talk nonsense.

Invariants: what was acked is on the log; nothing is there more often than it was sent;
whoever sends a command again has it carried out once; money and shares add up; every book
did what the naive one does.
"""

import asyncio
import random
from typing import Any, Final

from schemas import signatures, subjects
from schemas.codec import encode
from schemas.commands import (
    AccountOpening,
    CancelAll,
    CancelOrder,
    OpenAccount,
    Order,
    PlaceOrder,
    PlaceOrders,
)
from schemas.events import exchange as ex
from schemas.limits import MAX_BATCH_ORDERS
from schemas.records import Record
from tests.engines.exchange.naive_book import NaiveBook, Outcome
from tests.engines.governance.people import Person
from tests.sim.world import Sent, World

ACCOUNTS: Final = tuple(f"trader{number}" for number in range(8))
_PAUSES_S: Final = (0.0, 0.05, 0.5, 2.0, 6.0)
_RETRY_S: Final = (0.05, 0.5, 3.0)
_LATE_S: Final = (2.0, 10.0, 40.0)
_QUIET_S: Final = 140.0
"""Longer than the exchange remembers client ids."""
_ATTEMPTS: Final = 4


async def open_accounts(world: World, venue_id: str) -> None:
    """Have every trader's account."""
    for number, name in enumerate(ACCOUNTS):
        holder = Person(name, 1000 + number)
        now_ns = world.now_ns()
        opening = AccountOpening(
            account=name, public_key=holder.key, client_time_ns=now_ns, venue_id=venue_id
        )
        signature = signatures.sign(holder.seed, encode(opening))
        command = OpenAccount(now_ns, holder.key, signature)
        await world.deliver(world.new(subjects.account_command("main", name), encode(command)))


class Orders:
    """All traders together: `commands` different ones."""

    def __init__(self, world: World, commands: int, symbols: tuple[str, ...]) -> None:
        self._world = world
        self._commands = commands
        self._symbols = symbols
        self._dice = random.Random(f"{world.seed} orders")
        self._known: list[tuple[str, int]] = []
        """Accounts and order ids that were acked lately."""
        self._repeats: list[asyncio.Task[None]] = []

    async def drive(self) -> None:
        """Send everything."""
        share = self._commands // len(ACCOUNTS)
        quiet = self._dice.random() < 0.25
        await asyncio.gather(*(self._trader(name, share, quiet) for name in ACCOUNTS))
        await asyncio.gather(*self._repeats)

    async def probe(self) -> int:
        """Have every account cancel what it has; return the sequence of the last of these."""
        last = 0
        for account in ACCOUNTS:
            command = encode(CancelAll(f"{account}-probe", self._world.now_ns(), None))
            sent = self._world.new(subjects.order_command("main", account), command)
            last = max(last, await self._world.deliver(sent))
        return last

    async def _trader(self, account: str, commands: int, quiet: bool) -> None:
        dice, left, number = self._dice, commands, 0
        while left:
            burst = min(left, dice.choice((1, 3, 20, 60)))
            left -= burst
            intents = []
            for _ in range(burst):
                number += 1
                payload = self._command(account, f"{account}-{number}", number)
                intents.append(self._world.new(subjects.order_command("main", account), payload))
            await asyncio.gather(*(self._intent(account, sent) for sent in intents))
            if quiet and left <= commands // 2:
                quiet = False
                await asyncio.sleep(_QUIET_S)
            await asyncio.sleep(dice.choice(_PAUSES_S))

    async def _intent(self, account: str, sent: Sent) -> None:
        """Send one command until it is acked or patience ends, and sometimes once more."""
        for _ in range(_ATTEMPTS):
            sequence = await self._world.attempt(sent)
            if sequence is not None:
                self._known = [*self._known[-60:], (account, sequence * MAX_BATCH_ORDERS)]
                break
            await asyncio.sleep(self._dice.choice(_RETRY_S))
        if self._dice.random() < 0.05:
            loop = asyncio.get_running_loop()
            self._repeats.append(loop.create_task(self._repeat(sent)))

    async def _repeat(self, sent: Sent) -> None:
        await asyncio.sleep(self._dice.choice(_LATE_S))
        await self._world.attempt(sent)

    def _command(self, account: str, client_id: str, number: int) -> bytes:
        dice, now_ns = self._dice, self._world.now_ns()
        roll = dice.random()
        if roll < 0.01:
            return b'{"rubbish": "%b"}' % client_id.encode()
        if roll < 0.03:
            return encode(CancelAll(client_id, now_ns, dice.choice([None, *self._symbols])))
        if roll < 0.15 and self._known:
            own = [order for name, order in self._known if name == account]
            order_id = dice.choice(own) if own else self._known[-1][1]
            return encode(CancelOrder(client_id, now_ns, order_id))
        if roll < 0.18:
            return encode(PlaceOrders(now_ns, self._batch(client_id)))
        market = roll > 0.97
        return encode(
            PlaceOrder(
                client_order_id=client_id,
                client_time_ns=now_ns,
                symbol="NOPE" if roll > 0.995 else dice.choice(self._symbols),
                side=dice.choice(("buy", "sell")),
                quantity_lots=dice.randrange(1, 50),
                order_type="market" if market else "limit",
                price_ticks=None if market else 5000 + dice.randrange(-30, 31),
                time_in_force="ioc" if market else dice.choice(("gtc", "gtc", "ioc", "fok")),
                post_only=not market and dice.random() < 0.05,
            )
        )

    def _batch(self, client_id: str) -> list[Order]:
        return [
            Order(
                client_order_id=f"{client_id}-{index}",
                symbol=self._dice.choice(self._symbols),
                side=self._dice.choice(("buy", "sell")),
                quantity_lots=5,
                price_ticks=5000 + index,
            )
            for index in range(3)
        ]


class OrdersCheck:
    """Follows the exchange's records and finds what cannot be."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.duplicates = 0
        self.stale = 0
        self.forgotten = 0
        self._books: dict[str, NaiveBook] = {}
        self._where: dict[int, str] = {}
        self._used: dict[tuple[str, str], int] = {}
        self._placed: ex.OrderPlaced | None = None
        self._trades: list[tuple[int, int, int]] = []

    def take(self, record: Record) -> None:
        """Follow one record of the exchange."""
        for event in record.events:
            if not isinstance(event, ex.Traded):
                self._finish()
            self._event(event)
        self._finish()

    def _event(self, event: Any) -> None:
        match event:
            case ex.Traded():
                self._trades.append((event.maker_order_id, event.quantity_lots, event.price_ticks))
            case ex.OrderPlaced():
                self._use(event.account, event.client_order_id, event.cause)
                self._placed, self._trades = event, []
            case ex.OrdersCancelled():
                self._use(event.account, event.client_id, event.cause)
                for order_id in event.order_ids:
                    self._cancel(order_id)
            case ex.BookOpened():
                self._books[event.symbol] = NaiveBook()
            case ex.BookClosed() | ex.BookSettled():
                self._books[event.symbol].orders.clear()
            case ex.OrderRejected() | ex.CommandRefused():
                self.duplicates += event.code == "duplicate"
                self.stale += event.code == "stale"
            case ex.IdsForgotten():
                self.forgotten += 1
            case _:
                pass

    def _use(self, account: str, client_id: str, cause: int) -> None:
        first = self._used.setdefault((account, client_id), cause)
        if first != cause:
            self.problems.append(f"{client_id} of {account} was carried out at {first} and {cause}")

    def _cancel(self, order_id: int) -> None:
        book = self._books[self._where[order_id]]
        if not any(order.order_id == order_id for order in book.orders):
            self.problems.append(f"order {order_id} was cancelled and did not rest")
        book.cancel(order_id)

    def _finish(self) -> None:
        """Compare the last order and its trades with what the naive book makes of it."""
        placed, self._placed = self._placed, None
        if placed is None:
            return
        self._where[placed.order_id] = placed.symbol
        wanted = self._books[placed.symbol].place(
            placed.order_id,
            placed.account,
            placed.side,
            placed.quantity_lots,
            placed.price_ticks,
            placed.time_in_force,
            False,
        )
        found = Outcome(
            self._trades, placed.resting_lots, placed.cancel_reason, placed.self_trade_order_id
        )
        if wanted != found:
            self.problems.append(f"order {placed.order_id}: the naive book says {wanted}")
