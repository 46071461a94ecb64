"""What a score can be moved by without a signature, tried by those who know the formulas.

The bounds are those of `calibrated`; `docs/plan.md` has what can be moved in either preset.
"""

from collections.abc import Iterable

import pytest
from hypothesis import given, target
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from schemas.events import Event
from schemas.events.governance import SourceChanged
from schemas.events.reality import MoveCut, ReviewOpened, ScoreChanged
from schemas.policy import CALIBRATED, SEED_PLAN
from schemas.units import DAY_NS, HOUR_NS, MINUTE_NS, WEEK_NS
from tests.engines.reality.adversary import PLAIN, SENSITIVE, Adversary, Move, most_e2
from tests.engines.reality.scenario import check
from tests.engines.reality.venue import TRUSTS, RealityVenue, changed, only, review, source, titled
from tests.support.drawing import drawn

DAYS = 14
TARGETS = [PLAIN[0], PLAIN[1], SENSITIVE]
WAITS = [1, MINUTE_NS, HOUR_NS - 1, HOUR_NS, 6 * HOUR_NS, 23 * HOUR_NS, DAY_NS - 1, DAY_NS,
         DAY_NS + 1]  # fmt: skip
POINTS = [1_499, 1_000, 999, 500, 450, 301, 99, 7]


def within(moves: list[Move], trust_bp: int) -> None:
    """Assert every bound on what moved, whatever window is looked at."""
    for symbol in TARGETS:
        of_it = [move for move in moves if move.symbol == symbol]
        assert most_e2(of_it, DAY_NS) <= (300 if symbol == SENSITIVE else 1_000)
        assert most_e2(of_it, WEEK_NS) <= 3_000
    for name in {move.source for move in moves}:
        told = [move for move in moves if move.source == name]
        for share, by_it in ((1, told), (10, [move for move in told if move.is_new])):
            assert most_e2(by_it, DAY_NS) * 10_000 * share <= 1_500 * trust_bp
            for symbol in TARGETS:
                pair = [move for move in by_it if move.symbol == symbol]
                assert most_e2(pair, DAY_NS) * 10_000 * share <= 500 * trust_bp


def act(adversary: Adversary, data: st.DataObject) -> None:
    """Let the adversary do something."""
    kind = data.draw(st.sampled_from(["tell"] * 5 + ["wait", "wait", "answer"]))
    if kind == "wait":
        left_ns = adversary.began_ns + DAYS * DAY_NS - adversary.venue.now_ns
        adversary.wait(min(data.draw(st.sampled_from(WAITS)), left_ns))
    elif kind == "answer":
        adversary.answer(data.draw(st.sampled_from([10_000, -10_000, 3_000])), 9_000)
    else:
        symbols = data.draw(st.sampled_from([TARGETS[:1], TARGETS[1:2], TARGETS[2:], TARGETS]))
        sign = data.draw(st.sampled_from([1, 1, 1, -1]))
        window = adversary.venue.state.persisted.window
        like = data.draw(st.sampled_from([None, None, None, *[*window][-3:]]))
        points_e2 = sign * (data.draw(st.sampled_from(POINTS)) - data.draw(st.integers(0, 6)))
        adversary.tell(
            data.draw(st.sampled_from(adversary.sources)),
            symbols,
            points_e2,
            like=like,
            in_title=data.draw(st.booleans()),
        )


@pytest.mark.parametrize("sources", [1, 3, 10])
@drawn(40)
@given(
    st.data(),
    st.sampled_from([500, 3_333, 9_000, 10_000]),
    st.booleans(),
    st.integers(1, 60),
)
def test_no_course_moves_more_than_the_caps(
    sources: int, data: st.DataObject, trust_bp: int, known: bool, steps: int
) -> None:
    adversary = Adversary(CALIBRATED, sources, trust_bp, known=known)
    adversary.venue.llm("enabled")
    for _ in range(steps):
        act(adversary, data)
    within(adversary.moves, trust_bp)
    target(float(sum(abs(move.delta_e2) for move in adversary.moves)))
    adversary.venue.check()


@pytest.mark.parametrize("sources", [1, 3, 10])
@pytest.mark.parametrize("gap_ns", [HOUR_NS, 7 * HOUR_NS, DAY_NS - 1, DAY_NS, DAY_NS + HOUR_NS])
def test_tireless_ones_reach_the_caps_and_no_further(sources: int, gap_ns: int) -> None:
    """Whoever tells what is left again and again gets it all, and at no border of days more."""
    adversary = Adversary(CALIBRATED, sources, 9_000, known=True)
    for turn in range(DAYS * DAY_NS // gap_ns):
        for number, name in enumerate(adversary.sources):
            adversary.tell(name, TARGETS, 460 - turn % 10 - number)
        adversary.wait(gap_ns)
    within(adversary.moves, 9_000)
    first = [move for move in adversary.moves if move.symbol == TARGETS[0]]
    assert most_e2(first, DAY_NS) == min(450 * sources, 1_000)
    if not DAY_NS - 1 <= gap_ns <= DAY_NS:  # then every second day is one too early
        assert most_e2(first, WEEK_NS) >= 2_900
    assert adversary.venue.state.persisted.moved.symbols[TARGETS[0]]
    adversary.venue.check()


def test_what_is_remembered_of_moves_is_bounded_and_forgotten() -> None:
    adversary = Adversary(CALIBRATED, 2, 10_000, known=True)
    for turn in range(24 * 9):
        adversary.tell("s0", TARGETS, 20 + turn % 7)
        adversary.tell("s1", TARGETS, -20 - turn % 5)
        adversary.wait(HOUR_NS)
    moved = adversary.venue.state.persisted.moved
    assert max(len(hours) for hours in moved.symbols.values()) <= 7 * 24 + 1
    of_sources = [
        *moved.sources.values(),
        *(h for one in moved.pairs.values() for h in one.values()),
    ]
    assert max(map(len, of_sources)) <= 24 + 1
    assert {hour.moved_e2 > 0 for hours in of_sources for hour in hours} == {True}
    adversary.wait(WEEK_NS + HOUR_NS)
    adversary.venue.measure("s0", mentions=titled("OLD"))
    adversary.wait(DAY_NS)
    assert (moved.symbols, moved.sources, moved.pairs) == ({}, {}, {})


# -- honest stories ------------------------------------------------------------------

AGENCIES = {"agency": 9_000, "daily": 8_500, "radio": 8_000}
BEFORE_E2 = {200: 763, 500: 811, 1_000: 892, 2_000: 1_055, 3_000: 1_217, 3_600: 1_314}
"""By sentiment, how far three trusted sources moved a score under reality/1."""


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("sentiment_bp", "before_e2"), BEFORE_E2.items())
def test_an_honest_story_moves_most_of_what_it_moved(
    sentiment_bp: int, before_e2: int, sign: int
) -> None:
    venue = RealityVenue(CALIBRATED, trusts=AGENCIES)
    venue.wait(WEEK_NS)
    for name in AGENCIES:
        for _ in range(20):
            venue.measure(name, mentions=titled("SNOW"))
    first = venue.signals("agency").article + 1
    told: list[Event] = []
    for name in AGENCIES:
        like = venue.neighbour(first) if told else []
        told += venue.measure(name, sentiment_bp=sign * sentiment_bp, neighbours=like)
    assert not any(isinstance(event, ReviewOpened) for event in told)
    assert sign * (venue.score_e2() - 5_000) >= before_e2 * 6 // 10


# -- each cap by itself --------------------------------------------------------------


def cuts(events: Iterable[Event]) -> list[MoveCut]:
    return [event for event in events if isinstance(event, MoveCut)]


def test_what_a_cap_cuts_follows_with_another_source() -> None:
    check(
        """
        a: daily +0.10
        > a opens
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +1.4392 points +6.33 left +6.33 sure +0.5892 llm not_needed
        > RAIN +4.25 of +6.33: 0.00 of source_symbol_day 4.25 are used
        > RAIN 50.00 -> 54.25 by daily
        b: daily +0.10 like a 0.80
        > b joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > RAIN of a: weight +1.7838 points +7.85 left +3.60 sure +0.5892 llm not_needed
        > RAIN +0.00 of +3.60: 4.25 of source_symbol_day 4.25 are used
        c: weekly +0.10 like a 0.80
        > c joins a at +0.8000
        > RAIN relevance +0.6000 quick +0.2200
        > not asked: disabled
        > RAIN of a: weight +1.6107 points +7.09 left +2.84 sure +0.7416 llm skipped
        > RAIN +2.50 of +2.84: 0.00 of source_symbol_day 2.50 are used
        > RAIN 54.25 -> 56.75 by weekly
        """,
        changed("unsigned", CALIBRATED, new_source_ns=0, new_source_articles=0),
    )


def test_a_new_source_has_a_tenth_until_it_is_old_and_has_told_enough() -> None:
    venue = RealityVenue(CALIBRATED, trusts={"daily": 10_000})

    def cap_e2() -> int:
        (cut,) = cuts(venue.measure("daily", sentiment_bp=1_000))
        venue.wait(DAY_NS + HOUR_NS)
        return cut.cap_e2

    assert [cap_e2() for _ in range(7)] == [50] * 7  # old enough now, but 7 articles are too few
    for _ in range(12):
        venue.measure("daily", mentions=titled("SNOW"))
    assert [cap_e2() for _ in range(2)] == [500] * 2  # the twentieth counts
    told = RealityVenue(CALIBRATED, trusts={"daily": 10_000})
    for _ in range(30):
        told.measure("daily", mentions=titled("SNOW"))
    told.wait(WEEK_NS - 1)
    assert cuts(told.measure("daily", sentiment_bp=1_000))[0].cap_e2 == 50
    told.wait(1)
    assert cuts(told.measure("daily", sentiment_bp=1_000))[0].cap_e2 == 500


def test_a_changed_source_is_no_new_one_and_its_caps_follow_its_trust() -> None:
    policy = changed("unsigned", CALIBRATED, new_source_articles=0)
    venue = RealityVenue(policy, trusts={"daily": 10_000})
    venue.wait(WEEK_NS)
    venue.govern(SourceChanged(1, source("daily", 6_000)))
    assert cuts(venue.measure("daily", sentiment_bp=3_000))[0].cap_e2 == 300


def test_where_all_have_used_a_symbol_up_a_person_decides() -> None:
    policy = changed("unsigned", CALIBRATED, new_source_ns=0, new_source_articles=0,
                     symbol_day_e2=400)  # fmt: skip
    venue = RealityVenue(policy)
    (cut,) = cuts(venue.measure("daily", sentiment_bp=1_000))
    assert (cut.cap, cut.moved_e2) == ("symbol_day", 400)
    told = venue.measure("weekly", sentiment_bp=1_000)
    opened = review(told)
    assert opened.reasons == ["unsigned_cap"]
    assert opened.detail == "all have used 4.00 of symbol_day"
    assert cuts(told) == []
    (changed_,) = [e for e in venue.checked(opened.proposal_hash) if isinstance(e, ScoreChanged)]
    assert changed_.delta_e2 == opened.proposal.delta_e2
    venue.wait(DAY_NS + HOUR_NS)
    assert cuts(venue.measure("daily", sentiment_bp=1_000))[0].used_e2 == 0  # signed is free


def test_who_has_used_its_own_caps_up_holds_nobodys_story() -> None:
    """It joins another's story and has no say; no review keeps the others from going on."""
    policy = changed("unsigned", CALIBRATED, new_source_ns=0, new_source_articles=0)
    venue = RealityVenue(policy, trusts={"daily": 8_500, "weekly": 5_000, "mute": 0})
    told = venue.measure("daily", sentiment_bp=1_000)
    like = venue.neighbour(only(told, ScoreChanged).article)
    told = venue.measure("mute", sentiment_bp=1_000, neighbours=like)
    assert not any(isinstance(event, ReviewOpened | ScoreChanged) for event in told)
    assert only(venue.measure("weekly", sentiment_bp=1_000, neighbours=like), ScoreChanged)


def test_a_policy_without_the_section_has_no_caps() -> None:
    old = replace(CALIBRATED, unsigned=UNSET)
    assert SEED_PLAN.unsigned == old.rules().unsigned == SEED_PLAN.rules().unsigned
    venue = RealityVenue(old)
    assert only(venue.measure("daily", sentiment_bp=1_000), ScoreChanged).delta_e2 == 633


# -- the LLM, and moves much too alike -----------------------------------------------


def test_an_llm_is_worth_no_more_than_those_whom_it_read() -> None:
    # 0.05 * (1 + ln 2) * 0.54 * 100 = 4.57; 20 * 1.00 * 0.05 = 1.00
    check(
        """
        llm enabled
        > llm enabled
        a: poor +0.90
        > a opens
        > RAIN relevance +0.6000 quick +0.5400
        > asked about a: quick_score
        > RAIN of a: weight +0.0847 points +4.57 left +4.57 sure +0.0347 llm waiting
        answer a RAIN +100 sure 1.00
        > answer used
        > RAIN of a: weight +0.0847 points +1.00 left +1.00 sure +0.0347 llm used
        > RAIN 50.00 -> 51.00 by poor
        """,
        trusts={"poor": 500},
    )


def test_an_llm_that_says_the_contrary_is_looked_at() -> None:
    check(
        """
        llm enabled
        > llm enabled
        a: tiny +0.90
        > a opens
        > RAIN relevance +0.6000 quick +0.5400
        > asked about a: quick_score
        > RAIN of a: weight +0.1693 points +9.14 left +9.14 sure +0.0693 llm waiting
        answer a RAIN -100 sure 0.10
        > answer used
        > RAIN of a: weight +0.1693 points +8.03 left +8.03 sure +0.0693 llm used
        > r1: RAIN +8.03 to 58.03 for llm_sign
        """,
        trusts=TRUSTS,
    )


def test_the_same_size_again_and_again_is_a_spike() -> None:
    policy = changed("safeguards", source_cap_e2=10**6)
    venue = RealityVenue(policy, trusts=TRUSTS)
    for sign in (1, -1) * 5:
        assert only(venue.measure("tiny", sentiment_bp=sign * 1_000), ScoreChanged)
    opened = review(venue.measure("tiny", sentiment_bp=1_000))
    assert opened.reasons == ["spike"]
    assert opened.detail == "the last 10 moves were 3.72 each, too"
    assert only(venue.measure("tiny", sentiment_bp=1_010), ScoreChanged).delta_e2 == 373
    assert only(venue.measure("tiny", sentiment_bp=1_000), ScoreChanged)
