"""Who is heard, replaced, taken back: tables of text, and adversaries who search."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engines.reality.decide import hearing
from schemas.events.reality import ScoreChanged, ScoreTakenBack
from schemas.observations import SignalsMeasured
from schemas.units import MINUTE_NS
from tests.engines.reality.scenario import check
from tests.engines.reality.venue import (
    TRUSTS,
    RealityVenue,
    changed,
    review,
    snapshot_id,
)
from tests.support.drawing import drawn

OPEN = changed(
    "safeguards",
    changed("reality", suspicious_delta_e2=10**6, spike_z_score_e2=10**9),
    source_cap_e2=10**6,
)
"""A policy by which nothing waits for a person."""
QUICK = st.integers(-10_000, 10_000)
SOURCES = st.sampled_from(["aa", "bb", "cc"])


def test_opposite_side_is_no_duplicate_and_better_copy_takes_the_place_of_a_worse_one() -> None:
    # 0.3386 * 22 = 7.45 by mini alone; the mean of both sides is (0.2 - 0.1) * 0.22 / 0.3
    check(
        """
        a: tiny +0.90
        > a opens
        > RAIN relevance +0.6000 quick +0.5400
        > not asked: disabled
        > RAIN of a: weight +0.1693 points +9.14 left +9.14 sure +0.0693 llm skipped
        > RAIN 50.00 -> 59.14 by tiny
        b: mini +0.10 like a 0.95                    # as much trusted, to the same side
        > b dropped: duplicate of a
        trust mini 0.20
        > mini +0.2000
        c: mini +0.10 like a 0.95
        > c joins a at +0.9500
        > RAIN without a of tiny: replaced
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN back 59.14 -> 57.45 of tiny
        > RAIN of a: weight +0.3386 points +7.45 left +0.00 sure +0.1386 llm not_needed
        d: tiny +0.90 like a 0.95 as a
        > d dropped: repeated of a
        e: tiny +0.90 like c 0.95
        > e dropped: duplicate of c
        f: tiny -0.10 like c 0.95
        > f joins c at +0.9500
        > RAIN relevance +0.6000 quick -0.2200
        > not asked: disabled
        > RAIN of a: weight +0.3148 points +2.31 left -5.14 sure +0.1648 llm skipped
        > RAIN 57.45 -> 52.31 by tiny
        """,
        trusts=TRUSTS,
    )


def test_identical_words_count_for_the_better_source_too() -> None:
    check(
        """
        a: tiny +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        b: mini +0.10 as a
        > b dropped: duplicate of a
        c: weekly +0.10 as a
        > c joins a at +1.0000
        > RAIN without a of tiny: replaced
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.8466 points +18.63 left +14.91 sure +0.3466 llm not_needed
        > RAIN 53.72 -> 68.63 by weekly
        wait 6h
        > forgotten
        d: daily +0.10 as a                          # an old story, whoever tells it
        > d dropped: repeated of c
        """,
        trusts=TRUSTS,
    )


def test_source_takes_back_its_own_and_nobody_elses() -> None:
    check(
        """
        a: tiny +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        b: mini +0.10 like a 0.80
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > not asked: disabled
        > RAIN of a: weight +0.2099 points +4.62 left +0.90 sure +0.1099 llm skipped
        > RAIN 53.72 -> 54.62 by mini
        c: weekly -0.10 like a 0.95 note retraction  # a stranger's notice only tells
        > c joins a at +0.9500
        > RAIN relevance +0.6000 quick -0.2200
        > not asked: disabled
        > RAIN of a: weight +0.5567 points -5.25 left -9.87 sure +0.3234 llm skipped
        > RAIN 54.62 -> 44.75 by weekly
        d: weekly +0.10 like c 0.80 note correction  # now weekly has told, and corrects itself
        > d joins c at +0.8000
        > RAIN without c of weekly: corrected
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN back 44.75 -> 54.62 of weekly
        > not asked: disabled
        > RAIN of a: weight +0.5567 points +12.25 left +7.63 sure +0.3234 llm skipped
        > RAIN 54.62 -> 62.25 by weekly
        e: weekly +0.10 like c 0.80 note retraction
        > e joins c at +0.8000
        > RAIN without d of weekly: retracted
        > RAIN back 62.25 -> 54.62 of weekly
        > not asked: disabled
        > RAIN of a: weight +0.2099 points +4.62 left +0.00 sure +0.1099 llm skipped
        f: weekly +0.10 like c 0.80 note retraction  # once is all
        > f joins c at +0.8000
        g: mini +0.10 like a 0.80 note retraction
        > g joins a at +0.8000
        > RAIN without b of mini: retracted
        > RAIN back 54.62 -> 53.72 of mini
        > RAIN of a: weight +0.1693 points +3.72 left +0.00 sure +0.0693 llm not_needed
        """,
        trusts=TRUSTS,
    )


def test_page_says_what_it_says_now() -> None:
    check(
        """
        a: tiny +0.10 RAIN,SNOW page p
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        > SNOW relevance +0.6000 quick +0.2200
        > SNOW of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > SNOW 50.00 -> 53.72 by tiny
        b: tiny +0.20 page p like a 0.95             # new words, nothing new
        > b dropped: duplicate of a
        c: tiny -0.10 page p like a 0.95             # falls, not rises
        > c joins a at +0.9500
        > RAIN without a of tiny: corrected
        > RAIN relevance +0.6000 quick -0.2200
        > RAIN back 53.72 -> 50.00 of tiny
        > RAIN of a: weight +0.1693 points -3.72 left -3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 46.28 by tiny
        d: mini -0.10 page p like a 0.60             # another source's page of that name
        > d opens
        > RAIN relevance +0.6000 quick -0.2200
        > RAIN of d: weight +0.1693 points -3.72 left -3.72 sure +0.0693 llm not_needed
        > RAIN 46.28 -> 42.56 by mini
        e: tiny +0.00 page p unfit too_short note retraction
        > e dropped: too_short
        > RAIN without c of tiny: retracted
        > RAIN back 42.56 -> 46.28 of tiny
        again e
        > e dropped: too_short
        """,
        trusts=TRUSTS,
    )


def test_retraction_takes_back_from_every_market_that_was_named() -> None:
    check(
        """
        a: tiny +0.10 RAIN,SNOW page p
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        > SNOW relevance +0.6000 quick +0.2200
        > SNOW of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > SNOW 50.00 -> 53.72 by tiny
        b: tiny +0.10 FOG page p note retraction     # nothing alike but the page
        > b joins a at +0.0000
        > RAIN without a of tiny: retracted
        > RAIN back 53.72 -> 50.00 of tiny
        > SNOW without a of tiny: retracted
        > SNOW back 53.72 -> 50.00 of tiny
        c: mini +0.10 like a 0.95                    # and others may tell it now
        > c joins a at +0.9500
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by mini
        """,
        trusts=TRUSTS,
    )


def test_llm_has_no_say_any_more_about_what_was_withdrawn() -> None:
    check(
        """
        llm enabled
        > llm enabled
        a: tiny +0.90
        > a opens
        > RAIN relevance +0.6000 quick +0.5400
        > asked about a: quick_score
        > RAIN of a: weight +0.1693 points +9.14 left +9.14 sure +0.0693 llm waiting
        answer a RAIN +50 sure 0.80
        > answer used
        > RAIN of a: weight +0.1693 points +2.63 left +2.63 sure +0.0693 llm used
        > RAIN 50.00 -> 52.63 by tiny
        b: mini +0.10 like a 0.80
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.2099 points +2.40 left -0.23 sure +0.1099 llm used
        > RAIN 52.63 -> 52.40 by mini
        c: mini +0.10 like a 0.80 note retraction    # it was not asked about b
        > c joins a at +0.8000
        > RAIN without b of mini: retracted
        > RAIN back 52.40 -> 52.63 of mini
        > RAIN of a: weight +0.1693 points +2.63 left +0.00 sure +0.0693 llm used
        d: mini +0.10 like a 0.80
        > d joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.2099 points +2.40 left -0.23 sure +0.1099 llm used
        > RAIN 52.63 -> 52.40 by mini
        e: tiny +0.10 like a 0.80 note retraction
        > e joins a at +0.8000
        > RAIN without a of tiny: retracted
        > RAIN of a: weight +0.1693 points +3.72 left +1.32 sure +0.0693 llm invalid
        > RAIN 52.40 -> 53.72 by mini
        """,
        trusts=TRUSTS,
    )


def test_better_source_is_heard_even_where_a_flood_has_filled_the_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hearing, "MAX_CLUSTER_ARTICLES", 2)
    check(
        """
        a: mini +0.00
        > a opens
        > RAIN relevance +0.6000 quick +0.0000
        > RAIN of a: weight +0.1693 points +0.00 left +0.00 sure +0.0693 llm not_needed
        b: tiny +0.00 like a 0.80
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.0000
        > not asked: disabled
        > RAIN of a: weight +0.2099 points +0.00 left +0.00 sure +0.1099 llm skipped
        c: mini +0.00 like a 0.80
        > c dropped: duplicate of a
        d: weekly +0.00 like a 0.80
        > d joins a at +0.8000
        > RAIN without a of mini: replaced
        > RAIN relevance +0.6000 quick +0.0000
        > not asked: disabled
        > RAIN of a: weight +0.6296 points +0.00 left +0.00 sure +0.3296 llm skipped
        """,
        trusts=TRUSTS,
    )


def test_contrary_is_no_copy_and_says_nothing_if_it_was_measured_to_the_same_side() -> None:
    check(
        """
        a: tiny +0.10 page p
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by tiny
        b: tiny +0.20 page p like a 0.95 contrary a  # "profit falls", and tone heard "profit"
        > b joins a at +0.9500
        > RAIN without a of tiny: corrected
        > RAIN back 53.72 -> 50.00 of tiny
        c: tiny +0.20 like a 0.95 contrary a note correction
        > c joins a at +0.9500
        d: mini +0.20 like a 0.95 contrary a
        > d joins a at +0.9500
        e: mini -0.10 like a 0.95 contrary a
        > e joins a at +0.9500
        > RAIN relevance +0.6000 quick -0.2200
        > RAIN of a: weight +0.1693 points -3.72 left -3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 46.28 by mini
        f: tiny -0.10 like e 0.95                    # a copy of what is told, as ever
        > f dropped: duplicate of e
        """,
        trusts=TRUSTS,
    )


def test_notice_of_a_stranger_is_no_duplicate_and_moves_nothing() -> None:
    check(
        """
        a: mini +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by mini
        b: tiny +0.10 like a 0.95
        > b dropped: duplicate of a
        c: tiny +0.10 like a 0.95 note correction    # tiny has told nothing that it could correct
        > c joins a at +0.9500
        d: tiny +0.10 like a 0.95 note retraction
        > d joins a at +0.9500
        e: tiny -0.10 like a 0.95 note correction    # what it says is heard
        > e joins a at +0.9500
        > RAIN relevance +0.6000 quick -0.2200
        > not asked: disabled
        > RAIN of a: weight +0.2099 points +0.00 left -3.72 sure +0.1099 llm skipped
        > RAIN 53.72 -> 50.00 by tiny
        """,
        trusts=TRUSTS,
    )


def test_notice_joins_what_its_own_source_told_rather_than_what_is_more_alike() -> None:
    check(
        """
        a: mini +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 50.00 -> 53.72 by mini
        b: tiny +0.10
        > b opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of b: weight +0.1693 points +3.72 left +3.72 sure +0.0693 llm not_needed
        > RAIN 53.72 -> 57.44 by tiny
        c: tiny +0.10 like a 0.95 like b 0.80 note retraction
        > c joins b at +0.8000
        > RAIN without b of tiny: retracted
        > RAIN back 57.44 -> 53.72 of tiny
        """,
        trusts=TRUSTS,
    )


# -- adversaries ---------------------------------------------------------------------


def tell(venue: RealityVenue, name: str, quick_bp: int, *near: int, like_bp: int) -> int:
    """Have a source tell of RAIN; return its article."""
    neighbours = [one for article in near for one in venue.neighbour(article, like_bp)]
    signals = venue.signals(name, sentiment_bp=quick_bp, neighbours=neighbours)
    venue.measured(signals)
    return signals.article


@drawn(200)
@given(QUICK, QUICK, st.integers(1, 9_998), st.integers(7_800, 10_000))
def test_it_does_not_matter_who_speaks_first(
    low_bp: int, high_bp: int, trust_bp: int, like_bp: int
) -> None:
    """One told worse and one told better come to the same score, whichever came first."""

    def course(*told: tuple[str, int]) -> int:
        venue = RealityVenue(OPEN, trusts={"low": trust_bp, "high": trust_bp + 1})
        first = tell(venue, *told[0], like_bp=like_bp)
        tell(venue, *told[1], first, like_bp=like_bp)
        venue.check()
        return venue.score_e2()

    low, high = ("low", low_bp), ("high", high_bp)
    assert course(low, high) == course(high, low)


@drawn(100)
@given(
    st.lists(st.tuples(st.sampled_from(["aa", "bb", "cc"]), QUICK), min_size=1, max_size=8), QUICK
)
def test_story_without_a_refused_source_is_as_if_it_had_never_told_it(
    told: list[tuple[str, int]], last_bp: int
) -> None:
    trusts = {"aa": 900, "bb": 500, "cc": 2_000}
    refused, never = (RealityVenue(OPEN, trusts=trusts) for _ in range(2))
    first = tell(refused, "cc", 100, like_bp=8_000)
    tell(never, "cc", 100, like_bp=8_000)
    for name, quick_bp in told:
        tell(refused, name, quick_bp, first, like_bp=8_000)
        if name != "aa":
            tell(never, name, quick_bp, first, like_bp=8_000)
    refused.set_policy(changed("reality", OPEN, suspicious_delta_e2=0))
    events = refused.measure("aa", sentiment_bp=last_bp, neighbours=refused.neighbour(first, 8_000))
    assume(any(type(event).__name__ == "ReviewOpened" for event in events))
    refused.set_policy(OPEN)
    refused.answered(review(events).proposal_hash)
    tell(refused, "aa", last_bp, first, like_bp=8_000)
    assert refused.score_e2() == never.score_e2()
    mine, theirs = (
        [(one.source, one.quick_bp) for one in venue.state.persisted.clusters[first].stories[
            "RAIN"].tellings.values()]
        for venue in (refused, never)
    )  # fmt: skip
    assert mine == theirs
    refused.check()


@drawn(150)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["tell", "tell", "copy", "same", "correction", "retraction", "wait"]),
            st.sampled_from(["tiny", "mini"]),
            QUICK,
            st.sampled_from(["", "p"]),
        ),
        max_size=40,
    )
)
def test_taking_back_and_telling_again_cannot_pump(steps: list[tuple[str, str, int, str]]) -> None:
    """Within a day two sources move a score by no more than their caps, up and down together.

    What is taken back comes on top, and never is more than the same source had moved.
    """
    cap_e2 = 1_000
    venue = RealityVenue(changed("safeguards", source_cap_e2=cap_e2), trusts=TRUSTS)
    said: list[SignalsMeasured] = []
    moved, back = dict.fromkeys(["tiny", "mini"], 0), dict.fromkeys(["tiny", "mini"], 0)
    for kind, name, quick_bp, page in steps:
        if kind == "wait":
            venue.wait(20 * MINUTE_NS)
            continue
        like_bp = 9_500 if kind == "copy" else 8_000
        near = [] if kind == "tell" or not said else venue.neighbour(said[-1].article, like_bp)
        notice = kind if kind in ("correction", "retraction") else ""
        text = said[-1].snapshot_id if kind == "same" and said else snapshot_id(len(said))
        said.append(
            venue.signals(
                name, sentiment_bp=quick_bp, neighbours=near, notice=notice, page=page,
                snapshot_id=text,
            )
        )  # fmt: skip
        for event in venue.measured(said[-1]):
            if isinstance(event, ScoreTakenBack):
                back[event.source] += abs(event.delta_e2)
            elif isinstance(event, ScoreChanged):
                moved[event.source] += abs(event.delta_e2)
        assert abs(venue.score_e2() - 5_000) <= sum(moved.values())
    assert max(moved.values()) <= cap_e2
    assert sum(back.values()) <= sum(moved.values())
    venue.check()


@drawn(100)
@given(QUICK, st.integers(-2_000, 2_000))
def test_part_moves_exactly_that(quick_bp: int, part_e2: int) -> None:
    venue = RealityVenue(changed("reality", suspicious_delta_e2=0))
    events = venue.measure(sentiment_bp=quick_bp)
    assume(any(type(event).__name__ == "ReviewOpened" for event in events))
    opened = review(events)
    whole_e2 = opened.proposal.delta_e2
    told = venue.checked(opened.proposal_hash, part_e2=part_e2)
    good = 0 < abs(part_e2) <= abs(whole_e2) and (part_e2 > 0) == (whole_e2 > 0)
    assert venue.score_e2() == 5_000 + (part_e2 if good else 0)
    assert good == (opened.proposal_hash not in venue.state.persisted.reviews)
    assert good == any(isinstance(event, ScoreChanged) for event in told)
    venue.check()
