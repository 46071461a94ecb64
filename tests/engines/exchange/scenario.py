"""Scenarios as text: what people do on the left, what comes of it behind `>`.

    a1: alice buy 10 X @ 50        an order with a name; `ioc`, `fok`, `post`, `market` may follow
    cancel a1 by alice             and `cancel all [X] by alice`
    batch by alice                 orders, one per line, up to `end`
    halt X · resume X · close X · settle X 62.5
    show alice                     > cash 90.00 reserved 10.00 X +10
    book X                         > 10 @ 50 | 5 @ 55

Prices are 0..100 with up to two decimals, money is in credits.
"""

import re
from collections.abc import Iterator

from schemas.commands import CancelAll, CancelOrder, Order, PlaceOrder, PlaceOrders
from schemas.events import Event
from schemas.events.exchange import (
    BookClosed,
    BookHalted,
    BookResumed,
    BookSettled,
    CommandRefused,
    OrderPlaced,
    OrderRejected,
    OrdersCancelled,
    Traded,
)
from schemas.events.governance import (
    MarketClosed,
    MarketHalted,
    MarketResolved,
    MarketResumed,
)
from schemas.limits import MAX_BATCH_ORDERS
from schemas.policy import ExchangePolicy
from schemas.units import from_decimal, to_decimal
from tests.engines.exchange.venue import ExchangeVenue

_ORDER = re.compile(
    r"(?P<name>\w+): (?P<who>\w+) (?P<side>buy|sell) (?P<lots>-?\d+) (?P<symbol>\w+)"
    r"(?: @ (?P<price>[\d.]+))?(?P<words>(?: \w+)*)"
)


class Scenario:
    """Runs one text; `run` returns the text as it should have been."""

    def __init__(self, cash: str = "10000", policy: ExchangePolicy | None = None) -> None:
        self.venue = ExchangeVenue(policy)
        self.venue.markets("X", "Y")
        self.cash = from_decimal(cash)
        self.people: set[str] = set()
        self.names: dict[int, str] = {}
        self.ids: dict[str, int] = {}
        self.counted = 0

    def run(self, text: str) -> str:
        lines = [line.split("#")[0].strip() for line in text.strip().splitlines()]
        told: list[str] = []
        feed = iter([line for line in lines if line and not line.startswith(">")])
        for line in feed:
            told.append(line)
            told += [f"> {answer}" for answer in self._do(line, feed, told)]
        self.venue.check()
        return "\n".join(told)

    def _do(self, line: str, feed: Iterator[str], told: list[str]) -> Iterator[str]:
        words = line.split()
        if line.startswith("batch by "):
            events = self._batch(words[2], feed, told)
        elif match := _ORDER.fullmatch(line):
            events = self._order(match)
        elif words[0] == "cancel":
            events = self._cancel(words)
        elif words[0] == "show":
            self._known(words[1])
            yield self._show(words[1])
            return
        elif words[0] == "book":
            yield self._book(words[1])
            return
        else:
            events = self._decide(words)
        for event in events:
            text = self._tell(event)
            if text:
                yield text

    def _known(self, who: str) -> str:
        if who not in self.people and who != "nobody":
            self.people.add(who)
            self.venue.open(who, self.cash)
        return who

    def _terms(self, match: re.Match[str]) -> dict[str, object]:
        words = (match["words"] or "").split()
        tif = next((word for word in words if word in ("ioc", "fok")), "gtc")
        return {
            "client_order_id": next((w[3:] for w in words if w.startswith("id_")), match["name"]),
            "symbol": match["symbol"],
            "side": match["side"],
            "quantity_lots": int(match["lots"]),
            "order_type": "market" if "market" in words else "limit",
            "price_ticks": from_decimal(match["price"]) if match["price"] else None,
            "time_in_force": tif,
            "post_only": "post" in words,
        }

    def _name(self, name: str, index: int = 0) -> None:
        order_id = (self.venue.sequence + 1) * MAX_BATCH_ORDERS + index
        self.ids[name], self.names[order_id] = order_id, name

    def _order(self, match: re.Match[str]) -> list[Event]:
        who = self._known(match["who"])
        self._name(match["name"])
        terms = self._terms(match)
        return self.venue.order(who, PlaceOrder(client_time_ns=self.venue.now_ns, **terms))  # type: ignore[arg-type]

    def _batch(self, who: str, feed: Iterator[str], told: list[str]) -> list[Event]:
        self._known(who)
        orders: list[Order] = []
        for line in feed:
            told.append(line)
            if line == "end":
                break
            match = _ORDER.fullmatch(line)
            assert match, line
            self._name(match["name"], len(orders))
            orders.append(Order(**self._terms(match)))  # type: ignore[arg-type]
        return self.venue.order(who, PlaceOrders(self.venue.now_ns, orders))

    def _cancel(self, words: list[str]) -> list[Event]:
        self.counted += 1
        who, now = self._known(words[-1]), self.venue.now_ns
        client_id = f"c{self.counted}"
        if words[1] == "all":
            symbol = words[2] if words[2] != "by" else None
            return self.venue.order(who, CancelAll(client_id, now, symbol))
        return self.venue.order(who, CancelOrder(client_id, now, self.ids.get(words[1], 1)))

    def _decide(self, words: list[str]) -> list[Event]:
        verb, symbol = words[:2]
        if verb == "settle":
            value = from_decimal(words[2])
            return self.venue.govern(MarketResolved(1, symbol, value, ""))
        if verb == "resume":
            return self.venue.govern(MarketResumed(1, symbol))
        if verb == "halt":
            return self.venue.govern(MarketHalted(1, symbol, ""))
        assert verb == "close", verb
        return self.venue.govern(MarketClosed(1, symbol, ""))

    def _tell(self, event: Event) -> str:
        names = self.names
        match event:
            case OrderPlaced():
                told = [names[event.order_id]]
                if event.filled_lots:
                    told.append(f"filled {event.filled_lots}")
                if event.resting_lots:
                    told.append(f"rests {event.resting_lots}")
                if event.cancelled_lots or event.cancel_reason:
                    told.append(f"cancelled {event.cancelled_lots} {event.cancel_reason}")
                if event.self_trade_order_id is not None:
                    told.append(f"at {names[event.self_trade_order_id]}")
                return " ".join(told)
            case Traded():
                price = _price(event.price_ticks)
                taker, maker = names[event.taker_order_id], names[event.maker_order_id]
                return f"{taker} {event.taker_side}s {event.quantity_lots} @ {price} from {maker}"
            case OrderRejected():
                first = event.duplicate_of
                duplicate = f" of {names[first]}" if first is not None else ""
                return f"{names[event.order_id]} refused {event.code}{duplicate}"
            case OrdersCancelled():
                return " ".join(["cancelled", *(names[i] for i in event.order_ids)])
            case CommandRefused():
                return f"refused {event.code}"
            case BookHalted() | BookResumed() | BookClosed() | BookSettled():
                return type(event).__name__
            case _:
                return ""

    def _show(self, who: str) -> str:
        account = self.venue.state.accounts[who]
        told = [f"cash {to_decimal(account.cash)} reserved {to_decimal(account.reserved)}"]
        for symbol, book in self.venue.state.books.items():
            holding = book.holdings.get(who)
            if holding is not None and holding.lots:
                told.append(f"{symbol} {holding.lots:+d}")
        return " ".join(told)

    def _book(self, symbol: str) -> str:
        bid, bid_lots, ask, ask_lots = self.venue.state.books[symbol].top()
        left = f"{bid_lots} @ {_price(bid)}" if bid else "-"
        right = f"{ask_lots} @ {_price(ask)}" if ask else "-"
        return f"{left} | {right}"


def _price(ticks: int) -> str:
    return to_decimal(ticks).removesuffix(".00")


def check(text: str, cash: str = "10000", policy: ExchangePolicy | None = None) -> None:
    """Assert that running the scenario says what stands in it."""
    lines = [line.split("#")[0].strip() for line in text.strip().splitlines()]
    assert Scenario(cash, policy).run(text) == "\n".join(line for line in lines if line)
