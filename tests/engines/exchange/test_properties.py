"""What holds whatever people do: random venues against the oracle and the invariants."""

from itertools import cycle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engines.exchange.engine import ExchangeEngine
from engines.exchange.snapshot import dump, load
from engines.kernel import decide_group, fold, write
from schemas.codec import encode
from schemas.commands import CancelAll, CancelOrder, Order, PlaceOrder, PlaceOrders
from schemas.events import Event
from schemas.events.exchange import (
    BalancesChanged,
    CommandRefused,
    OrderPlaced,
    OrderRejected,
    OrdersCancelled,
    Traded,
)
from schemas.events.governance import (
    CreditsMinted,
    MarketClosed,
    MarketHalted,
    MarketResolved,
    MarketResumed,
)
from schemas.limits import MAX_BATCH_ORDERS
from schemas.policy import ExchangePolicy
from schemas.record_chain import Head
from schemas.units import PAR_TICKS, SECOND_NS
from tests.engines.driver import Driver, decoded
from tests.engines.exchange.deep_audit import deep_audit
from tests.engines.exchange.naive_book import NaiveBook, Outcome
from tests.engines.exchange.venue import START_NS, ExchangeVenue
from tests.support.drawing import drawn

PEOPLE = ("ann", "bob", "cyd", "dan")
SYMBOLS = ("X", "Y")

prices = st.one_of(
    st.sampled_from((4_900, 4_950, 5_000, 5_050, 5_100)), st.integers(1, PAR_TICKS - 1)
)
terms = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from((*SYMBOLS, "X")),
        "side": st.sampled_from(("buy", "sell")),
        "quantity_lots": st.integers(1, 30),
        "price_ticks": st.one_of(prices, prices, prices, st.none()),
        "time_in_force": st.sampled_from(("gtc", "gtc", "gtc", "ioc", "fok")),
        "post_only": st.sampled_from((False, False, False, True)),
    }
)
people = st.sampled_from(PEOPLE)
steps = st.one_of(
    st.tuples(st.just("order"), people, terms),
    st.tuples(st.just("order"), people, terms),
    st.tuples(st.just("order"), people, terms),
    st.tuples(st.just("batch"), people, st.lists(terms, min_size=1, max_size=5)),
    st.tuples(st.just("cancel"), people, st.integers(0, 200)),
    st.tuples(st.just("all"), people, st.sampled_from((None, *SYMBOLS))),
)
rare_steps = st.one_of(
    steps,
    steps,
    steps,
    steps,
    st.tuples(st.just("mint"), people, st.integers(1, 100_000)),
    st.tuples(
        st.sampled_from(("halt", "resume", "close", "settle")),
        st.sampled_from(SYMBOLS),
        st.integers(0, PAR_TICKS),
    ),
)


def fields(chosen: dict[str, Any]) -> dict[str, Any]:
    kind = "limit" if chosen["price_ticks"] is not None else "market"
    return {**chosen, "order_type": kind}


class Play:
    """Turns random steps into messages, and keeps every order id that there was."""

    def __init__(self, policy: ExchangePolicy | None = None, cents: int = 400_000) -> None:
        self.venue = ExchangeVenue(policy)
        self.venue.markets(*SYMBOLS)
        for name in PEOPLE:
            self.venue.open(name, cents)
        self.order_ids: list[int] = []
        self.count = 0

    def engine_dump(self) -> bytes:
        return self.venue.engine.dump(self.venue.state)

    def client_id(self) -> str:
        self.count += 1
        return f"id-{self.count}"

    def command(self, step: tuple[Any, ...]) -> tuple[str, bytes]:
        kind, who, what = step
        now = self.venue.now_ns
        first = (self.venue.sequence + 1) * MAX_BATCH_ORDERS
        if kind == "order":
            self.order_ids.append(first)
            command: Any = PlaceOrder(self.client_id(), now, **fields(what))
        elif kind == "batch":
            self.order_ids += range(first, first + len(what))
            orders = [Order(client_order_id=self.client_id(), **fields(terms)) for terms in what]
            command = PlaceOrders(now, orders)
        elif kind == "cancel":
            chosen = self.order_ids[what % len(self.order_ids)] if self.order_ids else 1
            command = CancelOrder(self.client_id(), now, chosen)
        else:
            command = CancelAll(self.client_id(), now, what)
        return self.venue.order_message(who, command)

    def do(self, step: tuple[Any, ...]) -> list[Event]:
        kind, who, what = step
        govern = self.venue.govern
        match kind:
            case "mint":
                return govern(CreditsMinted(1, who, what, ""))
            case "halt":
                return govern(MarketHalted(1, who, ""))
            case "resume":
                return govern(MarketResumed(1, who))
            case "close":
                return govern(MarketClosed(1, who, ""))
            case "settle":
                return govern(MarketResolved(1, who, what, ""))
            case _:
                return self.venue.feed(self.command(step))


@drawn(150)
@given(st.lists(rare_steps, max_size=60))
def test_everything_adds_up_after_every_step(plan: list[tuple[Any, ...]]) -> None:
    play = Play()
    for step in plan:
        before = play.venue.hash()
        events = play.do(step)
        deep_audit(play.venue.state)
        if events and all(isinstance(e, OrderRejected | CommandRefused) for e in events):
            assert play.venue.hash() == before
        check_outcomes(events)
    play.venue.check()


@drawn(60)
@given(st.lists(rare_steps, max_size=80), st.integers(0, 80))
def test_poor_accounts_are_never_overdrawn(plan: list[tuple[Any, ...]], cut: int) -> None:
    """With little cash, covers and reserves are all that orders live on."""
    play = Play(cents=60_000)
    for at, step in enumerate(plan):
        play.venue.at(play.venue.now_ns + at * 5 * SECOND_NS)
        play.do(step)
        deep_audit(play.venue.state)
        if at == cut:  # go on from a snapshot, as a restarted engine does
            play.venue.state = load(dump(play.venue.state))
    play.venue.check()
    decided_again(play.venue)


def decided_again(venue: ExchangeVenue) -> None:
    """Assert that deciding every record again from its inputs gives the same bytes."""
    engine = ExchangeEngine()
    state, head = engine.initial(), Head()
    for data in venue.records:
        record = decoded(data)
        covered = (record.first_input, record.last_input)
        inputs = [] if record.tick else [m for m in venue.inputs if within(m.sequence, covered)]
        group = decide_group(engine, state, inputs, record.time_ns)
        again, head = write(
            engine,
            state,
            head,
            record.epoch,
            None if record.tick else covered,
            record.time_ns,
            list(group.events),
        )
        assert again == data


def within(sequence: int, covered: tuple[int, int]) -> bool:
    return covered[0] <= sequence <= covered[1]


def check_outcomes(events: list[Event]) -> None:
    """Each placed order's quantity is filled + resting + cancelled, and its trades fill it."""
    for event in events:
        if isinstance(event, OrderPlaced):
            parts = event.filled_lots + event.resting_lots + event.cancelled_lots
            assert parts == event.quantity_lots
            trades = [
                e for e in events if isinstance(e, Traded) and e.taker_order_id == event.order_id
            ]
            assert sum(trade.quantity_lots for trade in trades) == event.filled_lots
            for trade in trades:
                assert trade.maker_account != trade.taker_account
                limit = event.price_ticks
                if limit is not None:
                    worse = trade.price_ticks - limit
                    assert (worse if event.side == "buy" else -worse) <= 0


@drawn(150)
@given(st.lists(steps, max_size=80))
def test_the_fast_book_does_what_the_naive_book_does(plan: list[tuple[Any, ...]]) -> None:
    play = Play(cents=10**12)
    books = {symbol: NaiveBook() for symbol in SYMBOLS}
    for step in plan:
        events = play.do(step)
        kind, who, what = step
        orders = what if kind == "batch" else [what] if kind == "order" else []
        first = play.venue.sequence * MAX_BATCH_ORDERS
        for index, order in enumerate(orders):
            expected = expect(books[order["symbol"]], first + index, who, order)
            assert told(events, first + index) == expected
        for event in events:
            if isinstance(event, OrdersCancelled):
                for book in books.values():
                    for order_id in event.order_ids:
                        book.cancel(order_id)
        for symbol, book in books.items():
            assert levels(play.venue, symbol) == (book.levels("buy"), book.levels("sell"))


def expect(book: NaiveBook, order_id: int, who: str, order: dict[str, Any]) -> Outcome | str:
    price, tif, post = order["price_ticks"], order["time_in_force"], order["post_only"]
    if post and (price is None or tif != "gtc"):
        return "bad_combination"
    return book.place(order_id, who, order["side"], order["quantity_lots"], price, tif, post)


def told(events: list[Event], order_id: int) -> Outcome | str:
    """Return what the engine said of one order, in the oracle's words."""
    trades = [
        (e.maker_order_id, e.quantity_lots, e.price_ticks)
        for e in events
        if isinstance(e, Traded) and e.taker_order_id == order_id
    ]
    for event in events:
        if isinstance(event, OrderRejected) and event.order_id == order_id:
            return event.code
        if isinstance(event, OrderPlaced) and event.order_id == order_id:
            own = event.self_trade_order_id
            return Outcome(trades, event.resting_lots, event.cancel_reason, own)
    raise AssertionError(f"no outcome for order {order_id}")


def levels(venue: ExchangeVenue, symbol: str) -> tuple[dict[int, Any], dict[int, Any]]:
    book = venue.state.books[symbol]
    bids = {lv.cost: [(o.id, o.lots) for o in lv] for lv in book.bids.walk()}
    asks = {PAR_TICKS - lv.cost: [(o.id, o.lots) for o in lv] for lv in book.asks.walk()}
    return bids, asks


@drawn(60)
@given(st.lists(rare_steps, max_size=60), st.lists(st.integers(1, 30), min_size=1))
def test_grouping_changes_nothing_but_when_it_is_stated(
    plan: list[tuple[Any, ...]], sizes: list[int]
) -> None:
    """The same messages in groups of any size lead to the same decisions and balances."""
    play = Play()
    singles = [event for data in play.venue.records for event in decoded(data).events]
    for step in plan:
        singles += play.do(step)
    again = Driver(ExchangeEngine(), START_NS)
    grouped: list[Event] = []
    waiting = play.venue.inputs
    for size in cycle(sizes):
        if not waiting:
            break
        grouped += again.take(waiting[:size])
        waiting = waiting[size:]
    assert decisions(grouped) == decisions(singles)
    assert final_balances(grouped) == final_balances(singles)
    deep_audit(again.state)


def decisions(events: list[Event]) -> list[bytes]:
    stated = ("BalancesChanged", "TopsChanged", "IdsForgotten", "LapseScheduled")
    return [encode(event) for event in events if type(event).__name__ not in stated]


def final_balances(events: list[Event]) -> dict[str, tuple[int, int]]:
    found = {}
    for event in events:
        if isinstance(event, BalancesChanged):
            for row in event.balances:
                found[row.account] = (row.cash_cents, row.reserved_cents)
    return found


@drawn(60)
@given(st.lists(rare_steps, max_size=50), st.integers(0, 50))
def test_snapshot_and_tail_are_the_fold_from_genesis(plan: list[tuple[Any, ...]], cut: int) -> None:
    play = Play()
    snapshot, at = play.engine_dump(), len(play.venue.records)
    for index, step in enumerate(plan):
        play.do(step)
        if index == cut:
            snapshot, at = play.engine_dump(), len(play.venue.records)
    state = load(snapshot)
    head = Head()
    genesis = play.venue.engine.initial()
    for number, data in enumerate(play.venue.records):
        record = decoded(data)
        before = head
        head = fold(play.venue.engine, genesis, head, record, data)
        if number >= at:
            fold(play.venue.engine, state, before, record, data)
    assert dump(state) == dump(genesis) == dump(play.venue.state)


@drawn(60)
@given(st.lists(steps, min_size=1, max_size=40), st.data())
def test_nothing_executes_twice(plan: list[tuple[Any, ...]], data: st.DataObject) -> None:
    """Every message is delivered once more at some later point, and only refused then."""
    play = Play()
    sent: list[tuple[str, bytes]] = []
    carried_out: set[str] = set()
    for step in plan:
        message = play.command(step)
        sent.append(message)
        carried_out |= ids_carried_out(play.venue.feed(message))
        again = data.draw(st.sampled_from(sent))
        repeated = ids_carried_out(play.venue.feed(again))
        assert not repeated & carried_out
        carried_out |= repeated
        deep_audit(play.venue.state)


def ids_carried_out(events: list[Event]) -> set[str]:
    return {e.client_order_id for e in events if isinstance(e, OrderPlaced)} | {
        e.client_id for e in events if isinstance(e, OrdersCancelled)
    }
