"""What holds of any course of events: drawn at random, checked after every step."""

from collections import Counter
from typing import Any

import msgspec
from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st

from engines.kernel import decide_group
from engines.reality.limits import REMEMBER_ARTICLES_NS
from engines.reality.story import Story
from schemas.codec import encode
from schemas.events import Event
from schemas.events.governance import (
    MarketClosed,
    MarketEdited,
    MarketResolved,
    SourceAdded,
    SourceChanged,
    SourceQuarantineSet,
)
from schemas.events.reality import (
    ArticleAssessed,
    ArticleDropped,
    ArticleGrouped,
    ClusterOpened,
    ImpactAssessed,
    LlmAnswered,
    LlmRequested,
    ScoreChanged,
)
from schemas.limits import MAX_LLM_ARTICLES
from schemas.observations import Mention, Neighbour, SignalsMeasured
from schemas.policy import CALIBRATED, SEED_PLAN, Policy
from schemas.stored import Stored
from schemas.units import DAY_NS, HOUR_NS, MINUTE_NS
from tests.engines.driver import Driver
from tests.engines.reality.venue import (
    RealityVenue,
    changed,
    good_answer,
    listed,
    snapshot_id,
    source,
)
from tests.support.drawing import drawn

SOURCES = ["daily", "weekly", "tiny", "mute"]
TRUSTS = {"daily": 8_500, "weekly": 5_000, "tiny": 1_000, "mute": 0}
SYMBOLS = st.sampled_from(["RAIN", "RAIN", "RAIN", "SNOW", "FOG"])
POLICIES = [
    SEED_PLAN,
    CALIBRATED,
    changed("safeguards", source_articles_per_hour=2, manip_window_ns=HOUR_NS),
    changed("safeguards", spike_min_changes=2, spike_changes=4, review_life_ns=HOUR_NS),
    changed("safeguards", CALIBRATED, source_cap_e2=500, source_window_ns=HOUR_NS),
    changed("reality", CALIBRATED, llm_calls_per_hour=1, llm_quick_threshold_bp=0),
    changed("llm", min_failures=1, degraded_ns=HOUR_NS),
]
FIRST = (ArticleDropped, ClusterOpened, ArticleGrouped)
WAITS = st.sampled_from(
    [1, MINUTE_NS, MINUTE_NS, HOUR_NS, HOUR_NS, 6 * HOUR_NS, DAY_NS, 40 * DAY_NS]
)


class Course:
    """A venue, what was measured in it, and all that it said."""

    def __init__(self, policy: Policy) -> None:
        self.venue = RealityVenue(policy, trusts=TRUSTS)
        self.venue.llm("enabled")
        self.measured: list[SignalsMeasured] = []
        self.told: list[Event] = []
        self.silent: list[tuple[Stored, bytes, int]] = []

    def step(self, data: st.DataObject) -> None:
        kind = data.draw(
            st.sampled_from(["measure"] * 8 + ["again", "wait", "answer", "answer", "review"] * 2
                            + ["govern", "govern", "junk", "llm", "restart"])
        )  # fmt: skip
        before = self.venue.engine.dump(self.venue.state)
        events = getattr(self, f"_{kind}")(data)
        self.told += events
        note(kind)
        if not events and kind not in ("wait", "restart"):
            self.silent.append((self.venue.driver.inputs[-1], before, self.venue.now_ns))

    def _restart(self, data: st.DataObject) -> list[Event]:
        """Go on from a snapshot; `check` decides all again without one."""
        engine = self.venue.engine
        self.venue.driver.state = engine.load(engine.dump(self.venue.state))
        return []

    def _measure(self, data: st.DataObject) -> list[Event]:
        now_ns = self.venue.now_ns
        others = [one.article for one in self.measured[-4:]] + [1]
        fields: dict[str, Any] = {
            "sentiment_bp": data.draw(st.integers(-10_000, 10_000)),
            "keywords_bp": data.draw(st.sampled_from([0, 0, -3_000, 10_000])),
            "mentions": data.draw(
                st.lists(
                    st.builds(Mention, SYMBOLS, st.integers(0, 2), st.integers(-1, 3)),
                    min_size=1,
                    max_size=3,
                )
            ),
            "neighbours": data.draw(
                st.lists(
                    st.builds(Neighbour, st.sampled_from(others), st.integers(7_700, 8_900)),
                    max_size=2,
                )
            ),
            "published_ns": data.draw(
                st.sampled_from(
                    [None, now_ns, now_ns, now_ns - HOUR_NS, now_ns - DAY_NS, 2**64, -1]
                )
            ),
            "unfit": data.draw(st.sampled_from([""] * 12 + ["failed"])),
        }
        if self.measured and data.draw(st.integers(0, 9)) == 0:
            fields["snapshot_id"] = data.draw(st.sampled_from(self.measured)).snapshot_id
        fields["notice"] = data.draw(st.sampled_from([""] * 6 + ["correction", "retraction"]))
        fields["page"] = data.draw(st.sampled_from(["", "", "p", "q"]))
        fields["backlog"] = data.draw(st.sampled_from([False] * 5 + [True]))
        contrary = data.draw(st.lists(st.sampled_from(others), max_size=2))
        fields["opposites"] = tuple(contrary) if data.draw(st.booleans()) else ()
        signals = self.venue.signals(data.draw(st.sampled_from(SOURCES)), **fields)
        self.measured.append(signals)
        return self.venue.measured(signals)

    def _again(self, data: st.DataObject) -> list[Event]:
        if not self.measured:
            return self._measure(data)
        some = data.draw(st.lists(st.sampled_from(self.measured), min_size=1, max_size=3))
        return self.venue.driver.feed(*(("main.obs.signals", encode(one)) for one in some))

    def _wait(self, data: st.DataObject) -> list[Event]:
        events = self.venue.wait(data.draw(WAITS))
        due_ns = self.venue.engine.next_due_ns(self.venue.state)
        assert due_ns is None or due_ns > self.venue.now_ns
        return events

    def _answer(self, data: st.DataObject) -> list[Event]:
        waiting = self.venue.state.persisted.llm.waiting
        request_id = data.draw(st.sampled_from([*([*waiting] * 5), "7-RAIN", "", "x" * 400]))
        if request_id not in waiting or data.draw(st.integers(0, 3)) == 0:
            return self.venue.answer(request_id, None)
        story = self.venue.state.persisted.clusters[waiting[request_id].cluster]
        articles = story.stories[waiting[request_id].symbol].articles[-1:]
        known = {one.article: one.snapshot_id for one in self.measured}
        there = [known[article] for article in articles] * 5
        cited = data.draw(st.sampled_from([*there, snapshot_id("air")]))
        impact_e2 = data.draw(st.integers(-10_001, 10_001))
        return self.venue.answer(
            request_id, good_answer(impact_e2, data.draw(st.integers(0, 10_000)), cited)
        )

    def _review(self, data: st.DataObject) -> list[Event]:
        reviews = self.venue.state.persisted.reviews
        hash_ = data.draw(st.sampled_from([*([*reviews] * 5), "0" * 64]))
        symbol = reviews[hash_].symbol if hash_ in reviews else "RAIN"
        symbol = data.draw(st.sampled_from([symbol] * 5 + ["SNOW"]))
        kinds = ["approve", "approve", "part", "reject", "barred", "answer"]
        match data.draw(st.sampled_from(kinds)):
            case "approve":
                return self.venue.checked(hash_, symbol)
            case "part":
                part_e2 = data.draw(st.integers(-2_000, 2_000))
                return self.venue.checked(hash_, symbol, part_e2=part_e2)
            case "reject":
                return self.venue.answered(hash_, symbol)
            case "barred":
                return self.venue.checked(hash_, symbol, "bob")
        return self.venue.answered(hash_, symbol, approve=True)

    def _govern(self, data: st.DataObject) -> list[Event]:
        name = data.draw(st.sampled_from([*SOURCES, "other"]))
        trust_bp = data.draw(st.integers(0, 10_000))
        until_ns = self.venue.now_ns + data.draw(st.sampled_from([-1, HOUR_NS, DAY_NS]))
        risk: Any = data.draw(st.sampled_from(["low", "high"]))
        match data.draw(st.integers(0, 7)):
            case 0:
                return self.venue.govern(SourceChanged(1, source(name, trust_bp)))
            case 1:
                return self.venue.govern(SourceAdded(1, source(name, trust_bp, active=False)))
            case 2:
                return self.venue.govern(SourceQuarantineSet(1, name, until_ns, "w"))
            case 3:
                return self.venue.govern(SourceQuarantineSet(1, name, 0, "w"))
            case 4:
                return self.venue.govern(MarketEdited(1, "RAIN", "", "", [], risk, 1, 1))
            case 5:
                return self.venue.govern(MarketResolved(1, "FOG", 1, ""))
            case 6:
                end = MarketResolved(1, "SNOW", 1, "")
                return self.venue.govern(MarketClosed(1, "SNOW", ""), end)
        return self.venue.set_policy(data.draw(st.sampled_from(POLICIES)))

    def _junk(self, data: st.DataObject) -> list[Event]:
        subject = data.draw(st.sampled_from(["main.obs.signals", "main.obs.llm"]))
        return self.venue.driver.feed((subject, data.draw(st.binary(max_size=60))))

    def _llm(self, data: st.DataObject) -> list[Event]:
        return self.venue.llm(data.draw(st.sampled_from(["enabled", "disabled"])))


@drawn(120)
@given(st.data())
def test_any_course_of_events(data: st.DataObject) -> None:
    course = Course(data.draw(st.sampled_from(POLICIES)))
    for _ in range(data.draw(st.integers(1, 40))):
        course.step(data)
        check_state(course.venue)
    course.venue.check()
    check_outcomes(course)
    check_told(course.told)
    check_silence(course, data.draw(WAITS))


def check_state(venue: RealityVenue) -> None:
    """Assert that what is counted twice is counted alike, and all is in its bounds."""
    kept = venue.state.persisted
    assert all(0 <= score.score_e2 <= 10_000 for score in kept.scores.values())
    needed = Counter(review.cluster for review in kept.reviews.values())
    needed += Counter(waiting.cluster for waiting in kept.llm.waiting.values())
    live = Counter(article.cluster for article in kept.window.values())
    for number, cluster in kept.clusters.items():
        assert (cluster.live, cluster.pins) == (live[number], needed[number])
        assert (number in kept.ended) == (not cluster.live and not cluster.pins)
        for story in cluster.stories.values():
            assert abs(story.applied_e2) <= kept.reality.delta_cap_e2
            assert len(story.articles) <= cluster.articles
            assert not story.review or story.review in kept.reviews
            assert sum(story.moved_e2.values()) == story.applied_e2
            assert not {*story.tellings} & {*story.withdrawn}
            assert story.sums == Story(tellings=story.tellings).sums
            assert {*story.sources} <= {*story.moved_e2} - {*story.refused}
            assert min(story.refused_up_e2, story.refused_down_e2) >= 0
            assert len(story.asked_about) <= MAX_LLM_ARTICLES
    assert {*live, *needed} <= {*kept.clusters}
    assert [*kept.window] == [*venue.state.order]
    pages = {(one.source, one.page): article for article, one in kept.window.items() if one.page}
    assert venue.state.pages == pages
    times_ns = [article.at_ns for article in kept.window.values()]
    assert times_ns == sorted(times_ns)
    indexed = [hash_ for hashes in venue.state.reviews_of.values() for hash_ in hashes]
    assert sorted(indexed) == sorted(kept.reviews)


def check_outcomes(course: Course) -> None:
    """Assert that each measurement has exactly one first outcome."""
    first = Counter(event.cause for event in course.told if isinstance(event, FIRST))
    asked = [one.sequence for one in course.venue.driver.inputs if "signals" in one.subject]
    assert first == Counter(asked)


def check_told(told: list[Event]) -> None:
    """Assert that nothing is scored twice, and that the numbers of the events add up."""
    last_ns: dict[int, int] = {}
    opened, requests, answers = Counter[int](), Counter[str](), Counter[str]()
    for event in told:
        if isinstance(event, ClusterOpened):
            opened[event.article] += 1
        if isinstance(event, ClusterOpened | ArticleGrouped):
            before_ns = last_ns.get(event.article, -REMEMBER_ARTICLES_NS)
            assert event.at_ns - before_ns >= REMEMBER_ARTICLES_NS
            last_ns[event.article] = event.at_ns
        elif isinstance(event, LlmRequested):
            requests[event.request_id] += 1
            assert requests[event.request_id] <= opened[event.cluster]
        elif isinstance(event, LlmAnswered) and event.status in ("used", "invalid"):
            answers[event.request_id] += 1
            assert answers[event.request_id] <= requests[event.request_id]
    assessed = Counter(
        (e.cause, e.article, e.symbol) for e in told if isinstance(e, ArticleAssessed)
    )
    assert max(assessed.values(), default=0) <= 1
    for event in told:
        if isinstance(event, ScoreChanged):
            assert event.new_score_e2 - event.old_score_e2 == event.delta_e2
        elif isinstance(event, ImpactAssessed):
            assert event.counted_e2 + event.delta_e2 == event.points_e2


def check_silence(course: Course, wait_ns: int) -> None:
    """Assert that an input that led to nothing would still do so after any ticks."""
    engine = course.venue.engine
    for message, before, now_ns in course.silent:
        later = RealityVenue.__new__(RealityVenue)
        later.engine, later.driver = engine, Driver(engine, now_ns)
        later.driver.state = engine.load(before)
        later.wait(wait_ns)
        group = decide_group(engine, later.state, [message], later.now_ns)
        assert group.events == []


@drawn(60)
@given(st.data())
def test_repeated_measurements_change_nothing(data: st.DataObject) -> None:
    """The same measurements, some of them doubled anywhere behind, lead to the same scores."""
    once, doubled = Course(SEED_PLAN), Course(SEED_PLAN)
    for _ in range(data.draw(st.integers(1, 12))):
        once._measure(data)
    doubled.venue.driver.sequence = once.venue.driver.sequence
    for at, signals in enumerate(once.measured):
        doubled.venue.measured(signals)
        for again in data.draw(st.lists(st.integers(0, at), max_size=2)):
            doubled.venue.measured(once.measured[again])
    assert what_came_of(doubled.venue) == what_came_of(once.venue)


def what_came_of(venue: RealityVenue) -> list[Any]:
    """Return scores and stories without what names messages: doubled ones are more."""
    kept = venue.state.persisted
    stories = [
        msgspec.structs.replace(story, review="x" if story.review else "")
        for cluster in kept.clusters.values()
        for story in cluster.stories.values()
    ]
    proposed = [(review.symbol, review.delta_e2) for review in kept.reviews.values()]
    return [kept.scores, [*kept.clusters], stories, proposed]


@drawn(60)
@given(st.data())
def test_measurements_in_another_order_count_once_each(data: st.DataObject) -> None:
    once = Course(SEED_PLAN)
    for _ in range(data.draw(st.integers(1, 12))):
        once._measure(data)
    other = Course(SEED_PLAN)
    other.venue.driver.sequence = once.venue.driver.sequence
    told: list[Event] = []
    for signals in data.draw(st.permutations(once.measured * 2)):
        told += other.venue.measured(signals)
        assert all(abs(s.applied_e2) <= 2_000 for c in other.venue.state.persisted.clusters.values()
                   for s in c.stories.values())  # fmt: skip
    check_told(told)
    other.venue.check()


@drawn(200)
@given(st.binary(max_size=300), st.sampled_from(["main.obs.signals", "main.obs.llm"]))
def test_observations_may_be_anything(payload: bytes, subject: str) -> None:
    venue = RealityVenue()
    assert len(venue.driver.feed((subject, payload))) == 1
    venue.check()


@drawn(100)
@given(st.data())
def test_measurement_may_claim_anything(data: st.DataObject) -> None:
    venue = RealityVenue()
    known = venue.signals()
    venue.measured(known)
    wild = st.sampled_from([-(2**70), -1, 0, 1, known.article, 10**6, 2**62, 2**63, 2**70])
    fields: dict[str, Any] = {
        name: data.draw(st.one_of(wild, st.just(getattr(known, name))))
        for name in ("article", "observed_ns", "published_ns", "sentiment_bp", "keywords_bp")
    }
    fields["source"] = data.draw(st.sampled_from(["daily", "daily", "", "x" * 99, "a\x00"]))
    fields["snapshot_id"] = data.draw(st.sampled_from([snapshot_id(1), "", "F" * 64, "x" * 999]))
    fields["detail"] = data.draw(st.sampled_from(["", "\x00" * 9_999]))
    fields["unfit"] = data.draw(st.sampled_from(["", "failed"]))
    fields["mentions"] = [Mention("RAIN", data.draw(wild), data.draw(wild))] * 30
    fields["neighbours"] = [Neighbour(known.article, data.draw(wild))] * 30
    signals = msgspec.structs.replace(venue.signals(), **fields)
    events = venue.measured(signals)
    assert len([event for event in events if isinstance(event, FIRST)]) == 1
    check_state(venue)
    venue.check()


def test_listing_is_needed() -> None:
    venue = RealityVenue(markets=())
    (dropped,) = venue.measure()
    assert dropped.reason == "no_market"  # type: ignore[union-attr]
    venue.govern(listed("RAIN"))
    assert len(venue.measure()) > 1
