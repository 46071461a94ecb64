"""What was done to articles, reviews and scores of a log is found."""

from msgspec.structs import replace

from schemas import subjects
from schemas.events import Event
from schemas.events.exchange import ReviewersChecked
from schemas.events.reality import (
    ArticleDropped,
    ArticleGrouped,
    ClusterOpened,
    ReviewClosed,
    ReviewOpened,
    ScoreChanged,
)
from schemas.records import EVENT_MESSAGES, Record
from schemas.stored import Stored
from tests.replay.venue import history
from tests.replay.verify.checking import check, only
from tests.replay.verify.forger import flip, forge, records_of

OUTCOMES = ArticleDropped | ClusterOpened | ArticleGrouped


def events_of(engine: str) -> list[Event]:
    return [
        event
        for message in records_of(history(), engine)
        for event in EVENT_MESSAGES.decode(message.payload).events
    ]


def first(kind: type, engine: str = "reality") -> Stored:
    """Return the first record of `engine` that holds such an event."""
    for message in records_of(history(), engine):
        if any(isinstance(event, kind) for event in EVENT_MESSAGES.decode(message.payload).events):
            return message
    raise AssertionError(kind)


def test_there_was_something_to_check() -> None:
    kinds = {type(event) for event in events_of("reality")}
    assert {ArticleDropped, ClusterOpened, ArticleGrouped, ScoreChanged, ReviewOpened} <= kinds
    outcomes = {e.outcome for e in events_of("reality") if isinstance(e, ReviewClosed)}
    assert {"approved", "rejected"} <= outcomes


def test_an_article_that_was_measured_otherwise_is_found() -> None:
    messages = history()
    moved = next(event for event in events_of("reality") if isinstance(event, ReviewOpened))
    measured = messages[moved.cause - 1]
    assert measured.subject == subjects.signals("main")
    place = measured.payload.index(b'"sentiment_bp":') + len(b'"sentiment_bp":') + 1
    report = check(flip(messages, measured.sequence, place))
    assert only(report, "decision").engine == "reality"
    assert only(report, "seal")


def test_an_article_without_an_outcome_is_counted_as_lost() -> None:
    def forget(record: Record) -> Record:
        gone = next(event for event in record.events if isinstance(event, OUTCOMES))
        return replace(record, events=[event for event in record.events if event != gone])

    report = check(forge(history(), first(ClusterOpened).sequence, forget))
    assert only(report, "decision").engine == "reality"
    assert "has 0 outcomes" in only(report, "outcome").note
    assert (report.account.lost, report.account.doubled) == (1, 0)
    assert report.account.judged == report.account.measured - 1


def test_an_article_that_counts_twice_is_counted_as_doubled() -> None:
    def repeat(record: Record) -> Record:
        again = next(event for event in record.events if isinstance(event, OUTCOMES))
        return replace(record, events=[*record.events, again])

    report = check(forge(history(), first(ClusterOpened).sequence, repeat))
    assert "has 2 outcomes" in only(report, "outcome").note
    assert (report.account.lost, report.account.doubled) == (0, 1)


def test_an_outcome_of_nothing_is_found() -> None:
    def invent(record: Record) -> Record:
        one = next(event for event in record.events if isinstance(event, ClusterOpened))
        return replace(record, events=[*record.events, replace(one, cause=1)])

    report = check(forge(history(), first(ClusterOpened).sequence, invent))
    assert only(report, "outcome").note == "an outcome of 1, which it does not cover"


def test_a_score_that_was_moved_by_nobody_is_found() -> None:
    def push(record: Record) -> Record:
        events = [
            replace(event, new_score_e2=event.new_score_e2 + 1)
            if isinstance(event, ScoreChanged)
            else event
            for event in record.events
        ]
        return replace(record, events=events)

    report = check(forge(history(), first(ScoreChanged).sequence, push))
    found = only(report, "decision")
    assert (found.engine, found.field) == ("reality", "new_score_e2")
    # what prices were made of is no longer what they say either
    assert {finding.engine for finding in report.findings} >= {"reality", "pricing", "notary"}


def test_an_interest_that_was_kept_quiet_is_found() -> None:
    def bar(record: Record) -> Record:
        events = [
            replace(event, barred=["somebody"]) if isinstance(event, ReviewersChecked) else event
            for event in record.events
        ]
        return replace(record, events=events)

    checked = first(ReviewersChecked, "exchange")
    report = check(forge(history(), checked.sequence, bar))
    found = only(report, "decision")
    assert (found.engine, found.field) == ("exchange", "barred")
