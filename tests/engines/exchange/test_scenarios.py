"""What every kind of order, cancel and trading decision does, as tables of text."""

from tests.engines.exchange.scenario import check


def test_limit_orders_meet_by_price_then_time() -> None:
    check(
        """
        a1: alice buy 10 X @ 50
        > a1 rests 10
        b1: bob buy 5 X @ 51
        > b1 rests 5
        a2: alice buy 7 X @ 51
        > a2 rests 7
        book X
        > 12 @ 51 | -
        c1: carol sell 20 X @ 49.5
        > c1 filled 20
        > c1 sells 5 @ 51 from b1        # best price first, and there the first to come
        > c1 sells 7 @ 51 from a2
        > c1 sells 8 @ 50 from a1        # at the maker's price, better than asked for
        book X
        > 2 @ 50 | -
        show carol
        > cash 9012.00 reserved 0.00 X -20
        show alice
        > cash 9143.00 reserved 100.00 X +15
        """
    )


def test_a_crossing_limit_order_rests_with_what_is_left() -> None:
    check(
        """
        a1: alice sell 4 X @ 60
        > a1 rests 4
        b1: bob buy 10 X @ 61
        > b1 filled 4 rests 6
        > b1 buys 4 @ 60 from a1
        book X
        > 6 @ 61 | -
        show bob
        > cash 9394.00 reserved 366.00 X +4
        """
    )


def test_fifo_survives_a_cancel_in_the_middle() -> None:
    check(
        """
        a1: alice sell 1 X @ 60
        > a1 rests 1
        b1: bob sell 2 X @ 60
        > b1 rests 2
        c1: carol sell 3 X @ 60
        > c1 rests 3
        cancel b1 by bob
        > cancelled b1
        d1: dave buy 4 X @ 60
        > d1 filled 4
        > d1 buys 1 @ 60 from a1
        > d1 buys 3 @ 60 from c1
        book X
        > - | -
        show bob
        > cash 10000.00 reserved 0.00
        """
    )


def test_market_orders_take_what_is_there_and_never_rest() -> None:
    check(
        """
        a1: alice sell 5 X @ 60
        > a1 rests 5
        a2: alice sell 5 X @ 70
        > a2 rests 5
        b1: bob buy 12 X market
        > b1 filled 10 cancelled 2 no_liquidity
        > b1 buys 5 @ 60 from a1
        > b1 buys 5 @ 70 from a2
        b2: bob buy 1 X market
        > b2 cancelled 1 no_liquidity
        b3: bob sell 1 X market ioc
        > b3 cancelled 1 no_liquidity
        b4: bob sell 1 X market fok
        > b4 refused not_fillable
        b5: bob sell 1 X @ 50 market
        > b5 refused price_not_allowed
        b6: bob sell 1 X market post
        > b6 refused bad_combination
        """
    )


def test_ioc_and_fok() -> None:
    check(
        """
        a1: alice sell 5 X @ 60
        > a1 rests 5
        b1: bob buy 8 X @ 60 fok
        > b1 refused not_fillable
        b2: bob buy 8 X @ 59 ioc
        > b2 cancelled 8 ioc
        b3: bob buy 3 X @ 60 fok
        > b3 filled 3
        > b3 buys 3 @ 60 from a1
        b4: bob buy 8 X @ 60 ioc
        > b4 filled 2 cancelled 6 ioc
        > b4 buys 2 @ 60 from a1
        book X
        > - | -
        """
    )


def test_post_only_never_takes() -> None:
    check(
        """
        a1: alice sell 5 X @ 60 post
        > a1 rests 5
        b1: bob buy 5 X @ 60 post
        > b1 refused would_cross
        b2: bob buy 5 X @ 59.99 post
        > b2 rests 5
        a2: alice buy 1 X @ 60 post      # its own order, but it would still cross
        > a2 refused would_cross
        b3: bob buy 5 X @ 59 post ioc
        > b3 refused bad_combination
        """
    )


def test_nobody_trades_with_oneself() -> None:
    check(
        """
        b1: bob sell 3 X @ 59
        > b1 rests 3
        a1: alice sell 5 X @ 60
        > a1 rests 5
        b2: bob sell 9 X @ 60
        > b2 rests 9
        a2: alice buy 10 X @ 61
        > a2 filled 3 cancelled 7 self_trade at a1
        > a2 buys 3 @ 59 from b1
        a3: alice buy 1 X @ 60 fok       # bob's lots stand behind alice's own
        > a3 refused not_fillable
        a4: alice buy 1 X market
        > a4 cancelled 1 self_trade at a1
        book X
        > - | 14 @ 60
        """
    )


def test_cancels() -> None:
    check(
        """
        a1: alice buy 1 X @ 40
        > a1 rests 1
        a2: alice buy 1 Y @ 40
        > a2 rests 1
        a3: alice sell 1 X @ 60
        > a3 rests 1
        b1: bob sell 1 X @ 60
        > b1 rests 1
        cancel a1 by bob
        > refused not_your_order
        cancel a1 by alice
        > cancelled a1
        cancel a1 by alice               # a second time changes nothing
        > refused order_not_open
        cancel all Y by alice
        > cancelled a2
        cancel all NONE by alice
        > refused unknown_symbol
        a4: alice buy 1 Y @ 40
        > a4 rests 1
        cancel all by alice
        > cancelled a3 a4
        cancel all by alice
        > cancelled
        cancel b1 by nobody
        > refused unknown_account
        cancel all by nobody
        > refused unknown_account
        show alice
        > cash 10000.00 reserved 0.00
        """
    )


def test_a_batch_is_its_orders_one_after_the_other() -> None:
    check(
        """
        b1: bob sell 5 X @ 60
        > b1 rests 5
        batch by alice
        a1: alice buy 3 X @ 60
        a2: alice buy 3 X @ 60           # sees what the first one left
        a3: alice buy 3 X @ 0
        a1: alice buy 3 X @ 10           # the same client order id again
        a5: alice buy 1 Z @ 10
        a6: alice sell 1 X @ 60          # would meet a2, which rests by now
        end
        > a1 filled 3
        > a1 buys 3 @ 60 from b1
        > a2 filled 2 rests 1
        > a2 buys 2 @ 60 from b1
        > a3 refused price_out_of_range
        > a1 refused duplicate of a1
        > a5 refused unknown_symbol
        > a6 cancelled 1 self_trade at a2
        batch by alice
        end
        > refused no_orders
        """
    )


def test_terms_that_are_refused() -> None:
    check(
        """
        a1: alice buy 0 X @ 50
        > a1 refused quantity_out_of_range
        a2: alice buy -5 X @ 50
        > a2 refused quantity_out_of_range
        a3: alice buy 1000000001 X @ 50
        > a3 refused quantity_out_of_range
        a4: alice buy 1 X @ 100
        > a4 refused price_out_of_range
        a5: alice buy 1 X @ 0
        > a5 refused price_out_of_range
        a6: alice buy 1 X
        > a6 refused price_missing
        a7: alice buy 1 NONE @ 50
        > a7 refused unknown_symbol
        n1: nobody buy 1 X @ 50
        > n1 refused unknown_account
        a8: alice buy 200 X @ 50.01
        > a8 refused insufficient_funds
        a9: alice buy 200 X @ 50
        > a9 rests 200
        """
    )


def test_halt_resume_and_close() -> None:
    check(
        """
        a1: alice buy 5 X @ 50
        > a1 rests 5
        a2: alice buy 5 X @ 49
        > a2 rests 5
        halt X
        > BookHalted
        b1: bob sell 5 X @ 50
        > b1 refused market_halted
        cancel a2 by alice
        > cancelled a2
        resume X
        > BookResumed
        b2: bob sell 2 X @ 50
        > b2 filled 2
        > b2 sells 2 @ 50 from a1
        close X
        > BookClosed
        show alice
        > cash 9900.00 reserved 0.00 X +2
        cancel a1 by alice
        > refused order_not_open
        b3: bob sell 5 X @ 50
        > b3 refused market_closed
        resume X
        book X
        > - | -
        settle X 80
        > BookSettled
        show alice
        > cash 10060.00 reserved 0.00
        show bob
        > cash 9940.00 reserved 0.00
        """
    )
