"""What the reality engine decides: clusters, assessments, reviews, scores.

A cluster is a group of articles that tell of the same thing; its id is the log sequence of
its first article. Every SignalsMeasured has exactly one first outcome with its sequence as
cause: ArticleDropped, ClusterOpened or ArticleGrouped.
"""

from typing import Final, Literal

import msgspec
from msgspec.structs import asdict

from schemas.codec import Message, Upcasts
from schemas.policy import (
    BacklogPolicy,
    LlmPolicy,
    RealityPolicy,
    Safeguards,
    Scoring,
    UnsignedMoves,
)
from schemas.units import WEIGHT_ONE_BP

DropReason = Literal[
    "unreadable",
    "repeated",
    "duplicate",
    "too_short",
    "language",
    "no_mention",
    "failed",
    "no_market",
    "unknown_source",
    "inactive_source",
    "quarantined",
    "too_old",
    "undated",
]
"""`undated`: it was there before its source was first read, and does not say since when."""
LlmMode = Literal["enabled", "disabled", "degraded"]
LlmUse = Literal["not_needed", "skipped", "waiting", "used", "invalid", "failed"]
"""What the LLM had to do with an assessment; `skipped` is no token, or no LLM."""
ReviewReason = Literal[
    "suspicious_delta", "source_cap", "spike", "refused_before", "unsigned_cap", "llm_sign"
]
"""`unsigned_cap`: the symbol moved all that it may without a signature. `llm_sign`: the LLM says
the contrary of what was computed."""
UnsignedCap = Literal["source_symbol_day", "source_day", "symbol_day", "symbol_week"]
ReviewOutcome = Literal["approved", "rejected", "expired", "withdrawn"]
WithdrawalReason = Literal["retracted", "corrected", "replaced", "refused"]
"""By its own source's notice, by a later version of its own page or a correction, by a better
source that tells the same, or by a person."""


class RulesSet1(Message, tag="rules_set/1", frozen=True):
    """The rules as reality/1 knew them: without caps on what moves unsigned."""

    cause: int
    policy_version: int
    reality: RealityPolicy
    scoring: Scoring
    safeguards: Safeguards
    llm: LlmPolicy


class RulesSet2(Message, tag="rules_set/2", frozen=True):
    """The rules as reality/2 knew them: whatever a source had before it was read was news."""

    cause: int
    policy_version: int
    reality: RealityPolicy
    scoring: Scoring
    safeguards: Safeguards
    llm: LlmPolicy
    unsigned: UnsignedMoves


class RulesSet(RulesSet2, tag="rules_set/3", frozen=True):
    """The policy that holds from now on; it never rewrites what was decided before."""

    backlog: BacklogPolicy


class ScoreOpened(Message, tag="score_opened/1", frozen=True):
    """A market has a RealityScore from now on. `sensitive`: political, or of high risk."""

    cause: int
    symbol: str
    score_e2: int
    political: bool
    sensitive: bool


class ScoreSensitivitySet(Message, tag="score_sensitivity_set/1", frozen=True):
    cause: int
    symbol: str
    sensitive: bool


class ScoreClosed(Message, tag="score_closed/1", frozen=True):
    """The market is closed or resolved: its score moves no more, its reviews are withdrawn."""

    cause: int
    symbol: str


class SourceKnown1(Message, tag="source_known/1", frozen=True):
    """A source as reality/1 knew it: without its age."""

    cause: int
    source: str
    trust_bp: int
    active: bool


class SourceKnown(Message, tag="source_known/2", frozen=True):
    """What the engine goes by about a source from now on.

    `since_ns` is when it was first known, 0 for a source that reality/1 knew.
    """

    cause: int
    source: str
    trust_bp: int
    active: bool
    since_ns: int


class SourceQuarantined(Message, tag="source_quarantined/1", frozen=True):
    """Nothing that the source says counts before `until_ns`, for more than its rate or by
    a signed decision (EM-74)."""

    cause: int
    source: str
    until_ns: int
    reason: Literal["rate", "decision"]
    detail: str


class SourceReleased(Message, tag="source_released/1", frozen=True):
    cause: int
    source: str


class ArticleDropped(Message, tag="article_dropped/1", frozen=True):
    """An article has no say. `of` is the article that it repeats or duplicates.

    `article` is 0, and `source` and `snapshot_id` are empty, if they could not be read.
    """

    cause: int
    article: int
    source: str
    snapshot_id: str
    reason: DropReason
    of: int | None
    similarity_bp: int
    detail: str
    at_ns: int


class ClusterOpened1(Message, tag="cluster_opened/1", frozen=True):
    """An article tells of something new: a cluster whose id is `article`.

    `published_ns` is what its age counts from: when it was observed, if it says nothing or
    a time after that.
    """

    cause: int
    article: int
    source: str
    snapshot_id: str
    published_ns: int
    observed_ns: int
    at_ns: int


class ClusterOpened(ClusterOpened1, tag="cluster_opened/2", frozen=True):
    """`page` is what a later version of the article is known by, empty if nothing is."""

    page: str


class ArticleGrouped1(Message, tag="article_grouped/1", frozen=True):
    """An article joined a cluster because it is similar to `neighbour`, one of its articles."""

    cause: int
    article: int
    source: str
    snapshot_id: str
    published_ns: int
    observed_ns: int
    at_ns: int
    cluster: int
    neighbour: int
    similarity_bp: int


class ArticleGrouped(ArticleGrouped1, tag="article_grouped/2", frozen=True):
    """`page` is as in ClusterOpened.

    A correction or retraction joins the article of its own source whose page it has, however
    little alike they are; `similarity_bp` is 0 if it was not measured.
    """

    page: str


class ArticleAssessed(Message, tag="article_assessed/1", frozen=True):
    """quick_score of one article for one symbol (EM-67), and what it is made of.

    `trust_bp` is the source's trust as the article came; it weighs the article for good.
    """

    cause: int
    article: int
    cluster: int
    symbol: str
    source: str
    trust_bp: int
    sentiment_bp: int
    keywords_bp: int
    relevance_bp: int
    quick_bp: int


class TellingWithdrawn(Message, tag="telling_withdrawn/1", frozen=True):
    """What `articles` of a source told of a symbol has no say in its story any more.

    `by` is the article that took it back or took its place.
    """

    cause: int
    cluster: int
    symbol: str
    source: str
    articles: list[int]
    reason: WithdrawalReason
    by: int
    by_source: str
    at_ns: int


class ImpactAssessed1(Message, tag="impact_assessed/1", frozen=True):
    """What a cluster means for one symbol, as of now (EM-69).

    `quick_bp` is the mean of its articles' quick scores weighed by their sources' trust,
    `trust_bp` the mean trust of its `independent_sources`, `related` the number of its
    articles. weight = trust * (1 + ln(1 + related)) * e^(-age/TAU), `computed_e2` the points
    that follow, `points_e2` those after the LLM's say. `counted_e2` of them are in the score
    already, or were refused; `delta_e2` is what is left to apply. `confidence_bp` is EM-27's.
    """

    cause: int
    cluster: int
    symbol: str
    article: int
    quick_bp: int
    trust_bp: int
    independent_sources: int
    related: int
    age_ns: int
    weight_e4: int
    computed_e2: int
    points_e2: int
    counted_e2: int
    delta_e2: int
    confidence_bp: int
    llm: LlmUse
    policy_version: int


class ImpactAssessed(ImpactAssessed1, tag="impact_assessed/2", frozen=True):
    """`llm_trust_bp` is what the LLM's impact weighs, beside its confidence.

    reality/1 let it weigh as if all that it had read came from sources of full trust.
    """

    llm_trust_bp: int


class LlmRequested(Message, tag="llm_requested/1", frozen=True):
    """The LLM is asked about a cluster and a symbol; a token of the budget is used.

    `request_id` is `<cluster>-<symbol>`. `articles` are the sequences that it may read, the
    newest ones of the story.
    """

    cause: int
    request_id: str
    cluster: int
    symbol: str
    articles: list[int]
    quick_bp: int
    why: Literal["quick_score", "independent_sources"]
    at_ns: int
    deadline_ns: int


class LlmSkipped(Message, tag="llm_skipped/1", frozen=True):
    """The LLM would have been asked, but for its budget or mode."""

    cause: int
    request_id: str
    why: Literal["no_token", "disabled", "degraded"]


class LlmAnswered(Message, tag="llm_answered/1", frozen=True):
    """An LlmCalled came. Only `used` has a say in the points."""

    cause: int
    request_id: str
    status: Literal["used", "invalid", "late", "unknown"]
    impact_e2: int
    confidence_bp: int


class LlmTimedOut(Message, tag="llm_timed_out/1", frozen=True):
    """No answer came before the deadline; the computed points stand."""

    cause: int
    request_id: str


class LlmModeChanged(Message, tag="llm_mode_changed/1", frozen=True):
    """`until_ns` is when a degraded LLM is tried again, else None."""

    cause: int
    mode: LlmMode
    reason: str
    until_ns: int | None


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A move that waits for a person. Its hash, that of its canonical bytes, is what is signed.

    `articles` are the story's newest, oldest first, and `sources` its sources, in the order
    in which they joined it: MAX_PROPOSAL_ARTICLES and MAX_PROPOSAL_SOURCES of them at most.
    """

    symbol: str
    cluster: int
    articles: list[int]
    sources: list[str]
    cause: int
    policy_version: int
    quick_bp: int
    weight_e4: int
    points_e2: int
    delta_e2: int
    score_now_e2: int
    score_if_approved_e2: int
    confidence_bp: int
    llm: LlmUse


class ReviewOpened(Message, tag="review_opened/1", frozen=True):
    """A move waits for a signature (EM-103). `charged` is the source whose article caused it."""

    cause: int
    proposal_hash: str
    proposal: Proposal
    reasons: list[ReviewReason]
    detail: str
    charged: str
    expires_ns: int


class ReviewClosed1(Message, tag="review_closed/1", frozen=True):
    """A review is over. Approved, the proposal's move follows as ScoreChanged."""

    cause: int
    proposal_hash: str
    symbol: str
    cluster: int
    outcome: ReviewOutcome
    signers: list[str]
    reason: str


class ReviewClosed(ReviewClosed1, tag="review_closed/2", frozen=True):
    """A review is over. Approved, the move that people let happen follows as ScoreChanged.

    `approved_e2` is that move, 0 if none was approved; None where the first version did not say
    it: all that was proposed. Rejected, what the source `refused` told has no say in this story
    any more; it is empty where nobody is refused. What was proposed and neither approved nor
    refused that way moves nothing until another source tells the story, and then a person
    decides.
    """

    approved_e2: int | None
    refused: str


class ReviewAnswerRefused(Message, tag="review_answer_refused/1", frozen=True):
    """A signed answer had no effect: no such review waits, or its signer has an interest."""

    cause: int
    proposal_hash: str
    symbol: str
    code: str
    detail: str


class ScoreChanged(Message, tag="score_changed/1", frozen=True):
    """RealityScore moved. `review` is the proposal's hash if a person approved it, else empty.

    `delta_e2` is what was applied: the bounds of the scale may have cut it. The move is
    charged to `source`, whose article caused it.
    """

    cause: int
    symbol: str
    cluster: int
    article: int
    source: str
    old_score_e2: int
    new_score_e2: int
    delta_e2: int
    confidence_bp: int
    review: str
    at_ns: int


class MoveCut(Message, tag="move_cut/1", frozen=True):
    """A move went beyond what `source` or all sources may move a score by without a signature.

    Of `delta_e2`, `moved_e2` follows as ScoreChanged, unless it is 0. The rest is not refused: it
    is left to the story's next article. `cap_e2` is the cap, and `used_e2` what was used of it.
    """

    cause: int
    symbol: str
    cluster: int
    article: int
    source: str
    delta_e2: int
    moved_e2: int
    cap: UnsignedCap
    cap_e2: int
    used_e2: int
    at_ns: int


class ScoreTakenBack(ScoreChanged, tag="score_taken_back/1", frozen=True):
    """RealityScore moved back by what the withdrawn tellings of a story had moved it.

    `source` is whose telling was withdrawn, `article` what took it back or took its place. It
    counts within no cap: it only undoes what was counted.
    """

    reason: WithdrawalReason


class ArticlesForgotten(Message, tag="articles_forgotten/1", frozen=True):
    """What is older than its bound was dropped: ids, clusters of the past window, old moves."""

    cause: int
    now_ns: int


Event = (
    ArticleDropped
    | ClusterOpened
    | ArticleGrouped
    | ArticleAssessed
    | TellingWithdrawn
    | ImpactAssessed
    | LlmRequested
    | LlmSkipped
    | LlmAnswered
    | LlmTimedOut
    | LlmModeChanged
    | MoveCut
    | ScoreChanged
    | ScoreTakenBack
    | ReviewOpened
    | ReviewClosed
    | ReviewAnswerRefused
    | RulesSet
    | ScoreOpened
    | ScoreSensitivitySet
    | ScoreClosed
    | SourceKnown
    | SourceQuarantined
    | SourceReleased
    | ArticlesForgotten
)

OlderEvent = (
    RulesSet1
    | RulesSet2
    | SourceKnown1
    | ClusterOpened1
    | ArticleGrouped1
    | ImpactAssessed1
    | ReviewClosed1
)

UPCASTS: Final[Upcasts] = {
    RulesSet1: lambda old: RulesSet2(**asdict(old), unsigned=UnsignedMoves()),
    RulesSet2: lambda old: RulesSet(**asdict(old), backlog=BacklogPolicy()),
    SourceKnown1: lambda old: SourceKnown(**asdict(old), since_ns=0),
    ClusterOpened1: lambda old: ClusterOpened(**asdict(old), page=""),
    ArticleGrouped1: lambda old: ArticleGrouped(**asdict(old), page=""),
    ImpactAssessed1: lambda old: ImpactAssessed(**asdict(old), llm_trust_bp=WEIGHT_ONE_BP),
    ReviewClosed1: lambda old: ReviewClosed(**asdict(old), approved_e2=None, refused=""),
}
