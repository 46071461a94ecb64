"""What waits for a person, and what comes of it, as tables of text.

The numbers were worked out by hand. `tiny` has a trust of 0.10: one fresh article weighs
0.1 * (1 + ln 2) = 0.1693. A sentiment of +0.10 with the symbol in the title makes
0.4 * 0.10 + 0.3 * 0.6 = 0.22.
"""

from tests.engines.reality.scenario import check
from tests.engines.reality.venue import TRUSTS, changed


def test_approved_move_is_applied_to_the_score_of_the_moment() -> None:
    check(
        """
        a: daily +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +1.4392 points +20.00 left +20.00 sure +0.5892 llm not_needed
        > r1: RAIN +20.00 to 70.00 for suspicious_delta
        b: tiny +0.10
        > b opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of b: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        approve r1 barred bob
        > r1 refused: holds_the_symbol
        approve r1
        > r1 approved
        > RAIN 53.72 -> 73.72 by daily after r1
        approve r1
        > r1 refused: unknown_review
        reject r1
        > r1 refused: unknown_review
        c: daily +0.10 like a 0.80                   # the story has moved all it may
        > c joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +1.7838 points +20.00 left +0.00 sure +0.5892 llm not_needed
        """,
        trusts=TRUSTS,
    )


def test_scale_has_bounds() -> None:
    check(
        """
        a: daily +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +1.4392 points +20.00 left +20.00 sure +0.5892 llm not_needed
        > r1: RAIN +20.00 to 70.00 for suspicious_delta
        b: weekly +0.10                              # 0.8466 * 22 = 18.63
        > b opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of b: weight +0.8466 points +18.63 left +18.63 sure +0.3466 llm not_needed
        > r2: RAIN +18.63 to 68.63 for suspicious_delta
        c: mini +0.10
        > c opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of c: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by mini
        d: mini +0.75
        > d opens
        > RAIN relevance +0.6000 quick +0.4800
        > not asked: disabled
        > RAIN of d: weight +0.1693 points +8.13 left +8.13 sure +0.0693 llm skipped
        > RAIN 53.72 -> 61.85 by mini
        approve r1
        > r1 approved
        > RAIN 61.85 -> 81.85 by daily after r1
        approve r2
        > r2 approved
        > RAIN 81.85 -> 100.00 by weekly after r2
        e: mini +0.10                                # there is no room left: no move, no review
        > e opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of e: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        f: mini -0.10                                # it never went up, so it goes down by itself
        > f opens
        > RAIN relevance +0.6000 quick -0.2200
        > RAIN of f: weight +0.1693 points -3.72 left -3.72 sure +0.0693 llm not_needed
        > RAIN 100.00 -> 96.28 by mini
        """,
        trusts=TRUSTS,
    )


def test_refused_source_has_no_more_say_and_later_honest_ones_count() -> None:
    # without weekly: 0.1 * (1 + ln 2) * 22 = 3.72 at once, then (0.1 + 0.85) / 2 * (1 + ln 3) * 22
    check(
        """
        a: weekly +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.8466 points +18.63 left +18.63 sure +0.3466 llm not_needed
        > r1: RAIN +18.63 to 68.63 for suspicious_delta
        b: tiny +0.10 like a 0.80                    # while it is open nothing is proposed
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > not asked: disabled
        > RAIN of a: weight +0.6296 points +13.85 left +13.85 sure +0.3296 llm skipped
        reject r1
        > r1 rejected without weekly
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        c: weekly +0.10 like a 0.80                  # it is not heard on this story any more
        > c joins a at +0.8000
        d: weekly +0.10 SNOW like a 0.80
        > d joins a at +0.8000
        > SNOW relevance +0.6000 quick +0.2200
        > SNOW of a: weight +0.8466 points +18.63 left +18.63 sure +0.3466 llm not_needed
        > r2: SNOW +18.63 to 68.63 for suspicious_delta
        e: daily +0.10 like a 0.95                   # what was refused bars nobody else
        > e joins a at +0.9500
        > RAIN relevance +0.6000 quick +0.2200
        > not asked: disabled
        > RAIN of a: weight +0.9968 points +20.00 left +16.28 sure +0.5218 llm skipped
        > r3: RAIN +16.28 to 70.00 for suspicious_delta
        """,
        trusts=TRUSTS,
    )


def test_unanswered_review_expires_and_counts_as_refused() -> None:
    check(
        """
        a: weekly +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.8466 points +18.63 left +18.63 sure +0.3466 llm not_needed
        > r1: RAIN +18.63 to 68.63 for suspicious_delta
        wait 59m
        wait 1m
        > r1 expired
        b: weekly +0.10 like a 0.80                  # 20.00 is 1.37 beyond
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +1.0493 points +20.00 left +1.37 sure +0.3466 llm not_needed
        > RAIN 50.00 -> 51.37 by weekly
        """,
        changed("safeguards", review_life_ns=3_600 * 10**9),
        TRUSTS,
    )


def test_end_of_a_market_ends_its_score_and_withdraws_its_reviews() -> None:
    check(
        """
        llm enabled
        > llm enabled
        a: daily +0.10 RAIN,SNOW
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +1.4392 points +20.00 left +20.00 sure +0.5892 llm not_needed
        > r1: RAIN +20.00 to 70.00 for suspicious_delta
        > SNOW relevance +0.6000 quick +0.2200
        > SNOW of a: weight +1.4392 points +20.00 left +20.00 sure +0.5892 llm not_needed
        > r2: SNOW +20.00 to 70.00 for suspicious_delta
        b: tiny +0.90
        > b opens
        > RAIN relevance +0.6000 quick +0.5400
        > asked about b: quick_score
        > RAIN of b: weight +0.1693 points +9.14 left +9.14 sure +0.0693 llm waiting
        close RAIN
        > r1 withdrawn
        > RAIN closed
        resolve RAIN
        risk RAIN high
        answer b RAIN +50 sure 0.80
        > answer used
        approve r1
        > r1 refused: unknown_review
        c: tiny +0.10
        > c dropped: no_market
        resolve SNOW
        > r2 withdrawn
        > SNOW closed
        """,
        trusts=TRUSTS,
    )


def test_while_a_review_is_open_its_story_proposes_nothing_more() -> None:
    check(
        """
        a: weekly +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.8466 points +18.63 left +18.63 sure +0.3466 llm not_needed
        > r1: RAIN +18.63 to 68.63 for suspicious_delta
        b: weekly +0.10 like a 0.80
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +1.0493 points +20.00 left +20.00 sure +0.3466 llm not_needed
        approve r1
        > r1 approved
        > RAIN 50.00 -> 68.63 by weekly after r1
        > RAIN of a: weight +1.0493 points +20.00 left +1.37 sure +0.3466 llm not_needed
        > RAIN 68.63 -> 70.00 by weekly              # 18.63 + 1.37 is all that one source may
        c: weekly +0.10 like a 0.80
        > c joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +1.1931 points +20.00 left +0.00 sure +0.3466 llm not_needed
        """
    )


def test_what_was_told_before_is_taken_back_with_the_refusal() -> None:
    # 0.2099 * 22 = 4.62; sensitive from 0.80 on
    check(
        """
        a: tiny -0.10
        > a opens
        > RAIN relevance +0.6000 quick -0.2200
        > RAIN of a: weight +0.1693 points -3.72 left -3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 46.28 by tiny
        risk RAIN high
        > RAIN sensitive
        b: tiny -0.10 like a 0.80
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick -0.2200
        > RAIN of a: weight +0.2099 points -4.62 left -0.90 sure +0.0693 llm not_needed
        > r1: RAIN -0.90 to 45.38 for suspicious_delta
        reject r1
        > r1 rejected without tiny
        > RAIN back 46.28 -> 50.00 of tiny
        """,
        changed("safeguards", sensitive_delta_e2=80),
        TRUSTS,
    )


def test_part_of_a_move_is_approved_and_the_rest_waits_for_another_source_and_a_person() -> None:
    check(
        """
        a: weekly -0.10
        > a opens
        > RAIN relevance +0.6000 quick -0.2200
        > RAIN of a: weight +0.8466 points -18.63 left -18.63 sure +0.3466 llm not_needed
        > r1: RAIN -18.63 to 31.37 for suspicious_delta
        approve r1 only +8.00                        # the other side
        > r1 refused: value_out_of_range
        approve r1 only -18.64
        > r1 refused: value_out_of_range
        approve r1 only -8.00
        > r1 approved for -8.00
        > RAIN 50.00 -> 42.00 by weekly after r1
        b: weekly -0.05 like a 0.80                  # 1.0493 * 21 is cut to 20.00, 1.37 beyond
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick -0.2000
        > RAIN of a: weight +1.0493 points -20.00 left -1.37 sure +0.3466 llm not_needed
        > RAIN 42.00 -> 40.63 by weekly
        c: tiny -0.10 like a 0.80
        > c joins a at +0.8000
        > RAIN relevance +0.6000 quick -0.2200
        > not asked: disabled
        > RAIN of a: weight +0.7159 points -15.10 left -5.73 sure +0.3296 llm skipped
        > r2: RAIN -5.73 to 34.90 for refused_before
        reject r2
        > r2 rejected without tiny
        > RAIN of a: weight +1.0493 points -20.00 left +0.00 sure +0.3466 llm not_needed
        """,
        trusts=TRUSTS,
    )


def test_what_nobody_answered_is_proposed_again_as_another_source_tells_it() -> None:
    check(
        """
        a: weekly +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.8466 points +18.63 left +18.63 sure +0.3466 llm not_needed
        > r1: RAIN +18.63 to 68.63 for suspicious_delta
        wait 1h
        > r1 expired
        b: tiny +0.10 like a 0.80
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > not asked: disabled
        > RAIN of a: weight +0.6296 points +13.85 left +13.85 sure +0.3296 llm skipped
        > r2: RAIN +13.85 to 63.85 for refused_before
        approve r2
        > r2 approved
        > RAIN 50.00 -> 63.85 by tiny after r2
        """,
        changed("safeguards", review_life_ns=3_600 * 10**9),
        TRUSTS,
    )


def test_better_source_ends_the_review_of_a_worse_telling() -> None:
    check(
        """
        a: weekly +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.8466 points +18.63 left +18.63 sure +0.3466 llm not_needed
        > r1: RAIN +18.63 to 68.63 for suspicious_delta
        b: daily +0.01 like a 0.95                   # 0.004 + 0.18
        > b joins a at +0.9500
        > RAIN without a of weekly: replaced
        > r1 withdrawn
        > RAIN relevance +0.6000 quick +0.1840
        > RAIN of a: weight +1.4392 points +20.00 left +20.00 sure +0.5892 llm not_needed
        > r2: RAIN +20.00 to 70.00 for suspicious_delta
        """
    )
