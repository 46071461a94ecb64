"""What each channel says about a record."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.feeds.fold import Draft, FeedFold
from projections.limits import FEED_DEPTH_LEVELS, FEED_SNAPSHOT_EVERY
from schemas.commands import Side
from schemas.errors import BrokenInvariant
from schemas.events import Event, pricing
from schemas.events import exchange as ex
from schemas.events import governance as gov
from schemas.records import Record
from schemas.units import PAR_TICKS
from tests.projections.feeds.records import cancelled, opened, placed, traded


def record(*events: Event) -> Record:
    return Record("exchange", "exchange/1", 1, 1, 1, 1, 1, False, list(events), None, "0" * 64)


def fold(state: FeedFold, *events: Event) -> dict[str, list[Draft]]:
    out: dict[str, list[Draft]] = {}
    for draft in state.fold(record(*events)):
        out.setdefault(draft.channel, []).append(draft)
    return out


def payload(draft: Draft) -> dict[str, object]:
    result: dict[str, object] = msgspec.json.decode(msgspec.json.encode(draft.payload))
    return result


def two_accounts() -> FeedFold:
    state = FeedFold()
    fold(state, opened("ann"), opened("bob"))
    return state


def test_a_trade_is_told_to_everyone_and_to_both_accounts() -> None:
    state = two_accounts()
    fold(state, placed(100, "ann", "sell", 6250, 10))
    out = fold(
        state,
        placed(200, "bob", "buy", 6300, 4, filled=4),
        traded(1, (200, "bob", "buy"), (100, "ann"), 6250, 4, 6),
    )
    assert [payload(d) for d in out["market.TEST.trades"]] == [
        {"trades": [{"trade_id": 1, "price": "62.50", "quantity": 4, "taker_side": "buy"}]}
    ]
    [bob] = out["account.bob.orders"]
    assert bob.kind == "account_update"
    assert [row["type"] for row in payload(bob)["events"]] == ["placed", "fill"]  # type: ignore[attr-defined]  # JSON
    [ann] = out["account.ann.orders"]
    assert payload(ann)["events"] == [
        {
            "type": "fill",
            "order_id": 100,
            "trade_id": 1,
            "symbol": "TEST",
            "side": "sell",
            "role": "maker",
            "price": "62.50",
            "quantity": 4,
            "resting": 6,
        }
    ]
    [depth] = out["market.TEST.depth"]
    assert (depth.kind, payload(depth)) == (
        "depth_update",
        {"bids": [], "asks": [["62.50", 6]], "since_snapshot": 1},
    )


def test_one_record_gives_a_channel_one_message() -> None:
    state = two_accounts()
    orders = [placed(100 + i, "ann", "buy", 100 + i, 1) for i in range(50)]
    out = fold(state, *orders)
    assert {channel: len(drafts) for channel, drafts in out.items()} == {
        "account.ann.orders": 1,
        "market.TEST.depth": 1,
    }


def test_who_has_no_account_gets_no_channel() -> None:
    out = fold(FeedFold(), ex.CommandRefused(1, "no such.>", "", "malformed", ""))
    assert out == {}


def test_closing_a_book_empties_its_depth_and_tells_the_owners() -> None:
    state = two_accounts()
    fold(state, placed(100, "ann", "buy", 10, 5), placed(101, "bob", "sell", 20, 5))
    fold(state, placed(102, "ann", "buy", 10, 5, symbol="OTHER"))
    out = fold(state, ex.BookClosed(1, "TEST"))
    assert payload(out["account.ann.orders"][0])["events"] == [
        {"type": "cancelled", "order_ids": [100], "client_id": "", "reason": "book_closed"}
    ]
    assert payload(out["market.TEST.depth"][0])["bids"] == [["0.10", 0]]
    assert "market.OTHER.depth" not in out
    assert fold(state, ex.BookSettled(1, "TEST", 5000)) == {}


def test_prices_are_told_when_they_change_and_only_then() -> None:
    state = FeedFold()
    first = pricing.PriceChanged(1, "TEST", "listing", 5_000_000_000, 5000, 5000, None)
    out = fold(state, first)["market.TEST.price"]
    assert [d.kind for d in out] == ["market_update", "final_update"]
    assert payload(out[1]) == {"final_price": "50.00", "market_price": "50.00"}
    assert fold(state, first) == {}
    second = pricing.PriceChanged(2, "TEST", "trades", 5_000_000_000, 5000, 5000, 5000)
    assert [d.kind for d in fold(state, second)["market.TEST.price"]] == ["market_update"]
    pressure = pricing.PressureChanged(3, "TEST", 1, 2, 3, 4, 5, 6, 7, None)
    [told] = fold(state, pressure)["market.TEST.price"]
    assert payload(told) == {
        "buy_lots_1m": 1,
        "sell_lots_1m": 2,
        "buyers_1m": 3,
        "sellers_1m": 4,
        "buy_lots_1h": 5,
        "sell_lots_1h": 6,
        "buyers_1h": 7,
        "sellers_1h": None,
    }


def test_decisions_go_to_the_audit_and_markets_to_their_own_channel() -> None:
    out = fold(
        FeedFold(),
        gov.DecisionAccepted(7, "UKEY", 1, "mint", "ab" * 32, ["UKEY"]),
        gov.CreditsMinted(7, "ann", 12_345, "hello"),
        gov.MarketHalted(8, "TEST", "why not"),
    )
    assert [d.kind for d in out["public.audit"]] == ["audit_event", "audit_event"]
    assert payload(out["public.audit"][1]) == {
        "event": "credits_minted",
        "cause": 7,
        "account": "ann",
        "amount": "123.45",
        "memo": "hello",
    }
    [halted] = out["public.markets"]
    assert (halted.kind, payload(halted)) == (
        "market_halted",
        {"cause": 8, "symbol": "TEST", "reason": "why not"},
    )


def test_an_order_that_is_not_there_breaks_an_invariant() -> None:
    with pytest.raises(BrokenInvariant):
        fold(FeedFold(), cancelled("ann", [100]))


def test_a_lapsed_account_is_told_and_then_hears_no_more() -> None:
    state = two_accounts()
    out = fold(state, ex.CashReturned(9, "ann", 500, "lapsed"), ex.AccountLapsed(9, "ann"))
    assert payload(out["account.ann.orders"][0])["events"] == [
        {"type": "cash_returned", "cause": 9, "amount": "5.00", "reason": "lapsed"},
        {"type": "account_lapsed", "cause": 9},
    ]
    rejected = ex.OrderRejected(10, 1000, "ann", "c", "TEST", "unknown_account", None)
    assert fold(state, rejected, ex.LapseScheduled(10, 1)) == {}
    assert "account.ann.orders" in fold(state, opened("ann"))


class _Reader:
    """Holds the levels that a reader of the depth channel has been told of."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[str, int]] = {"bids": {}, "asks": {}}

    def hear(self, draft: Draft) -> None:
        told = payload(draft)
        if draft.kind == "snapshot":
            self.sides = {"bids": {}, "asks": {}}
        for side, levels in self.sides.items():
            for price, lots in told[side]:  # type: ignore[attr-defined]  # JSON
                if lots:
                    levels[price] = lots
                else:
                    del levels[price]


@given(
    st.lists(
        st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, PAR_TICKS - 1), st.booleans()),
        max_size=3 * FEED_SNAPSHOT_EVERY,
    )
)
def test_a_reader_of_the_depth_channel_holds_the_best_levels(
    steps: list[tuple[Side, int, bool]],
) -> None:
    state, reader = FeedFold(), _Reader()
    resting: dict[int, tuple[Side, int]] = {}
    for number, (side, price, also_cancel) in enumerate(steps, 1):
        events: list[Event] = [placed(number, "ann", side, price, number)]
        resting[number] = side, price
        if also_cancel:
            gone = min(resting)
            events.append(cancelled("ann", [gone]))
            del resting[gone]
        for draft in fold(state, *events).get("market.TEST.depth", []):
            reader.hear(draft)
    for name, side, best in (("bids", "buy", -1), ("asks", "sell", 1)):
        totals: dict[int, int] = {}
        for number, (own, price) in resting.items():
            if own == side:
                totals[price] = totals.get(price, 0) + number
        wanted = sorted(totals, key=lambda p: best * p)[:FEED_DEPTH_LEVELS]
        assert reader.sides[name] == {f"{p // 100}.{p % 100:02d}": totals[p] for p in wanted}
