"""What the read API gives of reality: articles, events, reviews, sources, the LLM's calls.

Points, scores and impacts are on the scale of prices, with two digits; quick scores,
trust, weights and confidences have four.
"""

from typing import Annotated

from pydantic import Field

from projections.api.models import AsOf, ChangedBy, Decimal, Next, Out, Time

Fraction = Annotated[str, Field(examples=["0.8500"])]
Cause = Annotated[int, Field(description="The log sequence of what led to it.")]
Cluster = Annotated[int, Field(description="The log sequence of the cluster's first article.")]
EventId = Annotated[str, Field(examples=["4711-RAIN-OSLO"])]
ProposalHash = Annotated[str | None, Field(description="Of the review, if there was one.")]


# -- articles ------------------------------------------------------------------------
class ArticleOut(Out):
    """An article's metadata and what became of it; its text is its publisher's."""

    article: Annotated[int, Field(description="The log sequence of its observation.")]
    source: str
    title: str
    url: str
    published_at: Time | None
    observed_at: Time
    language: Annotated[str, Field(description="As its feed or page claims.")]
    text_chars: int
    snapshot_id: Annotated[str, Field(description="SHA-256 of title and text.")]
    locator: Annotated[str, Field(description="SHA-256 of address and time.")]
    via: str
    robots_hash: Annotated[str, Field(description="SHA-256 of the robots.txt that was obeyed.")]
    status: Annotated[str, Field(description="observed, grouped or dropped.")]
    cluster: int | None
    similar_to: int | None
    similarity: Fraction | None
    drop_reason: str
    drop_detail: str
    sequence: ChangedBy


class ArticlesOut(Out):
    sequence: AsOf
    articles: list[ArticleOut]
    next: Next


class AssessmentOut(Out):
    """What one article says about one symbol, and what that is made of."""

    article: int
    source: str
    title: str
    url: str
    published_at: Time | None
    observed_at: Time
    sentiment: Fraction
    keywords: Fraction
    relevance: Fraction
    trust: Annotated[Fraction, Field(description="In its source, as the article came.")]
    quick_score: Fraction
    assessed_at: Time
    cause: Cause
    sequence: ChangedBy


# -- the LLM -------------------------------------------------------------------------
class LlmCallOut(Out):
    call: Annotated[int, Field(description="The log sequence of the answer.")]
    request: Annotated[int, Field(description="The log sequence of the record that asked.")]
    event_id: EventId
    status: Annotated[str, Field(description="undecided, used, invalid, late or unknown.")]
    model: str
    prompt: str
    input_hash: str
    raw_output: str
    error: str
    summary: str | None
    rationale: str | None
    impact: Decimal | None
    confidence: Fraction | None
    snapshot_ids: list[str]
    started_at: Time
    ended_at: Time
    sequence: ChangedBy


class LlmModeOut(Out):
    """Whether the engine asks the LLM, and what a worker said last."""

    mode: Annotated[str | None, Field(description="enabled, disabled or degraded.")]
    reason: str | None
    until: Time | None
    availability: str | None
    availability_reason: str | None
    model: str | None
    prompt: str | None
    sequence: ChangedBy


class LlmCallsOut(Out):
    sequence: AsOf
    mode: LlmModeOut | None
    calls: list[LlmCallOut]
    next: Next


# -- events --------------------------------------------------------------------------
class EventOut(Out):
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
    points: Decimal
    computed_points: Annotated[Decimal, Field(description="Before the LLM's say.")]
    counted_points: Annotated[Decimal, Field(description="Already in the score at that moment.")]
    delta: Annotated[Decimal, Field(description="What was left to apply.")]
    quick_score: Fraction
    weight: Fraction
    trust: Fraction
    confidence: Fraction
    independent_sources: int
    related: Annotated[int, Field(description="Articles of the cluster.")]
    age_s: int
    llm: Annotated[str, Field(description="not_needed, skipped, waiting, used, invalid or failed.")]
    policy_version: int
    proposal_hash: ProposalHash
    opened_at: Time
    changed_at: Time
    cause: Cause
    sequence: ChangedBy


class EventsOut(Out):
    sequence: AsOf
    symbol: str
    events: list[EventOut]
    next: Next


class ScoreChangeOut(Out):
    change_id: Annotated[str, Field(examples=["4711-0"])]
    symbol: str
    event_id: EventId
    cluster: Cluster
    article: int
    source: str
    old_score: Decimal
    new_score: Decimal
    delta: Decimal
    confidence: Fraction
    proposal_hash: ProposalHash
    time: Time
    cause: Cause
    sequence: ChangedBy


class ScoreChangesOut(Out):
    sequence: AsOf
    changes: list[ScoreChangeOut]
    next: Next


# -- reviews -------------------------------------------------------------------------
class ReviewOut(Out):
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
    points: Decimal
    delta: Decimal
    score_now: Annotated[Decimal, Field(description="As the review opened.")]
    score_if_approved: Decimal
    final_price_now: Annotated[Decimal | None, Field(description="As the review opened.")]
    final_price_if_approved: Decimal | None
    confidence: Fraction
    signers: list[str]
    answer_reason: str
    refused: Annotated[str, Field(description="Why the last answer had no effect, if so.")]
    refused_detail: str
    opened_at: Time
    expires_at: Time
    closed_at: Time | None
    cause: Cause
    sequence: ChangedBy


class ReviewsOut(Out):
    sequence: AsOf
    reviews: list[ReviewOut]
    next: Next


class ReviewAuditOut(Out):
    """How a review ended, as the audit keeps it."""

    summary: str
    impact: Decimal
    sources: list[str]
    outcome: str
    approved: bool
    approved_by: list[str]
    reason: str
    at: Time
    cause: Cause
    sequence: ChangedBy


class OneReviewOut(Out):
    sequence: AsOf
    review: ReviewOut
    audit: Annotated[ReviewAuditOut | None, Field(description="Once the review is over.")]


class OneEventOut(Out):
    """An event with what it rests on and what it did, the newest first."""

    sequence: AsOf
    event: EventOut
    articles: list[AssessmentOut]
    llm_calls: list[LlmCallOut]
    reviews: list[ReviewOut]
    score_changes: list[ScoreChangeOut]


# -- sources -------------------------------------------------------------------------
class FetchOut(Out):
    """The last fetch of a source's document or of one of its pages."""

    outcome: Annotated[str, Field(description="fetched, unchanged, refused or failed.")]
    problem: str
    detail: str
    status: Annotated[int, Field(description="Of HTTP, 0 when there was no answer.")]
    at: Time


class SourceOut(Out):
    """A source as its last signed decision states it, and how it does."""

    source: str
    name: str
    kind: str
    url: str
    trust: Fraction
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
    quarantined_until: Annotated[Time | None, Field(description="Nothing counts before.")]
    quarantine_reason: str
    quarantine_detail: str
    last_fetch: FetchOut | None
    fetches: int
    failures: int
    articles: Annotated[int, Field(description="Observed, whatever became of them.")]
    added_at: Time
    changed_at: Time
    cause: Cause
    sequence: ChangedBy


class SourcesOut(Out):
    sequence: AsOf
    sources: list[SourceOut]
    next: Next


class OneSourceOut(Out):
    sequence: AsOf
    source: SourceOut
