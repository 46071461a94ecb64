"""Which articles and sources have a say, as tables of text.

The numbers were worked out by hand. `tiny` has a trust of 0.10: one fresh article weighs
0.1 * (1 + ln 2) = 0.1693. A sentiment of +0.10 with the symbol in the title makes
0.4 * 0.10 + 0.3 * 0.6 = 0.22.
"""

from msgspec import UNSET
from msgspec.structs import replace

from schemas.policy import SEED_PLAN
from tests.engines.reality.scenario import Scenario, check
from tests.engines.reality.venue import TRUSTS, changed


def test_why_an_article_has_no_say_in_the_order_of_the_checks() -> None:
    check(
        """
        a: mute +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm not_needed
        b: mute +0.10 as a unfit language
        > b dropped: repeated of a
        again a
        > a dropped: repeated of a
        c: nobody +0.10 unfit language
        > c dropped: unknown_source
        stop weekly
        > weekly +0.8500 off
        quarantine weekly 2h
        > weekly in quarantine: decision
        d: weekly +0.10 unfit language
        > d dropped: inactive_source
        quarantine mini 2h
        > mini in quarantine: decision
        e: mini +0.10 unfit language
        > e dropped: quarantined
        f: mute +0.10 unfit language old 9d
        > f dropped: language
        g: mute +0.10 FOG old 9d like a 0.99
        > g dropped: too_old
        h: mute +0.10 FOG like a 0.99
        > h dropped: duplicate of a
        i: mute +0.10 FOG like a 0.80
        > i dropped: no_market
        wait 2h
        > mini released
        > weekly released
        j: mini +0.10 as e                           # what was not counted can be said again
        > j opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of j: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by mini
        """,
        trusts=TRUSTS,
    )


def test_similar_enough_to_join_or_to_be_dropped() -> None:
    check(
        """
        a: mute +0.00
        > a opens
        > RAIN relevance +0.6000 quick +0.0000
        > RAIN of a: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm not_needed
        b: mute +0.00 like a 0.7799
        > b opens
        > RAIN relevance +0.6000 quick +0.0000
        > RAIN of b: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm not_needed
        c: mute +0.00 like a 0.78
        > c joins a at +0.7800
        > RAIN relevance +0.6000 quick +0.0000
        > RAIN of a: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm not_needed
        d: mute +0.00 like c 0.88
        > d joins c at +0.8800
        > RAIN relevance +0.6000 quick +0.0000
        > RAIN of a: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm not_needed
        e: mute +0.00 like d 0.8801
        > e dropped: duplicate of d
        f: mute +0.00 like e 0.8801                  # a duplicate stands for what it repeats
        > f dropped: duplicate of e
        g: mute +0.00 like f 0.80
        > g joins f at +0.8000
        > RAIN relevance +0.6000 quick +0.0000
        > RAIN of a: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm not_needed
        """,
        trusts=TRUSTS,
    )


def test_window_ends_and_a_duplicate_is_not_news_after_it() -> None:
    check(
        """
        a: mute +0.00
        > a opens
        > RAIN relevance +0.6000 quick +0.0000
        > RAIN of a: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm not_needed
        b: mute +0.00 like a 0.95
        > b dropped: duplicate of a
        wait 21599s
        c: mute +0.00 like a 0.95
        > c dropped: duplicate of a
        wait 1s
        > forgotten
        d: mute +0.00 like a 0.95
        > d opens
        > RAIN relevance +0.6000 quick +0.0000
        > RAIN of d: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm not_needed
        again b
        > b dropped: repeated of b
        again a
        > a dropped: repeated of a
        """,
        trusts=TRUSTS,
    )


def test_content_is_remembered_for_thirty_days() -> None:
    def known(days: int) -> str:
        told = Scenario(trusts=TRUSTS)
        told.run("a: mute +0.00")
        told.venue.wait(days * 86_400 * 10**9)
        return told.run("b: mute +0.00 as a").splitlines()[1]

    assert known(29) == "> b dropped: repeated of a"
    assert known(59) == "> b dropped: repeated of a"  # two generations of thirty days
    assert known(61) == "> b opens"


def test_more_articles_than_the_rate_allows_put_a_source_into_quarantine() -> None:
    check(
        """
        wait 2h                                      # a first document would have room by itself
        a: mute +0.00
        > a opens
        > RAIN relevance +0.6000 quick +0.0000
        > RAIN of a: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm not_needed
        b: mute +0.00 unfit too_short                # does not count
        > b dropped: too_short
        c: mute +0.00 like a 0.99                    # counts
        > c dropped: duplicate of a
        d: mute +0.00 old 9d
        > d dropped: too_old
        wait 30m
        e: mute +0.00 FOG                            # counts
        > e dropped: no_market
        f: mute +0.00
        > mute in quarantine: rate
        > f dropped: quarantined
        trust mini 0.00
        > mini +0.0000
        g: mini +0.00 like a 0.99                    # another source's rate
        > g dropped: duplicate of a
        wait 30m
        > mute released
        h: mute +0.00                                # a and c are an hour ago
        > h opens
        > RAIN relevance +0.6000 quick +0.0000
        > RAIN of h: weight +0.0000 points +0.00 left +0.00 sure +0.0000 llm not_needed
        """,
        changed("safeguards", source_articles_per_hour=3, manip_window_ns=30 * 60 * 10**9),
        TRUSTS,
    )


def test_a_first_document_has_room_beyond_the_rate_and_no_more() -> None:
    policy = changed("safeguards", source_articles_per_hour=2)
    policy = changed("backlog", policy, room_articles=4)

    def quarantined(*waits: str) -> list[int]:
        told = Scenario(policy, TRUSTS)
        said = [told.run(f"{wait}\na{n}: mute +0.00 SNOW") for n, wait in enumerate(waits)]
        return [n for n, text in enumerate(said) if "quarantine" in text]

    assert quarantined(*["wait 1m"] * 7) == [6]  # two of the rate, and four of the document
    assert quarantined(*["wait 1m"] * 6, "wait 50m") == [6]
    assert quarantined(*["wait 1m"] * 6, "wait 115m", "wait 1m", "wait 1m") == [8]
    assert quarantined("wait 2h", "wait 1m", "wait 1m") == [2]


def test_trust_counts_as_it_was_when_the_article_came() -> None:
    # the mean is (0.10 + 0.20) / 2 = 0.15 by source; 0.15 * (1 + ln 3) = 0.3148
    check(
        """
        a: tiny +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        trust tiny 0.90
        > tiny +0.9000
        trust mini 0.20
        > mini +0.2000
        b: mini +0.10 like a 0.80
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > not asked: disabled
        > RAIN of a: weight +0.3148 points +6.93 left +3.21 sure +0.1648 llm skipped
        > RAIN 53.72 -> 56.93 by mini
        """,
        trusts=TRUSTS,
    )


def test_one_source_moves_one_market_only_so_far_within_a_day() -> None:
    check(
        """
        a: tiny +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        wait 12h
        > forgotten
        b: tiny -0.10
        > b opens
        > RAIN relevance +0.6000 quick -0.2200
        > RAIN of b: weight +0.1693 points -3.72 left -3.72 sure +0.0693 llm not_needed
        > RAIN 53.72 -> 50.00 by tiny
        c: tiny +0.10                                # 3.72 + 3.72 + 3.72 is above 10
        > c opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of c: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > r1: RAIN +3.72 to 53.72 for source_cap
        d: mini +0.10
        > d opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of d: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by mini
        e: tiny +0.10 SNOW
        > e opens
        > SNOW relevance +0.6000 quick +0.2200
        > SNOW of e: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > SNOW 50.00 -> 53.72 by tiny
        wait 12h
        > forgotten
        > forgotten
        f: tiny +0.10                                # a is a day ago
        > f opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of f: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 53.72 -> 57.44 by tiny
        """,
        changed("safeguards", source_cap_e2=1_000),
        TRUSTS,
    )


def test_a_move_unlike_those_before_it_is_a_spike() -> None:
    # moves 1.69, 1.69, 1.69: 5 * 0.50 (the floor) above their mean is 4.19; 3.72 is within
    check(
        """
        a: tiny +0.10 body 1
        > a opens
        > RAIN relevance +0.2000 quick +0.1000
        > RAIN of a: weight +0.1693 points +1.69 left +1.69 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 51.69 by tiny
        b: mini -0.10 body 1
        > b opens
        > RAIN relevance +0.2000 quick -0.1000
        > RAIN of b: weight +0.1693 points -1.69 left -1.69 sure +0.0693 llm not_needed
        > RAIN 51.69 -> 50.00 by mini
        c: tiny +0.10 body 1
        > c opens
        > RAIN relevance +0.2000 quick +0.1000
        > RAIN of c: weight +0.1693 points +1.69 left +1.69 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 51.69 by tiny
        d: mini +0.15                                # 0.06 + 0.18
        > d opens
        > RAIN relevance +0.6000 quick +0.2400
        > RAIN of d: weight +0.1693 points +4.06 left +4.06 sure +0.0693 llm not_needed
        > RAIN 51.69 -> 55.75 by mini
        e: mini -0.90                                # 9.14 against 1.69, 1.69, 4.06: sd 1.12
        > e opens
        > RAIN relevance +0.6000 quick -0.5400
        > not asked: disabled
        > RAIN of e: weight +0.1693 points -9.14 left -9.14 sure +0.0693 llm skipped
        > r1: RAIN -9.14 to 46.61 for spike
        """,
        changed("safeguards", spike_changes=3, spike_min_changes=3),
        TRUSTS,
    )


def test_sensitive_markets_have_a_threshold_of_their_own() -> None:
    check(
        """
        a: weekly +0.00 kw +0.10                     # 0.03 + 0.18 = 0.21; 0.8466 * 21 = 17.78
        > a opens
        > RAIN relevance +0.6000 quick +0.2100
        > RAIN of a: weight +0.8466 points +17.78 left +17.78 sure +0.3466 llm not_needed
        > r1: RAIN +17.78 to 67.78 for suspicious_delta
        b: tiny +0.10 SNOW
        > b opens
        > SNOW relevance +0.6000 quick +0.2200
        > SNOW of b: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > SNOW 50.00 -> 53.72 by tiny
        risk RAIN medium
        risk SNOW high
        > SNOW sensitive
        c: tiny +0.10 SNOW
        > c opens
        > SNOW relevance +0.6000 quick +0.2200
        > SNOW of c: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > r2: SNOW +3.72 to 57.44 for suspicious_delta
        risk SNOW low
        > SNOW usual
        """,
        changed("safeguards", sensitive_delta_e2=371),
        TRUSTS,
    )


def test_what_was_there_before_its_source_was_read_is_no_news_without_a_date() -> None:
    check(
        """
        a: tiny +0.50 undated backlog
        > a dropped: undated
        b: tiny +0.50 ahead 2h backlog               # a date that cannot be is none
        > b dropped: undated
        c: tiny +0.50 old 8d backlog
        > c dropped: too_old
        d: tiny +0.10 old 1h backlog
        > d opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of d: weight +0.1658 points +3.65 left +3.65 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.65 by tiny
        e: mini +0.10 undated                        # it is new since the last time
        > e opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of e: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 53.65 -> 57.37 by mini
        f: mini +0.10 ahead 2h
        > f opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of f: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 57.37 -> 61.09 by mini
        again a
        > a dropped: undated
        """,
        trusts={"tiny": 1_000, "mini": 1_000},
    )


def test_a_policy_without_the_section_takes_a_backlog_as_news() -> None:
    check(
        """
        a: tiny +0.10 undated backlog
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        """,
        replace(SEED_PLAN, backlog=UNSET),
        TRUSTS,
    )
