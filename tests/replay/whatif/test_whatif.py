"""What would have been: with nothing changed it is history, with something just that differs."""

from fractions import Fraction
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engines.pricing.arithmetic import blend
from replay.limits import MAX_PLOT_POINTS
from replay.whatif import Changes, Comparison, whatif
from replay.whatif.fork import Fork
from replay.whatif.tally import Thinned
from replay.whatif.text_report import describe, draw
from schemas import subjects
from schemas.codec import encode
from schemas.errors import InputError, LogDiverged, UnknownRecord
from schemas.events.exchange import TopsChanged, Traded
from schemas.events.governance import ReviewAnswered
from schemas.events.reality import (
    ArticleDropped,
    ReviewClosed,
    ReviewOpened,
    ScoreChanged,
)
from schemas.policy import (
    CALIBRATED,
    SEED_PLAN,
    Policy,
    PriceBounds,
    PricingPolicy,
    UnsignedMoves,
)
from schemas.records import EVENT_MESSAGES, Record
from schemas.stored import Stored
from tests.engines.pricing.naive_steps import NaivePrice
from tests.replay.venue import history, server_with
from tests.replay.verify.forger import flip, forge, records_of
from tests.simulated.virtual_time import simulate
from tests.support.drawing import drawn
from tests.support.newsroom import UNBOUNDED, news, orderly
from tests.support.stepped import SOURCES, SYMBOLS
from tests.upgrade.released import released

Messages = tuple[Stored, ...] | list[Stored]
FREE = replace(
    CALIBRATED,
    name="free",
    safeguards=replace(
        CALIBRATED.rules().safeguards,
        source_cap_e2=10_000, sensitive_delta_e2=10_000, spike_min_changes=1_000,
    ),
    reality=replace(CALIBRATED.reality, suspicious_delta_e2=10_000, llm_calls_per_hour=0),
    unsigned=UnsignedMoves(),
)  # fmt: skip
"""Under it no move needs a review, and no LLM is asked that could say the contrary."""
ASKING = replace(
    FREE,
    name="asking",
    reality=replace(FREE.reality, llm_quick_threshold_bp=0, llm_calls_per_hour=1_000),
)
"""Under it the LLM is asked about everything."""


def ask(messages: Messages, changes: Changes | None = None) -> Comparison:
    return simulate(whatif(server_with(messages).connect(), changes or Changes()))


def counts(comparison: Comparison) -> dict[str, tuple[int, int]]:
    return {one.what: (one.then, one.now) for one in comparison.counts}


def check_same(comparison: Comparison) -> None:
    assert (comparison.differs_at, comparison.flaws) == (0, [])
    assert not any(one.differs for one in comparison.symbols)
    assert comparison.reviews == []
    assert comparison.clusters == []
    assert all(one.then == one.now for one in comparison.counts)


def events_of(messages: Messages, kind: type) -> list[tuple[int, object]]:
    engines = ("governance", "reality")
    return [
        (message.sequence, event)
        for engine in engines
        for message in records_of(messages, engine)
        for event in EVENT_MESSAGES.decode(message.payload).events
        if isinstance(event, kind)
    ]


# -- nothing changed -----------------------------------------------------------------


@given(seed=st.integers(0, 10_000), orders=st.integers(0, 60))
@drawn(40)
def test_with_nothing_changed_it_is_history_event_for_event(seed: int, orders: int) -> None:
    messages = news(seed, orders, resolved=seed % 2 == 1)
    comparison = ask(messages)
    check_same(comparison)
    assert comparison.through == len(messages)


def test_hosts_that_were_killed_and_ticks_are_followed() -> None:
    messages = history()
    comparison = ask(messages)
    check_same(comparison)
    assert counts(comparison)["clusters"][0] > 3


@given(seed=st.integers(0, 20), share=st.floats(0.3, 1))
@drawn(40)
def test_a_log_that_ends_anywhere_is_followed(seed: int, share: float) -> None:
    messages = news(seed)
    check_same(ask(messages[: int(share * len(messages))]))


def test_changes_that_change_nothing_are_no_difference() -> None:
    messages = news(3, 100)
    check_same(ask(messages, Changes(policy=SEED_PLAN)))
    check_same(ask(messages, Changes(without_sources=("unknown",))))
    check_same(ask(messages, Changes(without_articles=(1,))))
    check_same(ask(messages, Changes(carry_answers=True)))


def test_what_was_not_decided_by_the_engine_is_not_passed_off_as_a_difference() -> None:
    messages = news(2)
    moves = [sequence for sequence, _ in events_of(messages, ScoreChanged)]

    def push(record: Record) -> Record:
        events = [
            replace(event, confidence_bp=event.confidence_bp + 1)
            if isinstance(event, ScoreChanged)
            else event
            for event in record.events
        ]
        return replace(record, events=events)

    forged = forge(messages, moves[0], push)
    comparison = ask(forged)
    assert comparison.differs_at == moves[0]
    assert "before anything was changed" in comparison.flaws[0]
    later = Changes(policy=CALIBRATED, after=moves[0])
    assert "before anything was changed" in ask(forged, later).flaws[0]
    elsewhere = forge(messages, moves[0], lambda record: replace(record, decider="reality/0"))
    assert "reality/0 decided history" in ask(elsewhere).flaws[0]


def test_a_log_that_is_no_chain_has_no_fork() -> None:
    messages = news(2)
    record = records_of(messages, "exchange")[-1]
    with pytest.raises((LogDiverged, UnknownRecord)):
        ask(flip(messages, record.sequence, record.payload.index(b'"time_ns":') + 12))


# -- another policy ------------------------------------------------------------------


@given(seed=st.integers(0, 20), share=st.floats(0, 0.99))
@drawn(40)
def test_a_policy_changes_nothing_before_it_holds(seed: int, share: float) -> None:
    messages = news(seed)
    after = int(share * len(messages))
    comparison = ask(messages, Changes(policy=CALIBRATED, after=after))
    assert comparison.flaws == []
    assert comparison.differs_at == 0 or comparison.differs_at >= after


def test_a_policy_without_reviews_has_none() -> None:
    for seed in range(4):
        comparison = ask(news(seed, 100), Changes(policy=FREE))
        assert counts(comparison)["reviews opened"][0] > 0
        assert counts(comparison)["reviews opened"][1] == 0
        assert any(one.score_changes_now > one.score_changes_then for one in comparison.symbols)
        assert comparison.differs_at > 0
        for one in comparison.symbols:
            scores = comparison.histories[one.symbol].score_now
            assert scores[-1][1] == one.score_now_e2


def test_another_weight_of_trades_gives_other_prices_and_the_same_scores() -> None:
    messages = news(3, 100)
    slow = replace(SEED_PLAN, name="slow", pricing=PricingPolicy(ewma_alpha_bp=100))
    comparison = ask(messages, Changes(policy=slow))
    rain = next(one for one in comparison.symbols if one.symbol == "RAIN")
    assert rain.score_then_e2 == rain.score_now_e2
    assert rain.final_then_e2 != rain.final_now_e2
    assert comparison.reviews == []


def test_what_bounds_would_have_made_of_market_prices() -> None:
    messages = news(3, 100, policy=UNBOUNDED)
    comparison = ask(messages, Changes(policy=SEED_PLAN))
    assert comparison.flaws == []
    naive = NaivePrice(5_000, PriceBounds())
    for message in records_of(messages, "exchange"):
        record = EVENT_MESSAGES.decode(message.payload)
        trades = [e for e in record.events if isinstance(e, Traded) and e.symbol == "RAIN"]
        tops = [top for e in record.events if isinstance(e, TopsChanged) for top in e.tops]
        naive.record(record.time_ns, trades, next((t for t in tops if t.symbol == "RAIN"), None))
    rain = next(one for one in comparison.symbols if one.symbol == "RAIN")
    assert rain.market_now_e2 == round(Fraction(naive.ewma_e6, 10**6))
    assert rain.market_then_e2 not in (None, rain.market_now_e2)
    assert rain.score_then_e2 == rain.score_now_e2


def test_a_log_of_another_release_is_run_again_under_todays_rules() -> None:
    venue = released("v0.1.0")
    comparison = simulate(whatif(venue.server().connect(), Changes(policy=SEED_PLAN)))
    moved = [one for one in comparison.symbols if one.market_then_e2 != one.market_now_e2]
    assert moved
    assert any("pricing/1" in note for note in comparison.notes + comparison.flaws)


def test_a_policy_from_the_middle_on_holds_for_what_comes_then() -> None:
    messages = news(3, 100)
    first = events_of(messages, ReviewOpened)[4][0]
    comparison = ask(messages, Changes(policy=FREE, after=first))
    then, now = counts(comparison)["reviews opened"]
    assert 5 <= now < then
    with pytest.raises(InputError):
        ask(messages, Changes(policy=FREE, after=len(messages)))


def test_requests_that_were_never_made_time_out() -> None:
    comparison = ask(news(3, 100), Changes(policy=ASKING))
    asked, answered, silent = (
        counts(comparison)[what]
        for what in ("LLM requests", "LLM answers used", "LLM requests that timed out")
    )
    assert asked[1] > asked[0]
    assert silent[1] > silent[0]
    assert answered[1] + silent[1] <= asked[1]


@pytest.mark.parametrize("policy", [CALIBRATED, FREE, ASKING], ids=lambda policy: policy.name)
@pytest.mark.parametrize("seed", range(6))
def test_a_fork_is_what_a_venue_of_that_policy_really_becomes(seed: int, policy: Policy) -> None:
    """The oracle: another venue, founded with the policy, to which the world says the same."""
    forked = ask(orderly(seed, SEED_PLAN), Changes(policy=policy))
    real = ask(orderly(seed, policy))
    assert forked.flaws == []
    assert forked.differs_at > 0
    assert len(real.symbols) == len(SYMBOLS)
    for fork, truth in zip(forked.symbols, real.symbols, strict=True):
        assert fork.symbol == truth.symbol
        assert fork.score_now_e2 == truth.score_then_e2
        assert fork.final_now_e2 == truth.final_then_e2
        assert fork.score_changes_now == truth.score_changes_then
        moves = forked.histories[fork.symbol], real.histories[fork.symbol]
        assert moves[0].score_now == moves[1].score_then
        assert moves[0].final_now == moves[1].final_then
    now = {what: pair[1] for what, pair in counts(forked).items()}
    assert now == {what: pair[0] for what, pair in counts(real).items()}


READ = (subjects.signals("main"), subjects.llm("main"))
POLICIES = st.builds(
    lambda scale, group, suspicious, alpha, quick: replace(
        SEED_PLAN,
        name="any",
        pricing=PricingPolicy(ewma_alpha_bp=alpha),
        reality=replace(
            SEED_PLAN.reality,
            points_scale_e2=scale,
            similarity_group_bp=group,
            suspicious_delta_e2=suspicious,
            llm_quick_threshold_bp=quick,
        ),
    ),
    st.integers(0, 10_000),
    st.integers(0, 8_800),
    st.integers(0, 2_000),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
)


@given(
    seed=st.integers(0, 20),
    policy=st.none() | POLICIES,
    sources=st.sets(st.sampled_from(SOURCES)),
    articles=st.sets(st.integers(1, 250), max_size=20),
    verdicts=st.lists(st.booleans(), max_size=10),
    carry=st.booleans(),
    share=st.floats(0, 0.9),
)
@drawn(100)
def test_any_change_has_a_fork_that_holds_together(
    seed: int,
    policy: Policy | None,
    sources: set[str],
    articles: set[int],
    verdicts: list[bool],
    carry: bool,
    share: float,
) -> None:
    messages = news(seed)
    opened = [event.proposal_hash for _, event in events_of(messages, ReviewOpened)]  # type: ignore[attr-defined]  # they are all ReviewOpened
    changes = Changes(
        policy=policy,
        without_sources=tuple(sorted(sources)),
        without_articles=tuple(sorted(articles)),
        answers=dict(zip(opened, verdicts, strict=False)),
        carry_answers=carry,
        after=int(share * len(messages)),
    )
    fork = Fork("main", changes, {})
    for message in messages:
        if ".evt." in message.subject or message.subject in READ:
            fork.take(message)
    assert not fork.unprovoked
    assert fork.differs_at == 0 or verdicts or fork.differs_at >= changes.after
    priced = fork._pricing.state.symbols
    for symbol, line in fork.now.symbols.items():
        assert line.score_e2 is not None
        assert 0 <= line.score_e2 <= 10_000
        assert priced[symbol].reality_score_e2 == line.score_e2
        price = priced[symbol].price
        assert price is not None
        assert price.final_price_e2 == line.final_price_e2
        final_e2 = blend(price.market_price_e2, 5_000, line.score_e2, 5_000)
        assert final_e2 == line.final_price_e2
    kept = fork._reality.state.persisted
    assert {hash_ for hash_, one in fork.now.reviews.items() if one.state == "open"} == {
        *kept.reviews
    }
    assert ask(messages, changes).document() == ask(messages, changes).document()


# -- what was not said ---------------------------------------------------------------


def test_without_any_source_no_score_moves() -> None:
    messages = news(3, 100)
    comparison = ask(messages, Changes(without_sources=SOURCES))
    assert [one.symbol for one in comparison.symbols] == [*SYMBOLS]
    for one in comparison.symbols:
        assert (one.score_now_e2, one.score_changes_now) == (5_000, 0)
    assert counts(comparison)["clusters"][1] == 0
    price = next(one for one in comparison.symbols if one.symbol == "RAIN")
    last = EVENT_MESSAGES.decode(records_of(messages, "pricing")[-1].payload)
    assert last is not None
    market_e2 = 2 * int(price.final_then_e2 or 0) - int(price.score_then_e2 or 0)
    assert abs(blend(market_e2, 5_000, 5_000, 5_000) - int(price.final_now_e2 or 0)) <= 1


def test_an_article_that_had_no_say_is_not_missed() -> None:
    for seed in range(6):
        messages = news(seed, 100)
        heard = {event.article for _, event in clustered(messages)}
        for _, event in events_of(messages, ArticleDropped):
            assert isinstance(event, ArticleDropped)
            if event.reason == "no_mention" and event.article not in heard:
                comparison = ask(messages, Changes(without_articles=(event.article,)))
                assert comparison.flaws == []
                assert not any(one.differs for one in comparison.symbols)
                assert counts(comparison)["articles dropped"] != counts(comparison)["clusters"]
                return
    raise AssertionError("no such article")


def clustered(messages: Messages) -> list[tuple[int, ArticleDropped]]:
    """Return what else became of articles that were dropped once: they came again."""
    return [
        (sequence, event)
        for sequence, event in events_of(messages, ArticleDropped)
        if isinstance(event, ArticleDropped) and event.reason == "repeated"
    ]


def test_an_article_that_moved_a_score_is_missed() -> None:
    tried = 0
    for seed in range(8):
        messages = news(seed)
        moves = [event for _, event in events_of(messages, ScoreChanged)]
        if not moves:
            continue
        article = moves[0].article  # type: ignore[attr-defined]  # it is a ScoreChanged
        comparison = ask(messages, Changes(without_articles=(article,)))
        assert comparison.flaws == []
        assert comparison.differs_at > article
        for row in comparison.clusters:
            assert row.cluster != article or row.articles_now < row.articles_then
        tried += 1
    assert tried > 3


# -- what people answered otherwise --------------------------------------------------


def closed(messages: Messages, outcome: str) -> list[ReviewClosed]:
    return [
        event
        for _, event in events_of(messages, ReviewClosed)
        if isinstance(event, ReviewClosed) and event.outcome == outcome
    ]


def test_the_last_approval_that_was_a_rejection_takes_its_move_back() -> None:
    tried = 0
    for seed in range(10):
        messages = news(seed, 100)
        for review in closed(messages, "approved")[-1:]:
            comparison = ask(messages, Changes(answers={review.proposal_hash: False}))
            assert comparison.flaws == []
            [row] = [r for r in comparison.reviews if r.proposal_hash == review.proposal_hash]
            assert (row.then, row.now) == ("approved", "rejected")
            after = comparison.differs_at
            [answer] = [
                sequence
                for sequence, event in events_of(messages, ReviewAnswered)
                if isinstance(event, ReviewAnswered) and event.approve
                if event.proposal_hash == review.proposal_hash
            ][:1]
            assert after >= answer
            tried += 1
    assert tried > 5


def test_a_review_that_nobody_answered_can_be_approved() -> None:
    tried = 0
    for seed in range(6):
        messages = news(seed, 100)
        for review in closed(messages, "expired")[-1:]:
            hash_ = review.proposal_hash
            comparison = ask(messages, Changes(answers={hash_[:12]: True}))
            assert comparison.flaws == []
            [row] = [r for r in comparison.reviews if r.proposal_hash == hash_]
            assert (row.then, row.now) == ("expired", "approved")
            [symbol] = [one for one in comparison.symbols if one.symbol == review.symbol]
            assert symbol.differs
            tried += 1
    assert tried > 3


def test_all_answers_may_be_turned_round() -> None:
    for seed in range(4):
        messages = news(seed, 100)
        answers = {one.proposal_hash: True for one in closed(messages, "rejected")}
        answers |= {one.proposal_hash: False for one in closed(messages, "approved")}
        comparison = ask(messages, Changes(answers=answers))
        assert comparison.flaws == []
        for row in comparison.reviews:
            if row.proposal_hash in answers and row.now not in (None, "open"):
                assert row.now == ("approved" if answers[row.proposal_hash] else "rejected")


def test_a_review_that_never_opens_is_told() -> None:
    comparison = ask(news(3), Changes(answers={"ab" * 32: True}))
    assert comparison.differs_at == 0
    assert any(note.startswith("no review abab") for note in comparison.notes)


def test_answers_may_be_carried_to_what_the_fork_proposes() -> None:
    strict = carried = 0
    for seed in range(8):
        messages = news(seed, 100)
        harsh = replace(
            SEED_PLAN,
            name="harsh",
            reality=replace(SEED_PLAN.reality, points_scale_e2=6_000, suspicious_delta_e2=1),
            safeguards=replace(SEED_PLAN.rules().safeguards, sensitive_delta_e2=1),
        )
        strict += counts(ask(messages, Changes(policy=harsh)))["reviews approved"][1]
        both = ask(messages, Changes(policy=harsh, carry_answers=True))
        carried += counts(both)["reviews approved"][1]
        assert both.flaws == []
    assert carried > strict


# -- how it is told ------------------------------------------------------------------


def test_a_comparison_is_told_and_drawn() -> None:
    comparison = ask(news(3, 100), Changes(policy=CALIBRATED, without_sources=("daily",)))
    lines = describe(comparison)
    assert lines[0] == "what if: policy “calibrated”; without source daily"
    assert any(line.startswith("RAIN ") for line in lines)
    assert any("what people would have done" in line for line in lines)
    assert f"first decided otherwise at sequence {comparison.differs_at:,}" in lines[-1]
    picture = ElementTree.fromstring(draw(comparison))
    texts = [element.text for element in picture.iter() if element.text]
    assert {"RAIN score", "RAIN price", "then", "what if"} <= set(texts)
    same = ask(news(3, 100))
    assert "every record of reality and pricing is decided the same" in describe(same)[-1]
    assert ElementTree.fromstring(draw(same)) is not None
    assert encode(comparison.document())


def test_an_empty_log_has_no_fork() -> None:
    with pytest.raises(InputError):
        ask([])


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=3 * MAX_PLOT_POINTS))
@drawn(20)
def test_a_thinned_history_keeps_its_ends(values: list[int]) -> None:
    thinned = Thinned()
    for at_ns, value in enumerate(values):
        thinned.add(at_ns, value)
    points = thinned.points()
    assert points[0] == (0, values[0])
    assert points[-1] == (len(values) - 1, values[-1])
    assert points == sorted(points)
    assert len(points) <= MAX_PLOT_POINTS + 1
    assert all(values[at_ns] == value for at_ns, value in points)
