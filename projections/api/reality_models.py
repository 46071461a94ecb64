"""What the read API gives of reality: articles, events, reviews, sources, the LLM's calls.

Points, scores and impacts are on the scale of prices, with two digits; quick scores,
trust, weights and confidences have four.
"""

from typing import Annotated

from pydantic import Field

from projections.api.models import AsOfSequence, ChangedBy, Next
from projections.api.rows import (
    Column,
    RowOut,
    as_decimal,
    as_fraction,
    as_time,
    as_time_unless_zero,
    column,
)
from schemas.http import Decimal, Out, Time
from schemas.texts import time_of
from schemas.units import DAY_NS, SECOND_NS

Fraction = Annotated[str, Field(examples=["0.8500"])]
Cause = Annotated[int, Field(description="The log sequence of what led to it.")]
Cluster = Annotated[int, Field(description="The log sequence of the cluster's first article.")]
EventId = Annotated[str, Field(examples=["4711-RAIN-OSLO"])]
ProposalHash = Annotated[str | None, Field(description="Of the review, if there was one.")]


# -- articles ------------------------------------------------------------------------
class ArticleOut(RowOut):
    """An article's metadata and what became of it; its text is its publisher's."""

    article: Annotated[int, Field(description="The log sequence of its observation.")]
    source: str
    title: str
    url: str
    published_at: Annotated[Time | None, as_time("published_ns")]
    observed_at: Annotated[Time, as_time("observed_ns")]
    language: Annotated[str, Field(description="As its feed or page claims.")]
    text_chars: int
    snapshot_id: Annotated[str, Field(description="SHA-256 of title and text.")]
    locator: Annotated[str, Field(description="SHA-256 of address and time.")]
    via: str
    robots_hash: Annotated[str, Field(description="SHA-256 of the robots.txt that was obeyed.")]
    status: Annotated[str, Field(description="observed, grouped or dropped.")]
    cluster: int | None
    similar_to: int | None
    similarity: Annotated[Fraction | None, as_fraction("similarity_bp")]
    drop_reason: str
    drop_detail: str
    sequence: ChangedBy


class ArticlesOut(Out):
    sequence: AsOfSequence
    articles: list[ArticleOut]
    next: Next


class AssessmentOut(RowOut):
    """What one article says about one symbol, and what that is made of."""

    article: int
    source: str
    title: str
    url: str
    published_at: Annotated[Time | None, as_time("published_ns")]
    observed_at: Annotated[Time, as_time("observed_ns")]
    sentiment: Annotated[Fraction, as_fraction("sentiment_bp")]
    keywords: Annotated[Fraction, as_fraction("keywords_bp")]
    relevance: Annotated[Fraction, as_fraction("relevance_bp")]
    trust: Annotated[
        Fraction, Field(description="In its source, as the article came."), as_fraction("trust_bp")
    ]
    quick_score: Annotated[Fraction, as_fraction("quick_bp")]
    withdrawn: Annotated[
        str,
        Field(
            description="Why it has no say any more: retracted, corrected, replaced (by a better "
            "source) or refused (by a person); empty while it has."
        ),
    ]
    withdrawn_by: Annotated[int | None, Field(description="The article that brought it about.")]
    assessed_at: Annotated[Time, as_time("assessed_ns")]
    cause: Cause
    sequence: ChangedBy


# -- the LLM -------------------------------------------------------------------------
class LlmCallOut(RowOut):
    call: Annotated[int, Field(description="The log sequence of the answer.")]
    request: Annotated[int, Field(description="The log sequence of the record that asked.")]
    event_id: Annotated[EventId, column("request_id")]
    status: Annotated[str, Field(description="undecided, used, invalid, late or unknown.")]
    model: str
    prompt: str
    input_hash: str
    raw_output: str
    error: str
    summary: str | None
    rationale: str | None
    impact: Annotated[Decimal | None, as_decimal("impact_e2")]
    confidence: Annotated[Fraction | None, as_fraction("confidence_bp")]
    snapshot_ids: list[str]
    started_at: Annotated[Time, as_time("started_ns")]
    ended_at: Annotated[Time, as_time("ended_ns")]
    sequence: ChangedBy


class LlmModeOut(RowOut):
    """Whether the engine asks the LLM, and what a worker said last."""

    mode: Annotated[str | None, Field(description="enabled, disabled or degraded.")]
    reason: str | None
    until: Annotated[Time | None, as_time_unless_zero("until_ns")]
    availability: str | None
    availability_reason: str | None
    model: str | None
    prompt: str | None
    sequence: ChangedBy


class LlmCallsOut(Out):
    sequence: AsOfSequence
    mode: LlmModeOut | None
    calls: list[LlmCallOut]
    next: Next


# -- events --------------------------------------------------------------------------
class EventOut(RowOut):
    """What a cluster of articles means for one symbol, as it was last assessed."""

    event_id: EventId
    symbol: str
    cluster: Cluster
    state: Annotated[
        str,
        Field(description="candidate, pending_review, final, rejected, expired or withdrawn."),
    ]
    summary: Annotated[str, Field(description="The LLM's if it was used, else the first title.")]
    article: Annotated[int, Field(description="The last article that was assessed.")]
    points: Annotated[Decimal, as_decimal("points_e2")]
    computed_points: Annotated[
        Decimal, Field(description="Before the LLM's say."), as_decimal("computed_e2")
    ]
    counted_points: Annotated[
        Decimal, Field(description="Already in the score at that moment."), as_decimal("counted_e2")
    ]
    delta: Annotated[Decimal, Field(description="What was left to apply."), as_decimal("delta_e2")]
    quick_score: Annotated[Fraction, as_fraction("quick_bp")]
    weight: Annotated[Fraction, as_fraction("weight_e4")]
    trust: Annotated[Fraction, as_fraction("trust_bp")]
    confidence: Annotated[Fraction, as_fraction("confidence_bp")]
    independent_sources: int
    related: Annotated[int, Field(description="Articles of the cluster.")]
    age_s: Annotated[int, Column("age_ns", lambda age_ns: age_ns // SECOND_NS)]
    llm: Annotated[str, Field(description="not_needed, skipped, waiting, used, invalid or failed.")]
    policy_version: int
    proposal_hash: ProposalHash
    opened_at: Annotated[Time, as_time("opened_ns")]
    changed_at: Annotated[Time, as_time("changed_ns")]
    cause: Cause
    sequence: ChangedBy


class EventsOut(Out):
    sequence: AsOfSequence
    symbol: str
    events: list[EventOut]
    next: Next


class ScoreChangeOut(RowOut):
    change_id: Annotated[str, Field(examples=["4711-0"])]
    symbol: str
    event_id: EventId
    cluster: Cluster
    article: int
    source: str
    old_score: Annotated[Decimal, as_decimal("old_score_e2")]
    new_score: Annotated[Decimal, as_decimal("new_score_e2")]
    delta: Annotated[Decimal, as_decimal("delta_e2")]
    confidence: Annotated[Fraction, as_fraction("confidence_bp")]
    proposal_hash: ProposalHash
    taken_back: Annotated[
        str,
        Field(
            description="Why earlier moves of the event were undone: retracted, corrected, "
            "replaced or refused; empty for a move of its own."
        ),
    ]
    time: Annotated[Time, as_time("time_ns")]
    cause: Cause
    sequence: ChangedBy


class ScoreChangesOut(Out):
    sequence: AsOfSequence
    changes: list[ScoreChangeOut]
    next: Next


# -- reviews -------------------------------------------------------------------------
class ReviewOut(RowOut):
    """A move that waits, or waited, for a person. What is signed is `proposal_hash`."""

    proposal_hash: str
    status: Annotated[str, Field(description="open, approved, rejected, expired or withdrawn.")]
    symbol: str
    event_id: EventId
    cluster: Cluster
    proposal: Annotated[str, Field(description="The text whose SHA-256 is the hash.")]
    reasons: list[str]
    detail: str
    charged: Annotated[str, Field(description="The source whose article caused it.")]
    sources: list[str]
    points: Annotated[Decimal, as_decimal("points_e2")]
    delta: Annotated[Decimal, as_decimal("delta_e2")]
    score_now: Annotated[
        Decimal, Field(description="As the review opened."), as_decimal("score_now_e2")
    ]
    score_if_approved: Annotated[Decimal, as_decimal("score_if_approved_e2")]
    final_price_now: Annotated[
        Decimal | None, Field(description="As the review opened."), as_decimal("final_price_e2")
    ]
    final_price_if_approved: Annotated[Decimal | None, as_decimal("final_if_approved_e2")]
    confidence: Annotated[Fraction, as_fraction("confidence_bp")]
    signers: list[str]
    answer_reason: str
    approved: Annotated[
        Decimal | None,
        Field(description="How much of `delta` was approved; null while open, and before 0.2."),
        as_decimal("approved_e2"),
    ]
    refused_source: Annotated[
        str, Field(description="Has no say in this event any more, since its move was rejected.")
    ]
    refused: Annotated[str, Field(description="Why the last answer had no effect, if so.")]
    refused_detail: str
    opened_at: Annotated[Time, as_time("opened_ns")]
    expires_at: Annotated[Time, as_time("expires_ns")]
    closed_at: Annotated[Time | None, as_time("closed_ns")]
    cause: Cause
    sequence: ChangedBy


class ReviewsOut(Out):
    sequence: AsOfSequence
    reviews: list[ReviewOut]
    next: Next


class ReviewAuditOut(RowOut):
    """How a review ended, as the audit keeps it."""

    summary: str
    impact: Annotated[Decimal, as_decimal("impact_e2")]
    sources: list[str]
    outcome: str
    approved: bool
    approved_by: list[str]
    reason: str
    at: Annotated[Time, as_time("at_ns")]
    cause: Cause
    sequence: ChangedBy


class OneReviewOut(Out):
    sequence: AsOfSequence
    review: ReviewOut
    audit: Annotated[ReviewAuditOut | None, Field(description="Once the review is over.")]


class OneEventOut(Out):
    """An event with what it rests on and what it did, the newest first."""

    sequence: AsOfSequence
    event: EventOut
    articles: list[AssessmentOut]
    llm_calls: list[LlmCallOut]
    reviews: list[ReviewOut]
    score_changes: list[ScoreChangeOut]


# -- sources -------------------------------------------------------------------------
class FetchOut(RowOut):
    """The last fetch of a source's document or of one of its pages."""

    outcome: Annotated[
        str, Field(description="fetched, unchanged, refused or failed."), column("last_outcome")
    ]
    problem: Annotated[str, column("last_problem")]
    detail: Annotated[str, column("last_detail")]
    status: Annotated[
        int, Field(description="Of HTTP, 0 when there was no answer."), column("last_status")
    ]
    at: Annotated[Time, as_time("last_fetched_ns")]


class SourceOut(RowOut):
    """A source as its last signed decision states it, and how it does."""

    source: str
    name: str
    kind: str
    url: str
    trust: Annotated[Fraction, as_fraction("trust_bp")]
    crawl_delay_s: int
    poll_interval_s: int
    follow_links: bool
    link_selector: str
    excerpt_chars: int
    keep_raw_days: int
    paywalled: bool
    restricted: bool
    allow_loopback: bool
    push_key: str
    active: bool
    quarantined_until: Annotated[
        Time | None,
        Field(description="Nothing counts before."),
        as_time_unless_zero("quarantined_until_ns"),
    ]
    quarantine_reason: str
    quarantine_detail: str
    last_fetch: FetchOut | None
    fetches: int
    failures: int
    articles: Annotated[int, Field(description="Observed, whatever became of them.")]
    added_at: Annotated[Time, as_time("added_ns")]
    changed_at: Annotated[Time, as_time("changed_ns")]
    cause: Cause
    sequence: ChangedBy


class SourcesOut(Out):
    sequence: AsOfSequence
    sources: list[SourceOut]
    next: Next


class OneSourceOut(Out):
    sequence: AsOfSequence
    source: SourceOut


def _date(day: int) -> str:
    """Return the date of a day that is counted from 1970."""
    return time_of(day * DAY_NS).partition("T")[0]


class LedgerDayOut(RowOut):
    """What a source did to one symbol within one day of UTC."""

    symbol: str
    day: Annotated[str, Field(examples=["2026-11-30"]), Column("day", _date)]
    unsigned_moves: Annotated[int, Field(description="Moves that nobody signed.")]
    unsigned: Annotated[Decimal, Field(description="What they come to."), as_decimal("unsigned_e2")]
    unsigned_size: Annotated[
        Decimal,
        Field(description="Both directions added up, as caps do."),
        as_decimal("unsigned_size_e2"),
    ]
    approved: Annotated[Decimal, Field(description="By people."), as_decimal("approved_e2")]
    refused: Annotated[
        Decimal,
        Field(description="Proposed, and rejected, expired or not approved."),
        as_decimal("refused_e2"),
    ]
    taken_back: Annotated[
        Decimal, Field(description="Moves that were undone."), as_decimal("taken_back_e2")
    ]
    cuts: Annotated[int, Field(description="Moves that were cut by a cap.")]
    sequence: ChangedBy


class SourceLedgerOut(Out):
    sequence: AsOfSequence
    source: str
    days: list[LedgerDayOut]
    next: Next


class WithoutSourceOut(RowOut):
    """A score, and what it would be less all that the source moved it, by sums.

    The exact answer decides all of history again: `everything whatif --without-source`.
    """

    symbol: str
    moved: Annotated[Decimal, as_decimal("moved_e2")]
    score: Annotated[Decimal, as_decimal("score_e2")]
    score_without: Annotated[
        Decimal, Field(description="Within the scale."), as_decimal("without_e2")
    ]


class WithoutSourcesOut(Out):
    sequence: AsOfSequence
    source: str
    symbols: list[WithoutSourceOut]
    next: Next


# -- jobs ----------------------------------------------------------------------------
class JobRowOut(RowOut):
    """A page of a source, or the source's own document, that was given up at least once."""

    job: Annotated[str, Field(description="Its name, the same whenever it is asked for.")]
    source: str
    url: str
    what: Annotated[str, Field(description="page, or source: the source's own document.")]
    title: Annotated[str, Field(description="As the link to it says.")]
    wanted_by: Annotated[str, Field(description="The service key that asked; empty for a link.")]
    status: Annotated[
        str,
        Field(description="dead, retried (nothing is known since) or done (fetched since)."),
    ]
    queue: Annotated[str, Field(description="source, page or browser.")]
    attempts: int
    reason: Annotated[str, Field(description="Why it was given up.", examples=["unreachable"])]
    detail: str
    http_status: Annotated[int, Field(description="0 when there was no answer.")]
    given_up: Annotated[int, Field(description="The log sequence of its last dead letter.")]
    given_up_at: Annotated[Time, as_time("given_up_ns")]
    retried_by: Annotated[str | None, Field(description="The key of who had it tried again last.")]
    retry_reason: str | None
    retried_at: Annotated[Time | None, as_time("retried_ns")]
    sequence: ChangedBy


class JobsOut(Out):
    sequence: AsOfSequence
    jobs: list[JobRowOut]
    next: Next


class OneJobOut(Out):
    sequence: AsOfSequence
    job: JobRowOut
