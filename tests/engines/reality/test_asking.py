"""When the LLM is asked, and what its answers do, as tables of text.

The numbers were worked out by hand. `tiny` has a trust of 0.10: one fresh article weighs
0.1 * (1 + ln 2) = 0.1693. A sentiment of +0.10 with the symbol in the title makes
0.4 * 0.10 + 0.3 * 0.6 = 0.22.
"""

from tests.engines.reality.scenario import check
from tests.engines.reality.venue import TRUSTS, changed


def test_answer_is_blended_by_how_sure_it_is_and_stays() -> None:
    # 9.14 * 0.2 + 10.00 * 0.1 * 0.8 = 2.63; later 0.2099 * 54 = 11.33, * 0.2 + 0.80 = 3.07
    check(
        """
        llm enabled
        > llm enabled
        llm enabled
        a: tiny +0.90
        > a opens
        > RAIN relevance +0.6000 quick +0.5400
        > asked about a: quick_score
        > RAIN of a: weight +0.1693 points +9.14 left +9.14 sure +0.0693 llm waiting
        answer a RAIN +50 sure 0.80
        > answer used
        > RAIN of a: weight +0.1693 points +2.63 left +2.63 sure +0.0693 llm used
        > RAIN 50.00 -> 52.63 by tiny
        answer a RAIN -90 sure 1.00
        > answer late
        b: tiny +0.90 like a 0.80
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.5400
        > RAIN of a: weight +0.2099 points +3.07 left +0.44 sure +0.0693 llm used
        > RAIN 52.63 -> 53.07 by tiny
        """,
        trusts=TRUSTS,
    )


def test_articles_join_while_the_llm_is_asked_and_its_silence_ends() -> None:
    check(
        """
        llm enabled
        > llm enabled
        a: tiny +0.90
        > a opens
        > RAIN relevance +0.6000 quick +0.5400
        > asked about a: quick_score
        > RAIN of a: weight +0.1693 points +9.14 left +9.14 sure +0.0693 llm waiting
        b: tiny +0.90 like a 0.80
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.5400
        > RAIN of a: weight +0.2099 points +11.33 left +11.33 sure +0.0693 llm waiting
        score RAIN
        > 50.00
        wait 119s
        wait 1s
        > no answer
        > RAIN of a: weight +0.2097 points +11.32 left +11.32 sure +0.0693 llm failed
        > RAIN 50.00 -> 61.32 by tiny
        answer a RAIN +50 sure 0.80
        > answer late
        """,
        trusts=TRUSTS,
    )


def test_answer_that_is_none_leaves_the_computed_points() -> None:
    check(
        """
        llm enabled
        > llm enabled
        a: tiny +0.90
        > a opens
        > RAIN relevance +0.6000 quick +0.5400
        > asked about a: quick_score
        > RAIN of a: weight +0.1693 points +9.14 left +9.14 sure +0.0693 llm waiting
        b: tiny +0.90 SNOW
        > b opens
        > SNOW relevance +0.6000 quick +0.5400
        > asked about b: quick_score
        > SNOW of b: weight +0.1693 points +9.14 left +9.14 sure +0.0693 llm waiting
        answer a SNOW +50 sure 0.80
        > answer unknown
        answer a RAIN none
        > answer invalid
        > RAIN of a: weight +0.1693 points +9.14 left +9.14 sure +0.0693 llm invalid
        > RAIN 50.00 -> 59.14 by tiny
        answer b SNOW +50 sure 0.80 citing a         # it rests on another story's article
        > answer invalid
        > SNOW of b: weight +0.1693 points +9.14 left +9.14 sure +0.0693 llm invalid
        > SNOW 50.00 -> 59.14 by tiny
        """,
        trusts=TRUSTS,
    )


def test_answer_may_send_a_move_to_a_person() -> None:
    # 1.4392 * e^-2 * 0.54 * 100 = 10.52; 20 * 1.00 * 0.85 = 17.00
    check(
        """
        llm enabled
        > llm enabled
        a: daily +0.90 old 4d
        > a opens
        > RAIN relevance +0.6000 quick +0.5400
        > asked about a: quick_score
        > RAIN of a: weight +0.1948 points +10.52 left +10.52 sure +0.5892 llm waiting
        answer a RAIN +100 sure 1.00
        > answer used
        > RAIN of a: weight +0.1948 points +17.00 left +17.00 sure +0.5892 llm used
        > r1: RAIN +17.00 to 67.00 for suspicious_delta
        """,
        trusts=TRUSTS,
    )


def test_budget_is_a_bucket_that_fills_up_within_an_hour() -> None:
    check(
        """
        llm enabled
        > llm enabled
        a: mute +0.90 RAIN,SNOW                      # two tokens
        > a opens
        > RAIN relevance +0.6000 quick +0.5400
        > asked about a: quick_score
        > RAIN of a: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm waiting
        > SNOW relevance +0.6000 quick +0.5400
        > asked about a: quick_score
        > SNOW of a: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm waiting
        answer a RAIN none
        > answer invalid
        > RAIN of a: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm invalid
        answer a SNOW none
        > answer invalid
        > SNOW of a: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm invalid
        b: mute +0.90
        > b opens
        > RAIN relevance +0.6000 quick +0.5400
        > not asked: no_token
        > RAIN of b: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm skipped
        wait 29m
        c: mute +0.90 like b 0.80
        > c joins b at +0.8000
        > RAIN relevance +0.6000 quick +0.5400
        > not asked: no_token
        > RAIN of b: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm skipped
        wait 1m
        d: mute +0.90 like b 0.80                    # a token after half an hour
        > d joins b at +0.8000
        > RAIN relevance +0.6000 quick +0.5400
        > asked about b,c,d: quick_score
        > RAIN of b: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm waiting
        """,
        changed("reality", llm_calls_per_hour=2, llm_quick_threshold_bp=0),
        TRUSTS,
    )


def test_llm_that_keeps_failing_is_left_alone_for_a_while() -> None:
    check(
        """
        llm disabled
        llm enabled
        > llm enabled
        a: tiny +0.90
        > a opens
        > RAIN relevance +0.6000 quick +0.5400
        > asked about a: quick_score
        > RAIN of a: weight +0.1693 points +9.14 left +9.14 sure +0.0693 llm waiting
        answer a RAIN none
        > answer invalid
        > RAIN of a: weight +0.1693 points +9.14 left +9.14 sure +0.0693 llm invalid
        > RAIN 50.00 -> 59.14 by tiny
        b: tiny +0.90 SNOW
        > b opens
        > SNOW relevance +0.6000 quick +0.5400
        > asked about b: quick_score
        > SNOW of b: weight +0.1693 points +9.14 left +9.14 sure +0.0693 llm waiting
        wait 2m
        > no answer
        > llm degraded
        > SNOW of b: weight +0.1692 points +9.14 left +9.14 sure +0.0693 llm failed
        > SNOW 50.00 -> 59.14 by tiny
        llm enabled
        c: mini +0.90
        > c opens
        > RAIN relevance +0.6000 quick +0.5400
        > not asked: degraded
        > RAIN of c: weight +0.1693 points +9.14 left +9.14 sure +0.0693 llm skipped
        > RAIN 59.14 -> 68.28 by mini
        wait 10m
        > llm enabled
        d: mini -0.90
        > d opens
        > RAIN relevance +0.6000 quick -0.5400
        > asked about d: quick_score
        > RAIN of d: weight +0.1693 points -9.14 left -9.14 sure +0.0693 llm waiting
        llm disabled
        > llm disabled
        """,
        changed("llm", min_failures=2, degraded_ns=600 * 10**9),
        TRUSTS,
    )


def test_llm_that_is_tried_again_starts_with_a_clean_slate() -> None:
    check(
        """
        llm enabled
        > llm enabled
        a: mute +0.90
        > a opens
        > RAIN relevance +0.6000 quick +0.5400
        > asked about a: quick_score
        > RAIN of a: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm waiting
        answer a RAIN none
        > answer invalid
        > RAIN of a: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm invalid
        llm disabled
        > llm disabled
        llm enabled
        > llm enabled
        b: mute +0.90
        > b opens
        > RAIN relevance +0.6000 quick +0.5400
        > asked about b: quick_score
        > RAIN of b: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm waiting
        answer b RAIN none                           # the first failure since
        > answer invalid
        > RAIN of b: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm invalid
        """,
        changed("llm", changed("reality", llm_quick_threshold_bp=0), min_failures=2),
        TRUSTS,
    )
