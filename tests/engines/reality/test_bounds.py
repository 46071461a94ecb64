"""What happens at every bound, and for messages that should not be there."""

from itertools import pairwise
from typing import Any

import pytest

from engines.reality import evolve, memory
from engines.reality.decide import asking, group_end, hearing, reviews
from schemas.chain import digest
from schemas.codec import encode
from schemas.errors import BrokenInvariant, UnknownRecord
from schemas.events import reality
from schemas.events.exchange import BookOpened, ReviewersChecked
from schemas.events.governance import MarketEdited, OpsOverridden
from schemas.events.reality import (
    ArticleDropped,
    ArticleGrouped,
    ArticlesForgotten,
    ClusterOpened,
    ImpactAssessed,
    LlmAnswered,
    LlmRequested,
    LlmSkipped,
    LlmTimedOut,
    ReviewClosed,
    ReviewOpened,
    ScoreChanged,
    ScoreClosed,
)
from schemas.observations import LlmCalled, TextMeasured
from schemas.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from tests.engines.reality.venue import (
    START_NS,
    TRUSTS,
    RealityVenue,
    changed,
    good_answer,
    listed,
    only,
    record,
    review,
    snapshot_id,
    titled,
)

NO_LIMIT = changed("safeguards", source_articles_per_hour=100_000)


def kinds(events: list[Any]) -> list[str]:
    return [type(event).__name__ for event in events]


def first_article(events: list[Any]) -> int:
    article: int = only(events, ClusterOpened).article
    return article


def test_every_event_has_its_step() -> None:
    assert set(evolve.EVENT_HANDLERS) == set(reality.Event.__args__)


# -- messages that should not be there -----------------------------------------------


def test_record_of_another_engine_that_cannot_be_read() -> None:
    venue = RealityVenue()
    for name in ("governance", "exchange"):
        _, data = record(name, START_NS, ReviewersChecked(1, "0" * 64, "RAIN", "", [], []))
        for payload in (data[:-9], data.replace(b"record/1", b"record/2")):
            message = venue.driver.stored(f"main.evt.{name}", payload)
            with pytest.raises(UnknownRecord):
                list(venue.engine.decide(venue.state, message, START_NS))


def test_record_on_another_engines_subject() -> None:
    venue = RealityVenue()
    _, data = record("exchange", START_NS, BookOpened(1, "RAIN", 1))
    with pytest.raises(UnknownRecord, match="exchange"):
        venue.driver.feed(("main.evt.governance", data))


def test_most_records_of_the_exchange_are_not_even_read() -> None:
    venue = RealityVenue()
    assert venue.driver.feed(("main.evt.exchange", b"no record at all")) == []
    assert venue.driver.feed(record("exchange", START_NS, BookOpened(1, "RAIN", 1))) == []


def test_other_events_and_subjects_are_nobody_s_business() -> None:
    venue = RealityVenue()
    assert venue.govern(OpsOverridden(1, "k", "a", "r")) == []
    assert venue.driver.feed(("main.obs.article", b"{}")) == []


def test_unreadable_observations_are_answered() -> None:
    venue = RealityVenue()
    (dropped,) = venue.driver.feed(("main.obs.signals", b'{"type":"signals_measured/9"}'))
    assert isinstance(dropped, ArticleDropped)
    assert (dropped.reason, dropped.article, dropped.source) == ("unreadable", 0, "")
    (answered,) = venue.driver.feed(("main.obs.llm", b"[" * 9_999))
    assert answered == LlmAnswered(venue.driver.sequence, "", "unknown", 0, 0)
    call = LlmCalled(
        request=1, request_id="1-\x00" + "x" * 999, prompt="", input_hash="", model="",
        raw_output="", answer=None, error="", started_ns=0, ended_ns=0,
    )  # fmt: skip
    (answered,) = venue.driver.feed(("main.obs.llm", encode(call)))
    assert isinstance(answered, LlmAnswered)
    assert answered.request_id == "1-\ufffd" + "x" * 41
    # a measurement on the wrong subject, or of an article that is not there yet
    (dropped,) = venue.driver.feed(("main.obs.signals", encode(call)))
    assert isinstance(dropped, ArticleDropped) and dropped.reason == "unreadable"
    (dropped,) = venue.measure(article=venue.driver.sequence + 1)
    assert isinstance(dropped, ArticleDropped) and dropped.reason == "unreadable"
    venue.check()


def test_texts_are_nothing_to_judge() -> None:
    """A measured text has the outcome that v0.1.0 gives it, and no say in what comes later."""
    venue, other = RealityVenue(), RealityVenue()
    text = TextMeasured(
        kind="market", id="RAIN", of=1, text_hash="0" * 64, embedding="AA==", model="words",
        signals=0, measured_ns=1,
    )  # fmt: skip
    for _ in range(3):
        (dropped,) = venue.driver.feed(("main.obs.signals", encode(text)))
        assert isinstance(dropped, ArticleDropped)
        assert (dropped.reason, dropped.article, dropped.source) == ("unreadable", 0, "")
        other.driver.feed(("main.obs.signals", b"what only takes a sequence"))
    assert venue.engine.dump(venue.state) == other.engine.dump(other.state)
    assert venue.measure() == other.measure()
    assert venue.engine.dump(venue.state) == other.engine.dump(other.state)
    venue.check()


def test_event_that_cannot_be_true() -> None:
    venue = RealityVenue()
    with pytest.raises(BrokenInvariant):
        venue.engine.evolve(venue.state, ScoreClosed(1, "FOG"))
    with pytest.raises(BrokenInvariant):
        venue.engine.evolve(venue.state, LlmTimedOut(1, "1-RAIN"))
    with pytest.raises(UnknownRecord):
        venue.engine.evolve(venue.state, BookOpened(1, "RAIN", 1))


# -- articles ------------------------------------------------------------------------


def test_article_that_would_join_a_full_cluster_is_a_duplicate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hearing, "MAX_CLUSTER_ARTICLES", 3)
    venue = RealityVenue()
    a = first_article(venue.measure())
    for _ in range(2):
        assert kinds(venue.measure(neighbours=venue.neighbour(a)))[0] == "ArticleGrouped"
    (dropped,) = venue.measure(neighbours=venue.neighbour(a))
    assert isinstance(dropped, ArticleDropped)
    assert (dropped.reason, dropped.of, dropped.similarity_bp) == ("duplicate", a, 8_000)


def test_full_window_lets_its_oldest_article_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evolve, "MAX_WINDOW_ARTICLES", 3)
    venue = RealityVenue()
    a, b, c = (first_article(venue.measure()) for _ in range(3))
    d = first_article(venue.measure())
    assert [*venue.state.persisted.window] == [b, c, d]
    assert [*venue.state.persisted.clusters] == [b, c, d]  # nothing was forgotten lately: at once
    e = first_article(venue.measure(neighbours=venue.neighbour(a)))
    assert [*venue.state.persisted.window] == [c, d, e]
    assert b in venue.state.persisted.ended
    venue.wait(10 * MINUTE_NS)
    assert [*venue.state.persisted.clusters] == [c, d, e]
    venue.check()


def test_article_like_the_one_that_makes_room_for_it_joins_its_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evolve, "MAX_WINDOW_ARTICLES", 2)
    venue = RealityVenue()
    a, b = (first_article(venue.measure()) for _ in range(2))
    told = venue.measure("weekly", neighbours=venue.neighbour(a), sentiment_bp=5_000)
    assert kinds(told)[:2] == ["ArticleGrouped", "ArticleAssessed"]
    c = only(told, ArticleGrouped).article
    assert [*venue.state.persisted.window] == [b, c]
    assert [*venue.state.persisted.clusters[a].stories["RAIN"].tellings] == [a, c]
    venue.check()


def test_memory_of_articles_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_REMEMBERED_ARTICLES", 4)
    venue = RealityVenue()
    told = [venue.measure(snapshot_id=snapshot_id(name)) for name in "abcde"]
    forgets = [any(isinstance(event, ArticlesForgotten) for event in events) for events in told]
    assert forgets == [False, True, False, True, False]
    assert len(venue.state.persisted.seen.now) + len(venue.state.persisted.seen.before) <= 4
    (dropped,) = venue.measure(snapshot_id=snapshot_id("c"))
    assert isinstance(dropped, ArticleDropped) and dropped.reason == "repeated"
    venue.check()


def test_all_is_forgotten_in_the_end() -> None:
    venue = RealityVenue(trusts=TRUSTS)
    empty = venue.engine.load(venue.engine.dump(venue.state)).persisted
    venue.llm()
    venue.measure("tiny", sentiment_bp=1_000)
    venue.measure("tiny", sentiment_bp=9_000)
    venue.measure("daily", sentiment_bp=2_000)
    told = venue.wait(61 * DAY_NS)
    forgets = [event.now_ns for event in told if isinstance(event, ArticlesForgotten)]
    # the window; the charges of two moves, of which one had waited for the LLM; the story
    # behind its review; the two generations of the memory
    after_h = [(now_ns - START_NS) // HOUR_NS for now_ns in forgets]
    assert after_h == [6, 24, 24, 72, 30 * 24, 60 * 24]
    kept = venue.state.persisted
    for name in ("window", "clusters", "ended", "reviews", "seen", "charges", "sources"):
        ours, theirs = getattr(kept, name), getattr(empty, name)
        if name == "seen":
            assert not ours.now and not ours.before
        elif name == "sources":
            assert all(one.recent_ns == [] for one in ours.values())
        else:
            assert ours == theirs, name
    assert venue.engine.next_due_ns(venue.state) is None
    venue.check()


def test_forgetting_is_not_done_more_often_than_every_ten_minutes() -> None:
    venue = RealityVenue(NO_LIMIT)
    for _ in range(30):
        venue.measure()
        venue.wait(MINUTE_NS)
    told = venue.wait(7 * HOUR_NS)
    forgets = [event.now_ns for event in told if isinstance(event, ArticlesForgotten)]
    assert len(forgets) == 4  # thirty articles left the window within half an hour
    gaps = [later - earlier for earlier, later in pairwise(forgets)]
    assert min(gaps) >= 10 * MINUTE_NS


def test_story_that_waits_outlives_the_window() -> None:
    venue = RealityVenue()
    events = venue.measure(sentiment_bp=1_000)
    venue.wait(70 * HOUR_NS)
    assert first_article(events) in venue.state.persisted.clusters
    told = venue.checked(review(events).proposal_hash)
    assert kinds(told)[:2] == ["ReviewClosed", "ScoreChanged"]
    venue.wait(HOUR_NS)
    assert venue.state.persisted.clusters == {}
    venue.check()


def test_window_is_over_at_its_end_whether_or_not_it_was_forgotten() -> None:
    venue = RealityVenue()
    a = first_article(venue.measure())
    venue.driver.at(START_NS + 6 * HOUR_NS - 1)
    b = only(venue.measure(neighbours=venue.neighbour(a)), ArticleGrouped).article
    venue.driver.at(START_NS + 6 * HOUR_NS)
    assert first_article(venue.measure(neighbours=venue.neighbour(a)))
    assert only(venue.measure(neighbours=venue.neighbour(b)), ArticleGrouped).cluster == a


def test_most_similar_neighbour_counts_in_whatever_order_they_come() -> None:
    venue = RealityVenue()
    a, b = first_article(venue.measure()), first_article(venue.measure())
    both = venue.neighbour(a, 8_000) + venue.neighbour(b, 8_100)
    for neighbours in (both, both[::-1]):
        joined: ArticleGrouped = only(venue.measure(neighbours=neighbours), ArticleGrouped)
        assert (joined.cluster, joined.similarity_bp) == (b, 8_100)


def test_nobody_publishes_after_being_seen() -> None:
    venue = RealityVenue()
    for published_ns in (START_NS + 1, 2**70, None):
        opened: ClusterOpened = only(venue.measure(published_ns=published_ns), ClusterOpened)
        assert opened.published_ns == opened.observed_ns == START_NS
    assert only(venue.measure(published_ns=START_NS - 1), ClusterOpened).published_ns < START_NS


# -- reviews -------------------------------------------------------------------------


def test_flood_of_reviews_displaces_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviews, "MAX_OPEN_REVIEWS", 3)
    venue = RealityVenue()
    honest = review(venue.measure("weekly", sentiment_bp=1_000)).proposal_hash
    first = review(venue.measure("daily", sentiment_bp=1_000)).proposal_hash
    second = review(venue.measure("daily", sentiment_bp=1_000)).proposal_hash
    events = venue.measure("daily", sentiment_bp=1_000)
    closed: ReviewClosed = only(events, ReviewClosed)
    assert (closed.proposal_hash, closed.outcome) == (first, "expired")
    third = review(events).proposal_hash
    assert [*venue.state.persisted.reviews] == [honest, second, third]
    # even the one with the least: the flood gives way, not the newcomer
    events = venue.measure("weekly", sentiment_bp=1_000)
    assert only(events, ReviewClosed).proposal_hash == second
    assert honest in venue.state.persisted.reviews
    assert kinds(venue.checked(honest)) == ["ReviewClosed", "ScoreChanged"]
    venue.check()


def test_proposal_is_what_its_hash_says_and_names_a_bounded_evidence() -> None:
    policy = changed("reality", NO_LIMIT, suspicious_delta_e2=0, delta_cap_e2=10_000)
    venue = RealityVenue(policy, trusts={f"s{n:02}": 1 for n in range(30)} | {"daily": 8_500})
    a = first_article(venue.measure("s00"))
    for n in range(1, 30):
        venue.measure(f"s{n:02}", neighbours=venue.neighbour(a))
    opened = review(venue.measure(sentiment_bp=1_000, neighbours=venue.neighbour(a)))
    assert opened.proposal_hash == digest(encode(opened.proposal))
    story = venue.state.persisted.clusters[a].stories["RAIN"]
    assert opened.proposal.articles == story.articles[-20:]
    assert opened.proposal.sources == [*story.sources][-20:]
    assert (len(opened.proposal.articles), opened.charged) == (20, "daily")


def test_answer_for_another_symbol_or_an_unknown_proposal() -> None:
    venue = RealityVenue()
    hash_ = review(venue.measure(sentiment_bp=1_000)).proposal_hash
    for answer in (venue.checked, venue.answered):
        (refused,) = answer(hash_, "SNOW")
        assert getattr(refused, "code", None) == "bad_proposal"
        (refused,) = answer("0" * 64, "RAIN")
        assert getattr(refused, "code", None) == "unknown_review"
    assert hash_ in venue.state.persisted.reviews


def test_barred_reviewers_are_named() -> None:
    venue = RealityVenue()
    hash_ = review(venue.measure(sentiment_bp=1_000)).proposal_hash
    (refused,) = venue.checked(hash_, "RAIN", "anna", "bob")
    assert refused == reality.ReviewAnswerRefused(
        venue.driver.sequence, hash_, "RAIN", "holds_the_symbol", "they hold it: anna, bob"
    )
    assert venue.score_e2() == 5_000


# -- the LLM -------------------------------------------------------------------------


def test_only_so_many_requests_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_LLM_WAITING", 2)
    venue = RealityVenue()
    venue.llm()
    told = [venue.measure(sentiment_bp=9_000) for _ in range(3)]
    asked = [any(isinstance(event, LlmRequested) for event in events) for events in told]
    assert asked == [True, True, False]
    assert only(told[2], LlmSkipped).why == "no_token"


def test_llm_reads_the_newest_articles_of_the_story() -> None:
    venue = RealityVenue()
    articles = [first_article(venue.measure())]
    for _ in range(6):
        events = venue.measure(neighbours=venue.neighbour(articles[0]))
        articles.append(only(events, ArticleGrouped).article)
    venue.llm()
    events = venue.measure("weekly", neighbours=venue.neighbour(articles[0]))
    articles.append(only(events, ArticleGrouped).article)
    request: LlmRequested = only(events, LlmRequested)
    assert request.articles == articles[-5:]
    assert request.why == "independent_sources"
    assert request.deadline_ns - request.at_ns == 120 * SECOND_NS


@pytest.mark.parametrize(
    ("impact_e2", "confidence_bp", "ids", "status"),
    [
        (10_000, 10_000, ["a"], "used"),
        (-10_000, 0, ["a"] * 5, "used"),
        (10_001, 0, ["a"], "invalid"),
        (-10_001, 0, ["a"], "invalid"),
        (0, 10_001, ["a"], "invalid"),
        (0, -1, ["a"], "invalid"),
        (0, 0, [], "invalid"),
        (0, 0, ["a"] * 6, "invalid"),
        (0, 0, ["a", "air"], "invalid"),
    ],
)
def test_answer_is_judged_again(
    impact_e2: int, confidence_bp: int, ids: list[str], status: str
) -> None:
    venue = RealityVenue()
    venue.llm()
    events = venue.measure(sentiment_bp=9_000, snapshot_id=snapshot_id("a"))
    cited = [snapshot_id(name) for name in ids]
    answer = good_answer(impact_e2, confidence_bp, *cited)
    told = venue.answer(only(events, LlmRequested).request_id, answer)
    assert only(told, LlmAnswered).status == status
    assert only(told, ImpactAssessed).llm == status


def test_many_deadlines_are_concluded_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_end, "MAX_TIMERS_AT_ONCE", 2)
    venue = RealityVenue()
    venue.llm()
    for _ in range(5):
        venue.measure(sentiment_bp=9_000)
    venue.driver.at(START_NS + 120 * SECOND_NS)
    counts = []
    while (due := venue.engine.next_due_ns(venue.state)) is not None and due <= venue.now_ns:
        told = venue.driver.take([])
        counts.append(sum(isinstance(event, LlmTimedOut) for event in told))
    assert counts == [2, 2, 1]
    venue.check()


# -- scores --------------------------------------------------------------------------


def test_political_markets_stay_sensitive() -> None:
    venue = RealityVenue(markets=())
    (opened,) = venue.govern(listed("VOTE", market_type="political", initial_score_e2=7_000))
    assert opened == reality.ScoreOpened(venue.driver.sequence, "VOTE", 7_000, True, True)
    assert venue.govern(MarketEdited(1, "VOTE", "", "", [], "low", 1, 1)) == []
    (opened,) = venue.govern(listed("HIGH", risk_level="high"))
    assert opened == reality.ScoreOpened(venue.driver.sequence, "HIGH", 5_000, False, True)


def test_moves_that_are_looked_back_at_are_bounded() -> None:
    policy = changed("safeguards", NO_LIMIT, spike_changes=3, source_cap_e2=10**6)
    venue = RealityVenue(policy, trusts=TRUSTS)
    for sign in (1, -1, 1, -1, 1):
        venue.measure("tiny", sentiment_bp=sign * 1_000, mentions=titled("RAIN"))
    assert venue.state.persisted.scores["RAIN"].moves_e2 == [372, 372, 372]
    assert len(venue.state.charges.all()) == 5


def test_move_of_an_instant_is_charged_until_the_window_is_over() -> None:
    policy = changed("safeguards", source_cap_e2=372)
    venue = RealityVenue(policy, trusts=TRUSTS)
    assert only(venue.measure("tiny", sentiment_bp=1_000), ScoreChanged).delta_e2 == 372
    venue.wait(DAY_NS - 1)
    assert only(venue.measure("tiny", sentiment_bp=1_000), ReviewOpened).reasons == ["source_cap"]
    venue.wait(1)
    assert only(venue.measure("tiny", sentiment_bp=1_000), ScoreChanged).delta_e2 == 372


def test_charge_is_over_at_its_windows_end_whether_or_not_it_was_forgotten() -> None:
    venue = RealityVenue(changed("safeguards", source_cap_e2=372), trusts=TRUSTS)
    venue.measure("tiny", sentiment_bp=1_000)
    venue.driver.at(START_NS + DAY_NS)
    assert only(venue.measure("tiny", sentiment_bp=1_000), ScoreChanged).delta_e2 == 372


@pytest.mark.parametrize(("most_e2", "kind"), [(372, ScoreChanged), (371, ReviewOpened)])
def test_suspicious_is_what_is_above_the_threshold(most_e2: int, kind: type[Any]) -> None:
    venue = RealityVenue(changed("reality", suspicious_delta_e2=most_e2), trusts=TRUSTS)
    assert only(venue.measure("tiny", sentiment_bp=1_000), kind)
