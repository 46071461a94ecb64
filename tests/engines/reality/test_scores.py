"""What articles do to scores, as tables of text.

The numbers were worked out by hand. `tiny` has a trust of 0.10: one fresh article weighs
0.1 * (1 + ln 2) = 0.1693. A sentiment of +0.10 with the symbol in the title makes
0.4 * 0.10 + 0.3 * 0.6 = 0.22.
"""

from schemas.policy import CALIBRATED
from tests.engines.reality.scenario import Scenario, check
from tests.engines.reality.venue import TRUSTS, changed


def test_one_trusted_article_already_waits_for_a_person() -> None:
    # 1.4392 * 0.22 * 100 = 31.66, cut to the cap; ln 2 * 0.85 = 0.5892
    check(
        """
        a: daily +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +1.4392 points +20.00 left +20.00 sure +0.5892 llm not_needed
        > r1: RAIN +20.00 to 70.00 for suspicious_delta
        score RAIN
        > 50.00
        """
    )


def test_calibrated_points_are_scaled_by_the_cap() -> None:
    # 1.4392 * 0.22 * 20 = 6.33
    check(
        """
        a: daily +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +1.4392 points +6.33 left +6.33 sure +0.5892 llm not_needed
        > RAIN +0.42 of +6.33: 0.00 of source_symbol_day 0.42 are used  # it is new
        > RAIN 50.00 -> 50.42 by daily
        """,
        CALIBRATED,
    )


def test_confirmation_adds_only_the_difference() -> None:
    # 0.2099 * 0.22 * 100 = 4.62, then 0.2386 * 0.22 * 100 = 5.25 with a second source
    check(
        """
        a: tiny +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        b: tiny +0.10 like a 0.80
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.2099 points +4.62 left +0.90 sure +0.0693 llm not_needed
        > RAIN 53.72 -> 54.62 by tiny
        c: mini +0.10 like b 0.85
        > c joins b at +0.8500
        > RAIN relevance +0.6000 quick +0.2200
        > not asked: disabled                        # two sources tell of it
        > RAIN of a: weight +0.2386 points +5.25 left +0.63 sure +0.1099 llm skipped
        > RAIN 54.62 -> 55.25 by mini
        """,
        trusts=TRUSTS,
    )


def test_quick_scores_are_weighed_by_trust_and_trust_is_the_mean_of_sources() -> None:
    # (0.1 * 0.22 - 0.5 * 0.22) / 0.6 = -0.1467; trust 0.3, 0.3 * (1 + ln 3) = 0.6296
    check(
        """
        a: tiny +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        b: weekly -0.10 like a 0.80
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick -0.2200
        > not asked: disabled
        > RAIN of a: weight +0.6296 points -9.24 left -12.96 sure +0.3296 llm skipped
        > RAIN 53.72 -> 40.76 by weekly
        """,
        trusts=TRUSTS,
    )


def test_relevance_takes_the_sign_of_what_is_said() -> None:
    check(
        """
        a: tiny -0.90                                # -0.36 - 0.18
        > a opens
        > RAIN relevance +0.6000 quick -0.5400
        > not asked: disabled
        > RAIN of a: weight +0.1693 points -9.14 left -9.14 sure +0.0693 llm skipped
        > RAIN 50.00 -> 40.86 by tiny
        b: tiny +0.00                                # nothing said, nothing scored
        > b opens
        > RAIN relevance +0.6000 quick +0.0000
        > RAIN of b: weight +0.1693 points +0.00 left +0.00 sure +0.0693 llm not_needed
        c: tiny +0.10 body 1                         # 0.04 + 0.3 * 0.2
        > c opens
        > RAIN relevance +0.2000 quick +0.1000
        > RAIN of c: weight +0.1693 points +1.69 left +1.69 sure +0.0693 llm not_needed
        > RAIN 40.86 -> 42.55 by tiny
        d: tiny +0.10 body 9 kw -0.20                # 0.04 - 0.06 - 0.3 * 0.4
        > d opens
        > RAIN relevance +0.4000 quick -0.1400
        > RAIN of d: weight +0.1693 points -2.37 left -2.37 sure +0.0693 llm not_needed
        > RAIN 42.55 -> 40.18 by tiny
        """,
        trusts=TRUSTS,
    )


def test_age_fades_and_nobody_publishes_in_the_future() -> None:
    # 0.16931 * e^-1 = 0.0623; points 0.0623 * 22 = 1.37
    check(
        """
        a: tiny +0.10 old 48h
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.0623 points +1.37 left +1.37 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 51.37 by tiny
        b: tiny +0.10 undated
        > b opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of b: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 51.37 -> 55.09 by tiny
        c: tiny +0.10 old -9d
        > c opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of c: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 55.09 -> 58.81 by tiny
        d: tiny +0.10 old 7d                         # e^-3.5 of it: 0.0051 * 22 = 0.11
        > d opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of d: weight +0.0051 points +0.11 left +0.11 sure +0.0693 llm not_needed
        > RAIN 58.81 -> 58.92 by tiny
        e: tiny +0.10 old 169h
        > e dropped: too_old
        """,
        trusts=TRUSTS,
    )


def test_a_story_is_as_old_as_its_newest_article() -> None:
    # after 48 h alone 1.37, below the 3.72 applied; a fresh one makes it 0.2099 * 22 = 4.62
    check(
        """
        a: tiny +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        wait 5h
        b: tiny +0.10 like a 0.80 old 5h
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1891 points +4.16 left +0.44 sure +0.0693 llm not_needed
        > RAIN 53.72 -> 54.16 by tiny
        c: tiny +0.10 like a 0.80
        > c joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.2386 points +5.25 left +1.09 sure +0.0693 llm not_needed
        > RAIN 54.16 -> 55.25 by tiny
        """,
        trusts=TRUSTS,
    )


def test_older_article_that_comes_later_does_not_age_the_story() -> None:
    check(
        """
        a: tiny +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        b: tiny +0.10 like a 0.80 old 48h
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.2099 points +4.62 left +0.90 sure +0.0693 llm not_needed
        > RAIN 53.72 -> 54.62 by tiny
        """,
        trusts=TRUSTS,
    )


def test_source_has_the_trust_of_its_last_article() -> None:
    # quick (0.1 * 0.22 + 0.2 * 0.22) / 0.3 = 0.22; 0.2 * (1 + ln 3) = 0.4197
    check(
        """
        a: tiny +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        trust tiny 0.20
        > tiny +0.2000
        b: tiny +0.10 like a 0.80
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.4197 points +9.23 left +5.51 sure +0.1386 llm not_needed
        > RAIN 53.72 -> 59.23 by tiny
        """,
        trusts=TRUSTS,
    )


def test_one_article_about_two_markets() -> None:
    check(
        """
        a: tiny +0.10 RAIN,SNOW,FOG
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        > SNOW relevance +0.6000 quick +0.2200
        > SNOW of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > SNOW 50.00 -> 53.72 by tiny
        b: tiny +0.10 SNOW like a 0.80               # related are those that name the symbol
        > b joins a at +0.8000
        > SNOW relevance +0.6000 quick +0.2200
        > SNOW of a: weight +0.2099 points +4.62 left +0.90 sure +0.0693 llm not_needed
        > SNOW 53.72 -> 54.62 by tiny
        c: tiny +0.10 FOG
        > c dropped: no_market
        """,
        trusts=TRUSTS,
    )


def test_change_of_policy_never_rewrites_the_past() -> None:
    scenario = Scenario(trusts=TRUSTS)
    scenario.run(
        """
        a: tiny +0.10
        b: daily +0.10
        """
    )
    before = scenario.venue.engine.load(scenario.venue.engine.dump(scenario.venue.state))
    (event,) = scenario.venue.set_policy(changed("reality", delta_cap_e2=300))
    assert type(event).__name__ == "RulesSet"
    after = scenario.venue.state.persisted
    assert after.reality.delta_cap_e2 == 300
    assert after.policy_version == 2
    assert (after.scores, after.reviews) == (before.persisted.scores, before.persisted.reviews)
    assert after.clusters == before.persisted.clusters
    # what is decided from now on goes by the new one; what was proposed stays as it was
    assert scenario.run(
        """
        approve r1
        c: mini +0.10
        """
    ).splitlines() == [
        "approve r1",
        "> r1 approved",
        "> RAIN 53.72 -> 73.72 by daily after r1",
        "c: mini +0.10",
        "> c opens",
        "> RAIN relevance +0.6000 quick +0.2200",
        "> RAIN of c: weight +0.1693 points +3.00 left +3.00 sure +0.0693 llm not_needed",
        "> RAIN 73.72 -> 76.72 by mini",
    ]
