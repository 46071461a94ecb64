"""Stories: seeded records as a venue's engines would write them, without the engines.

A naive market decides; what it decides is consistent (orders rest before they trade,
balances are stated at a record's end), though nobody's credits are checked.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.chain import GENESIS_HASH, digest
from schemas.codec import encode
from schemas.decisions import Genesis, SignedDecision
from schemas.events import Event, notary, pricing
from schemas.events import exchange as ex
from schemas.events import governance as gov
from schemas.policy import SEED_PLAN
from schemas.records import Record, seal
from schemas.subjects import events as events_subject
from schemas.units import SECOND_NS
from tests.projections.news import News
from tests.simulated.log import SimulatedServer

START_NS = 1_800_000_000 * SECOND_NS
ROOT_KEY = "U" + "R" * 55
GENESIS = encode(Genesis("Test venue", ROOT_KEY, "U" + "N" * 55, SEED_PLAN, START_NS)).decode()
VENUE_ID = digest(GENESIS.encode())


class Scribe:
    """Appends chained records of several engines to one simulated log."""

    def __init__(self, server: SimulatedServer) -> None:
        self.server = server
        self.time_ns = START_NS
        self._heads: dict[str, tuple[int, str]] = {}

    @property
    def next_sequence(self) -> int:
        return self.server.last_sequence + 1

    def command(self, payload: bytes = b"{}") -> int:
        """Append a message that projections do not read, and return its sequence."""
        return self.server.store([(f"{self.server.shard}.cmd.order.someone", payload)])

    def found(self) -> int:
        signed = SignedDecision(ROOT_KEY, GENESIS, "x" * 86)
        subject = f"{self.server.shard}.cmd.admin.{ROOT_KEY}"
        return self.server.store([(subject, encode(signed))])

    def build(self, engine: str, events: Iterable[Event], epoch: int = 1) -> tuple[bytes, str]:
        """Return the bytes of the engine's next record and their hash, without appending."""
        number, prev = self._heads.get(engine, (0, GENESIS_HASH))
        last_input = self.server.last_sequence
        record = Record(
            engine=engine,
            decider=f"{engine}/1",
            epoch=epoch,
            number=number + 1,
            first_input=last_input,
            last_input=last_input,
            time_ns=self.time_ns,
            tick=False,
            events=list(events),
            state_hash=None,
            prev=prev,
        )
        return seal(record)

    def write(self, engine: str, *events: Event, epoch: int = 1) -> int:
        """Append the engine's next record and return its sequence."""
        data, hash_ = self.build(engine, events, epoch)
        number, _ = self._heads.get(engine, (0, GENESIS_HASH))
        self._heads[engine] = number + 1, hash_
        return self.server.store([(events_subject(self.server.shard, engine), data)])


@dataclass
class Resting:
    account: str
    symbol: str
    side: Any
    price: int
    lots: int


@dataclass
class Story:
    """A venue that lives by the dice of `seed`."""

    scribe: Scribe
    seed: int = 0
    accounts: list[str] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    news: News = field(init=False)
    resting: dict[int, Resting] = field(default_factory=dict)
    positions: dict[tuple[str, str], int] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    trades: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.news = News(self.scribe, ["S0", "S1"], self.seed)

    def begin(self, accounts: int = 5, symbols: int = 2) -> None:
        """Found the venue, list `symbols` and open `accounts`."""
        cause = self.scribe.found()
        self.scribe.write(
            "governance",
            gov.VenueFounded(cause, VENUE_ID, "Test venue", ROOT_KEY, "U" + "N" * 55, SEED_PLAN),
            gov.KeyEnrolled(cause, ROOT_KEY, "root", "super-admin"),
            gov.PolicySet(cause, 1, SEED_PLAN, "genesis"),
        )
        self.list_markets([f"S{number}" for number in range(symbols)])
        self.open_accounts([f"acct{number}" for number in range(accounts)])

    def list_markets(self, symbols: Sequence[str]) -> None:
        cause = self.scribe.command()
        listed = [listing(cause, symbol) for symbol in symbols]
        accepted = gov.DecisionAccepted(cause, ROOT_KEY, 1, "list_market/1", "h", [ROOT_KEY])
        record = self.scribe.write("governance", accepted, *listed)
        self.scribe.write("exchange", *(ex.BookOpened(record, symbol, 1) for symbol in symbols))
        blends = (pricing.BlendSet(record, symbol, 5000, 5000, 5000) for symbol in symbols)
        self.scribe.write("pricing", *blends)
        self.symbols += symbols

    def open_accounts(self, accounts: Sequence[str]) -> None:
        events: list[Event] = []
        for account in accounts:
            cause = self.scribe.command()
            events.append(ex.AccountOpened(cause, account, "U" + "A" * 55))
            events.append(ex.CashCredited(cause, account, 1_000_000, "signup_grant"))
        balances = [ex.Balance(account, 1_000_000, 0) for account in accounts]
        last = self.scribe.next_sequence - 1
        self.scribe.write("exchange", *events, ex.BalancesChanged(last, balances, []))
        self.accounts += accounts

    def trade(self, records: int, commands: int = 5) -> None:
        """Let some commands happen, in `records` records of the exchange."""
        for _ in range(records):
            self.scribe.time_ns += self.dice.randrange(1, 120 * SECOND_NS)
            causes = [self.scribe.command() for _ in range(commands)]
            events: list[Event] = []
            for cause in causes:
                events += self._command(cause)
            events += self._end(causes[-1])
            sequence = self.scribe.write("exchange", *events)
            self._price(sequence)
            if self.dice.random() < 0.1:
                through = self.scribe.next_sequence - 1
                self.scribe.write("notary", notary.Sealed(through, through, "c" * 64, ""))

    def _command(self, cause: int) -> list[Event]:
        roll = self.dice.random()
        if roll < 0.2 and self.resting:
            mine = self.dice.choice(list(self.resting.values())).account
            ids = [key for key, order in self.resting.items() if order.account == mine]
            ids = self.dice.sample(ids, min(len(ids), 2))
            for order_id in ids:
                del self.resting[order_id]
            return [ex.OrdersCancelled(cause, mine, f"x{cause}", ids)]
        account = self.dice.choice(self.accounts)
        if roll < 0.25:
            return [ex.OrderRejected(cause, cause * 100, account, "no\0", "S0", "stale", None)]
        if roll < 0.28:
            return [ex.CommandRefused(cause, account, "c", "malformed", "")]
        symbols = [symbol for symbol in self.symbols if symbol not in self.closed]
        if not symbols:
            return []
        return self._order(cause, account, self.dice.choice(symbols))

    def _order(self, cause: int, account: str, symbol: str) -> list[Event]:
        side: Any = self.dice.choice(["buy", "sell"])
        price, quantity = 5000 + self.dice.randrange(-3, 4), self.dice.randrange(1, 20)
        left, trades, order_id = quantity, [], cause * 100
        for maker_id, maker in list(self.resting.items()):
            if maker.symbol != symbol or maker.side == side or not left:
                continue
            if (maker.price > price) if side == "buy" else (maker.price < price):
                continue
            lots = min(left, maker.lots)
            left -= lots
            maker.lots -= lots
            if not maker.lots:
                del self.resting[maker_id]
            self.trades += 1
            self._move(account, symbol, lots if side == "buy" else -lots)
            self._move(maker.account, symbol, -lots if side == "buy" else lots)
            trades.append(
                ex.Traded(
                    cause, self.trades, symbol, maker.price, lots, side, order_id, account,
                    maker_id, maker.account, maker.lots,
                )
            )  # fmt: skip
        rests = left if self.dice.random() < 0.8 else 0
        if rests:
            self.resting[order_id] = Resting(account, symbol, side, price, rests)
        placed = ex.OrderPlaced(
            cause, order_id, account, f"c{cause}", symbol, side, "limit",
            "gtc" if rests or not left else "ioc", price, quantity,
            quantity - left, rests, left - rests, "ioc" if left > rests else "", None,
        )  # fmt: skip
        return [placed, *trades]

    def _move(self, account: str, symbol: str, lots: int) -> None:
        self.positions[account, symbol] = self.positions.get((account, symbol), 0) + lots

    def _end(self, cause: int) -> list[Event]:
        """State the balances of some accounts, all positions, and the tops of all books."""
        touched = self.dice.sample(self.accounts, min(3, len(self.accounts)))
        balances = [ex.Balance(one, self.dice.randrange(10**6), 5) for one in touched]
        positions = [ex.Position(*key, lots) for key, lots in self.positions.items()]
        tops = [self._top(symbol) for symbol in self.symbols]
        return [ex.BalancesChanged(cause, balances, positions), ex.TopsChanged(cause, tops)]

    def levels(self, symbol: str, side: str) -> list[tuple[int, int]]:
        """Return (price, lots) of the levels of one side, best first."""
        found: dict[int, int] = {}
        for order in self.resting.values():
            if order.symbol == symbol and order.side == side:
                found[order.price] = found.get(order.price, 0) + order.lots
        return sorted(found.items(), reverse=side == "buy")

    def best(self, symbol: str, side: str) -> tuple[int | None, int]:
        """Return (price, lots) of the best level, (None, 0) when the side is empty."""
        levels = self.levels(symbol, side)
        return levels[0] if levels else (None, 0)

    def _top(self, symbol: str) -> ex.Top:
        return ex.Top(symbol, *self.best(symbol, "buy"), *self.best(symbol, "sell"))

    def _price(self, cause: int) -> None:
        symbol = self.dice.choice(self.symbols)
        price = 5000 + self.dice.randrange(-100, 100)
        self.scribe.write(
            "pricing",
            pricing.PriceChanged(cause, symbol, "trades", price * 10**6, price, price, price),
            pricing.VolumeTraded(cause, symbol, self.scribe.time_ns, 3, 4, []),
            pricing.PressureChanged(cause, symbol, 3, 4, 1, 2, 30, 40, 5, 6),
        )

    def halt(self, symbol: str) -> None:
        record = self.scribe.write(
            "governance", gov.MarketHalted(self.scribe.command(), symbol, "news")
        )
        self.scribe.write("exchange", ex.BookHalted(record, symbol))

    def resume(self, symbol: str) -> None:
        cause = self.scribe.command()
        record = self.scribe.write("governance", gov.MarketResumed(cause, symbol))
        self.scribe.write("exchange", ex.BookResumed(record, symbol))

    def resolve(self, symbol: str, value_ticks: int) -> None:
        cause = self.scribe.command()
        decided = gov.MarketResolved(cause, symbol, value_ticks, "it happened")
        record = self.scribe.write("governance", decided)
        self.closed.add(symbol)
        self.resting = {k: o for k, o in self.resting.items() if o.symbol != symbol}
        zeroed = [key for key in self.positions if key[1] == symbol]
        for key in zeroed:
            self.positions[key] = 0
        self.scribe.write(
            "exchange",
            ex.BookSettled(record, symbol, value_ticks),
            ex.BalancesChanged(record, [], [ex.Position(*key, 0) for key in zeroed]),
            ex.TopsChanged(record, [ex.Top(symbol, None, 0, None, 0)]),
        )

    def people(self) -> None:
        """Enrol, promote, rotate and revoke keys, refuse, mint, override, set a policy."""
        cause = self.scribe.command()
        self.scribe.write(
            "governance",
            gov.KeyEnrolled(cause, "KEY1", "ann", "editor"),
            gov.RoleGranted(cause, "KEY1", "admin"),
            gov.KeyRotated(cause, "KEY1", "KEY2", START_NS),
            gov.KeyRotated(cause, "KEY2", "KEY3", START_NS),
            gov.KeyRevoked(cause, "KEY2", "lost"),
            gov.DecisionRefused(cause, "KEY2", "list_market/1", "key_revoked", "no\0"),
            gov.DecisionPending(cause, "KEY3", 1, "mint/1", "d" * 64, "{}", ["KEY3"], 2, START_NS),
            gov.DecisionCoSigned(cause, ROOT_KEY, 2, "d" * 64),
            gov.CreditsMinted(cause, self.accounts[0], 500, "hello"),
            gov.CreditsMinted(cause, self.accounts[0], 700, "again"),
            gov.OpsOverridden(cause, ROOT_KEY, "restart", "stuck"),
            gov.PolicySet(cause, 2, SEED_PLAN, "new"),
            gov.DecisionPending(cause, "KEY3", 2, "mint/1", "e" * 64, "{}", ["KEY3"], 3, START_NS),
            gov.DecisionCoSigned(cause, ROOT_KEY, 3, "e" * 64),
            gov.DecisionCoSigned(cause, "KEY1", 3, "e" * 64),
            gov.DecisionAccepted(cause, "KEY3", 2, "mint/1", "e" * 64, ["KEY3", ROOT_KEY, "KEY1"]),
            gov.DecisionLapsed(cause, "d" * 64),
        )
        record = self.scribe.next_sequence - 1
        self.scribe.write(
            "exchange",
            ex.CashCredited(record, self.accounts[0], 500, "mint"),
            ex.CashCredited(record, self.accounts[0], 700, "mint"),
            ex.CreditRefused(record, "nobody", 5, "unknown_account"),
            ex.LimitsSet(record, SEED_PLAN.exchange, VENUE_ID),
            ex.IdsForgotten(record, START_NS),
        )


def listing(cause: int, symbol: str) -> gov.MarketListed:
    return gov.MarketListed(
        cause, symbol, f"Name of {symbol}", "Will it\t\\happen?\n", "political", "election",
        "eu", "high", [symbol.lower(), 'a "quoted", {braced} name'], 5000, 5000, 4200, 1, "0",
        "100", ROOT_KEY,
    )  # fmt: skip


def told(seed: int = 0, records: int = 20, commands: int = 5) -> Story:
    """Return a story with some of everything, on a log of its own. A record comes last."""
    story = Story(Scribe(SimulatedServer()), seed)
    story.begin()
    story.news.begin()
    story.trade(records // 2, commands)
    story.news.happen(records)
    story.people()
    story.halt("S1")
    story.resume("S1")
    story.news.one_of_each()
    story.trade(records - records // 2, commands)
    story.news.happen(records)
    story.resolve("S0", 10_000)
    story.trade(2, commands)
    return story
