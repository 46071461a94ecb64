"""Feed messages about reality: scores as they move, and moves that wait for a person.

Every message of a market's channel holds the score after it, so a reader who joins late needs
only the last one.
"""

from typing import Any, NamedTuple, assert_never

from projections.feeds.payloads import kind_of, plain
from schemas.events import governance, reality
from schemas.events.pricing import ProposalPriced
from schemas.units import to_decimal, to_fraction

Reported = (
    reality.ScoreOpened
    | reality.ScoreChanged
    | reality.ScoreTakenBack
    | reality.ScoreClosed
    | reality.ReviewOpened
    | reality.ReviewClosed
)
"""The events that a market's channel reports."""

Audited = (
    reality.ReviewOpened
    | reality.ReviewClosed
    | reality.ReviewAnswerRefused
    | reality.SourceQuarantined
    | reality.SourceReleased
    | reality.LlmModeChanged
    | ProposalPriced
    | governance.SourceAdded
    | governance.SourceChanged
    | governance.SourceQuarantineSet
    | governance.ReviewAnswered
    | governance.PartApproved
)
"""The events that the audit channel reports."""

Unseen = (
    reality.RulesSet
    | reality.ScoreSensitivitySet
    | reality.SourceKnown
    | reality.ArticleDropped
    | reality.ClusterOpened
    | reality.ArticleGrouped
    | reality.ArticleAssessed
    | reality.TellingWithdrawn
    | reality.ImpactAssessed
    | reality.MoveCut
    | reality.LlmRequested
    | reality.LlmSkipped
    | reality.LlmAnswered
    | reality.LlmTimedOut
    | reality.ArticlesForgotten
)
"""The engine's intermediate steps; the tables show those that people ask for."""


class _Move(NamedTuple):
    """The part of an update that is not the score itself."""

    status: str
    cluster: int | None = None
    article: int | None = None
    delta_e2: int = 0
    points_e2: int | None = None
    proposal_hash: str | None = None


class _Score:
    """One symbol's RealityScore; `waiting` are the hashes of its open reviews."""

    __slots__ = ("confidence_bp", "score_e2", "waiting")

    def __init__(self) -> None:
        self.score_e2: int | None = None
        self.confidence_bp: int | None = None
        self.waiting: dict[str, reality.Proposal] = {}


class MarketScores:
    """The scores and open reviews of all symbols, as past events left them."""

    def __init__(self) -> None:
        self._scores: dict[str, _Score] = {}

    def report(self, event: Reported) -> tuple[str, dict[str, Any]]:
        """Apply `event`; return its symbol and the payload that reports it."""
        match event:
            case reality.ScoreOpened():
                symbol, move = event.symbol, _Move("opened")
                self._of(symbol).score_e2 = event.score_e2
            case reality.ScoreChanged():
                symbol, move = event.symbol, self._changed(event)
            case reality.ScoreClosed():
                symbol, move = event.symbol, _Move("closed")
            case reality.ReviewOpened():
                symbol, move = event.proposal.symbol, self._opened(event)
            case reality.ReviewClosed():
                symbol, move = event.symbol, self._closed(event)
            case _:
                assert_never(event)
        return symbol, _payload(symbol, self._of(symbol), move)

    def _of(self, symbol: str) -> _Score:
        score = self._scores.get(symbol)
        if score is None:
            score = self._scores[symbol] = _Score()
        return score

    def _changed(self, event: reality.ScoreChanged) -> _Move:
        score = self._of(event.symbol)
        score.score_e2, score.confidence_bp = event.new_score_e2, event.confidence_bp
        return _Move(
            "taken_back" if isinstance(event, reality.ScoreTakenBack) else "applied",
            event.cluster,
            event.article,
            event.delta_e2,
            proposal_hash=event.review or None,
        )

    def _opened(self, event: reality.ReviewOpened) -> _Move:
        self._of(event.proposal.symbol).waiting[event.proposal_hash] = event.proposal
        return _proposed("pending_review", event.proposal_hash, event.proposal)

    def _closed(self, event: reality.ReviewClosed) -> _Move:
        proposal = self._of(event.symbol).waiting.pop(event.proposal_hash, None)
        if proposal is None:
            return _Move(event.outcome, event.cluster, proposal_hash=event.proposal_hash)
        return _proposed(event.outcome, event.proposal_hash, proposal)


def _proposed(status: str, proposal_hash: str, proposal: reality.Proposal) -> _Move:
    article = proposal.articles[-1] if proposal.articles else None
    return _Move(
        status,
        proposal.cluster,
        article,
        proposal.delta_e2,
        proposal.points_e2,
        proposal_hash,
    )


def _payload(symbol: str, score: _Score, move: _Move) -> dict[str, Any]:
    """`delta` was applied if `status` is `applied` or `taken_back`; else it was proposed."""
    cluster, points, now = move.cluster, move.points_e2, score.score_e2
    confidence = score.confidence_bp
    return {
        "status": move.status,
        "reality_score": None if now is None else to_decimal(now),
        "confidence": None if confidence is None else to_fraction(confidence),
        "delta": to_decimal(move.delta_e2),
        "points": None if points is None else to_decimal(points),
        "event_id": None if cluster is None else f"{cluster}-{symbol}",
        "cluster": cluster,
        "article": move.article,
        "proposal_hash": move.proposal_hash,
        "pending_reviews": len(score.waiting),
    }


def audited(event: Audited) -> dict[str, Any]:
    """Return the payload by which the audit reports `event`, with whether it waits for a person."""
    waits = isinstance(event, reality.ReviewOpened | ProposalPriced)
    marked = {"pending_review": True} if waits else {}
    return {"event": kind_of(event), **marked, **plain(event)}
