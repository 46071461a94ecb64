"""Exchange and pricing together, on an empty book: what people do to a MarketPrice."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from engines.exchange.engine import ExchangeEngine
from engines.kernel import fold
from engines.pricing import PricingEngine
from schemas import commands, subjects
from schemas.codec import encode
from schemas.decisions import Mint
from schemas.events.exchange import Traded
from schemas.events.pricing import PriceChanged
from schemas.record_chain import Head
from schemas.units import HOUR_NS, PAR_TICKS
from tests.engines.driver import Driver, decoded
from tests.support.stepped import SteppedVenue

SYMBOL = "RAIN"
CREDITS_CENTS = 100_000
"""1,000 credits for everyone."""
ACCOUNTS = tuple(f"a{number:02}" for number in range(48))
LISTED_E2 = 5_000


@cache
def _founded() -> tuple[int, bytes, bytes]:
    """Return a founded venue's time and states, with everybody's credits paid in."""
    venue = SteppedVenue(0)
    venue.found()
    for account in ACCOUNTS:
        venue.open_account(account)
        venue.decide(Mint, account=account, amount_cents=CREDITS_CENTS)
        venue.settle()
    exchange, pricing = (venue.drivers[name] for name in (subjects.EXCHANGE, subjects.PRICING))
    return (
        venue.now_ns // HOUR_NS * HOUR_NS + HOUR_NS,
        exchange.engine.dump(exchange.state),
        pricing.engine.dump(pricing.state),
    )


class Floor:
    """One market under `seed-plan`, listed at 50, with nobody's orders in it yet."""

    def __init__(self) -> None:
        start_ns, exchange, pricing = _founded()
        self.exchange: Driver[Any] = Driver(ExchangeEngine(), start_ns)
        self.exchange.state = self.exchange.engine.load(exchange)
        self.pricing: Driver[Any] = Driver(PricingEngine(), start_ns)
        self.pricing.state = self.pricing.engine.load(pricing)
        self.start_ns = start_ns
        self.prices: list[tuple[int, int]] = [(start_ns, self.price_e6)]
        """When and to what MarketPrice changed, in millionths of a tick."""
        self.trades: list[Traded] = []
        self._ids = 0

    @property
    def price_e6(self) -> int:
        price = self.pricing.state.symbols[SYMBOL].price
        assert price is not None
        ewma_e6: int = price.ewma_e6
        return ewma_e6

    @property
    def now_ns(self) -> int:
        return self.exchange.now_ns

    def wait(self, span_ns: int) -> None:
        self.exchange.at(self.now_ns + span_ns)
        self.pricing.at(self.now_ns)

    def order(
        self, account: str, side: Any, price: int | None, lots: int, **fields: Any
    ) -> tuple[str, bytes]:
        """Return an order as it stands on the log; without a price at the market."""
        self._ids += 1
        if price is None:
            fields |= {"order_type": "market", "time_in_force": "ioc"}
        placed = commands.PlaceOrder(
            f"o{self._ids}", self.now_ns, SYMBOL, side, lots, price_ticks=price, **fields
        )
        return subjects.order_command("main", account), encode(placed)

    def cancel(self, account: str) -> tuple[str, bytes]:
        self._ids += 1
        command = commands.CancelAll(f"o{self._ids}", self.now_ns, None)
        return subjects.order_command("main", account), encode(command)

    def wash(self, maker: str, taker: str, price: int, lots: int, side: Any = "buy") -> None:
        """Have two accounts trade with each other, as far as nobody is between them."""
        other = "sell" if side == "buy" else "buy"
        self.send(self.order(maker, other, price, lots), self.order(taker, side, price, lots))
        self.send(self.cancel(maker), self.cancel(taker))

    def send(self, *orders: tuple[str, bytes]) -> None:
        """Have one record of the exchange decide on orders, and pricing on that record."""
        written = len(self.exchange.records)
        self.exchange.feed(*orders)
        for data in self.exchange.records[written:]:
            self.trades += [e for e in decoded(data).events if isinstance(e, Traded)]
            for event in self.pricing.feed((subjects.events("main", subjects.EXCHANGE), data)):
                if isinstance(event, PriceChanged):
                    self.prices.append((self.now_ns, event.ewma_e6))

    def best_of(self, accounts: Iterable[str]) -> tuple[int | None, int | None]:
        """Return the best bid and ask among the resting orders of these accounts."""
        bids, asks = [], []
        for account in accounts:
            for order in self.exchange.state.accounts[account].orders.values():
                level = order.level
                if level.side.direction > 0:
                    bids.append(level.cost)
                else:
                    asks.append(PAR_TICKS - level.cost)
        return max(bids, default=None), min(asks, default=None)

    def cash_cents(self, accounts: Sequence[str]) -> int:
        """Return what they have in cash together, reserves included."""
        state = self.exchange.state
        return sum(state.accounts[one].cash + state.accounts[one].reserved for one in accounts)

    def widest_e6(self, span_ns: int = HOUR_NS) -> int:
        """Return the most that the price moved between two moments no further apart."""
        prices = self.prices
        return max(
            abs(later - earlier)
            for at, (from_ns, earlier) in enumerate(prices)
            for to_ns, later in prices[at:]
            if to_ns - from_ns <= span_ns
        )

    def check_folds(self) -> None:
        """Assert that pricing's records lead from the founded venue to its state."""
        engine, head = self.pricing.engine, Head()
        state = engine.load(_founded()[2])
        for data in self.pricing.records:
            head = fold(engine, state, head, decoded(data), data)
        assert engine.dump(state) == engine.dump(self.pricing.state)
