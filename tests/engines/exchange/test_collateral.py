"""Where the money goes: reserves, covers, closing, settlement, limits; as tables of text."""

import pytest

from schemas.policy import ExchangePolicy
from tests.engines.exchange.scenario import check


def test_both_sides_are_fully_collateralised() -> None:
    check(
        """
        a1: alice buy 100 X @ 30
        > a1 rests 100
        show alice
        > cash 7000.00 reserved 3000.00
        b1: bob sell 100 X @ 30          # a seller without shares posts 100 - 30
        > b1 filled 100
        > b1 sells 100 @ 30 from a1
        show bob
        > cash 3000.00 reserved 0.00 X -100
        show alice
        > cash 7000.00 reserved 0.00 X +100
        b2: bob sell 43 X @ 30
        > b2 refused insufficient_funds
        """
    )


def test_closing_needs_no_cash() -> None:
    check(
        """
        a1: alice buy 100 X @ 50
        > a1 rests 100
        b1: bob sell 100 X @ 50
        > b1 filled 100
        > b1 sells 100 @ 50 from a1
        show alice
        > cash 0.00 reserved 0.00 X +100
        a2: alice sell 60 X @ 70         # closes, so it reserves nothing
        > a2 rests 60
        a3: alice sell 40 X @ 80
        > a3 rests 40
        a4: alice sell 1 X @ 90          # all lots are committed by now
        > a4 refused insufficient_funds
        b2: bob buy 70 X @ 75            # bob has no cash, but is short 100: all of it closes
        > b2 filled 60 rests 10
        > b2 buys 60 @ 70 from a2
        show bob
        > cash 1800.00 reserved 0.00 X -40
        b3: bob buy 100 X @ 80           # would open 60 at 80
        > b3 refused insufficient_funds
        show alice
        > cash 4200.00 reserved 0.00 X +40
        """,
        cash="5000",
    )


def test_buying_while_short_is_paid_by_what_it_frees() -> None:
    check(
        """
        a1: alice buy 100 X @ 50
        > a1 rests 100
        b1: bob sell 100 X @ 50
        > b1 filled 100
        > b1 sells 100 @ 50 from a1
        a2: alice sell 100 X @ 99.99
        > a2 rests 100
        b2: bob buy 100 X @ 99.99        # at the worst price, with no cash at all
        > b2 filled 100
        > b2 buys 100 @ 99.99 from a2
        show bob
        > cash 1.00 reserved 0.00
        show alice
        > cash 9999.00 reserved 0.00
        """,
        cash="5000",
    )


def test_an_order_that_closes_more_than_it_covered_frees_money_for_the_others() -> None:
    check(
        """
        a1: alice sell 10 X @ 60         # opening: it reserves 400
        > a1 rests 10
        show alice
        > cash 9600.00 reserved 400.00
        b1: bob sell 10 X @ 50
        > b1 rests 10
        a2: alice buy 10 X @ 50          # alice is long now
        > a2 filled 10
        > a2 buys 10 @ 50 from b1
        a3: alice sell 10 X @ 65         # covered by those ten lots
        > a3 rests 10
        show alice
        > cash 9100.00 reserved 400.00 X +10
        c1: carol buy 10 X @ 60          # takes a1, which closes the lots that a3 counted on
        > c1 filled 10
        > c1 buys 10 @ 60 from a1
        show alice                       # +600, +400 freed, -350 for a3
        > cash 9750.00 reserved 350.00
        cancel a3 by alice
        > cancelled a3
        show alice
        > cash 10100.00 reserved 0.00
        """
    )


def test_a_taker_can_trade_lots_that_its_orders_cover() -> None:
    check(
        """
        b1: bob sell 10 X @ 50
        > b1 rests 10
        a1: alice buy 10 X @ 50
        > a1 filled 10
        > a1 buys 10 @ 50 from b1
        a2: alice sell 10 X @ 60
        > a2 rests 10
        c1: carol buy 4 X @ 30
        > c1 rests 4
        a3: alice sell 4 X @ 30
        > a3 filled 4
        > a3 sells 4 @ 30 from c1
        show alice                       # -500 +120, and 4 of a2 now reserve 40 each
        > cash 9460.00 reserved 160.00 X +6
        """
    )


def test_the_newest_order_loses_its_cover_first() -> None:
    check(
        """
        b1: bob sell 10 X @ 50
        > b1 rests 10
        a1: alice buy 10 X @ 50
        > a1 filled 10
        > a1 buys 10 @ 50 from b1
        a2: alice sell 4 X @ 90
        > a2 rests 4
        a3: alice sell 6 X @ 60
        > a3 rests 6
        c1: carol buy 7 X @ 30
        > c1 rests 7
        a4: alice sell 7 X @ 30
        > a4 filled 7
        > a4 sells 7 @ 30 from c1
        show alice                       # six of a3 reserve 40 each, one of a2 reserves 10
        > cash 9460.00 reserved 250.00 X +3
        cancel a2 by alice
        > cancelled a2
        show alice
        > cash 9470.00 reserved 240.00 X +3
        """
    )


def test_a_rest_is_covered_only_by_what_the_fills_leave() -> None:
    check(
        """
        b1: bob sell 10 X @ 50
        > b1 rests 10
        a1: alice buy 10 X @ 50
        > a1 filled 10
        > a1 buys 10 @ 50 from b1
        c1: carol buy 8 X @ 55
        > c1 rests 8
        a2: alice sell 15 X @ 55         # 8 close, then 2 of the rest close and 5 open
        > a2 filled 8 rests 7
        > a2 sells 8 @ 55 from c1
        show alice
        > cash 9715.00 reserved 225.00 X +2
        """
    )


def test_settlement_pays_longs_and_shorts_and_cancels_the_rest() -> None:
    check(
        """
        a1: alice buy 10 X @ 40
        > a1 rests 10
        b1: bob sell 10 X @ 40
        > b1 filled 10
        > b1 sells 10 @ 40 from a1
        a2: alice sell 10 X @ 90
        > a2 rests 10
        a3: alice buy 10 X @ 20
        > a3 rests 10
        c1: carol buy 7 X @ 25
        > c1 rests 7
        settle X 62.5
        > BookSettled
        show alice
        > cash 10225.00 reserved 0.00
        show bob
        > cash 9775.00 reserved 0.00
        show carol
        > cash 10000.00 reserved 0.00
        d1: dave buy 1 X @ 10
        > d1 refused market_closed
        settle X 10
        show alice
        > cash 10225.00 reserved 0.00
        """
    )


@pytest.mark.parametrize(
    ("value", "alice", "bob"), [("0", "9600", "10400"), ("100", "10600", "9400")]
)
def test_settlement_at_the_ends_of_the_domain(value: str, alice: str, bob: str) -> None:
    check(
        f"""
        a1: alice buy 10 X @ 40
        > a1 rests 10
        b1: bob sell 10 X @ 40
        > b1 filled 10
        > b1 sells 10 @ 40 from a1
        settle X {value}
        > BookSettled
        show alice
        > cash {alice}.00 reserved 0.00
        show bob
        > cash {bob}.00 reserved 0.00
        """
    )


def test_open_order_limit() -> None:
    check(
        """
        a1: alice buy 1 X @ 10
        > a1 rests 1
        a2: alice buy 1 Y @ 10
        > a2 rests 1
        a3: alice buy 1 X @ 10
        > a3 refused open_order_limit
        a4: alice buy 1 X @ 10 ioc       # never rests, so it may pass
        > a4 cancelled 1 ioc
        cancel a1 by alice
        > cancelled a1
        a5: alice buy 1 X @ 10
        > a5 rests 1
        """,
        policy=ExchangePolicy(max_open_orders=2),
    )


def test_position_limit_counts_what_rests() -> None:
    check(
        """
        a1: alice buy 60 X @ 10
        > a1 rests 60
        a2: alice buy 41 X @ 10
        > a2 refused position_limit
        a3: alice buy 40 X @ 10
        > a3 rests 40
        a4: alice sell 100 X @ 90        # each side for itself
        > a4 rests 100
        b1: bob sell 101 X @ 10
        > b1 refused position_limit
        b2: bob sell 101 X @ 10 ioc
        > b2 filled 100 cancelled 1 ioc
        > b2 sells 60 @ 10 from a1
        > b2 sells 40 @ 10 from a3
        a5: alice buy 1 X @ 5
        > a5 refused position_limit
        cancel a4 by alice
        > cancelled a4
        a6: alice sell 200 X @ 95        # down to the limit on the other side
        > a6 rests 200
        """,
        cash="100000",
        policy=ExchangePolicy(max_position_lots=100),
    )
