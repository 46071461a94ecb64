"""reviews and llm_audit (EM-44): moves that wait, or waited, for a person, and how it ended.

Runs after `articles` and `llm_calls`, from which the audit takes its summary.
"""

from collections.abc import Mapping
from typing import Any

from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    BOOLEAN,
    CAUSE,
    TEXT,
    TEXT_LIST,
    Change,
    Handler,
    InOrder,
    Ordinal,
    Place,
    Projection,
    Step,
    Table,
    clean,
    insert,
    patch,
)
from projections.tables.events import event_id
from schemas.codec import Message, encode
from schemas.events.pricing import ProposalPriced
from schemas.events.reality import ReviewAnswerRefused, ReviewClosed, ReviewOpened

REVIEWS = Table(
    name="reviews",
    columns={
        "proposal_hash": TEXT,
        "opened": BIGINT,
        "ordinal": BIGINT,
        "status": TEXT,
        "symbol": TEXT,
        "event_id": TEXT,
        "cluster": BIGINT,
        "proposal": TEXT,
        "reasons": TEXT_LIST,
        "detail": TEXT,
        "charged": TEXT,
        "sources": TEXT_LIST,
        "points_e2": BIGINT,
        "delta_e2": BIGINT,
        "score_now_e2": BIGINT,
        "score_if_approved_e2": BIGINT,
        "confidence_bp": BIGINT,
        "final_price_e2": BIGINT_OR_NULL,
        "final_if_approved_e2": BIGINT_OR_NULL,
        "signers": TEXT_LIST,
        "answer_reason": TEXT,
        "refused": TEXT,
        "refused_detail": TEXT,
        "opened_ns": BIGINT,
        "expires_ns": BIGINT,
        "closed_ns": BIGINT_OR_NULL,
        **CAUSE,
    },
    key=("proposal_hash",),
    indexes=(
        "(opened, ordinal)",
        "(opened, ordinal) WHERE status = 'open'",
        "(symbol, opened, ordinal)",
        "(symbol) WHERE status = 'open'",
        "(event_id)",
    ),
)
"""`status` is open, approved, rejected, expired or withdrawn. `proposal` is the exact text
whose SHA-256 is the hash. `opened` is the sequence of the record that opened the review and
`ordinal` its place among those. `refused` is the code of the last answer without effect.
"""

AUDIT = Table(
    name="llm_audit",
    columns={
        "proposal_hash": TEXT,
        "symbol": TEXT,
        "event_id": TEXT,
        "summary": TEXT,
        "impact_e2": BIGINT,
        "sources": TEXT_LIST,
        "outcome": TEXT,
        "approved": BOOLEAN,
        "approved_by": TEXT_LIST,
        "reason": TEXT,
        "at_ns": BIGINT,
        **CAUSE,
    },
    key=("proposal_hash",),
    indexes=("(symbol, sequence)",),
)
"""One row for each review that is over; `approved_by` are the signers' keys if it was."""

_OPEN = insert(REVIEWS)
_PRICE = patch("price", REVIEWS, ("final_price_e2", "final_if_approved_e2", "sequence"), rare=True)
_CLOSE = patch(
    "close",
    REVIEWS,
    ("status", "signers", "answer_reason", "closed_ns", "cause", "sequence"),
    rare=True,
)
_REFUSE = patch(
    "refuse", REVIEWS, ("refused", "refused_detail", "cause", "sequence"), exact=False, rare=True
)
_AUDIT = Step(
    "llm_audit_add",
    AUDIT,
    {
        "proposal_hash": TEXT,
        "outcome": TEXT,
        "approved": BOOLEAN,
        "approved_by": TEXT_LIST,
        "reason": TEXT,
        "at_ns": BIGINT,
        **CAUSE,
    },
    f"""
    INSERT INTO llm_audit ({", ".join(AUDIT.columns)})
    SELECT s.proposal_hash, r.symbol, r.event_id,
        coalesce(
            (SELECT c.summary FROM llm_calls c WHERE c.request_id = r.event_id
                AND c.status = 'used' AND c.sequence <= s.sequence
                ORDER BY c.call DESC LIMIT 1),
            (SELECT a.title FROM articles a WHERE a.article = r.cluster),
            ''
        ),
        r.delta_e2, r.sources, s.outcome, s.approved, s.approved_by, s.reason, s.at_ns,
        s.cause, s.sequence
    FROM stage_llm_audit_add s JOIN reviews r ON r.proposal_hash = s.proposal_hash
    """,
    rare=True,
)
# A batch may hold a later call: `c.sequence <= s.sequence` keeps the cut between batches
# from having a say in the summary.


class _Gatherer:
    """The audit takes from a review only what never changes, so it may come last."""

    def __init__(self) -> None:
        self._rows = InOrder()
        self._over: list[tuple[Any, ...]] = []
        self._ordinal = Ordinal()

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            ReviewOpened: self._opened,
            ProposalPriced: self._priced,
            ReviewClosed: self._closed,
            ReviewAnswerRefused: self._refused,
        }

    def changes(self) -> list[Change]:
        return [*self._rows.changes(), Change(_AUDIT, self._over)]

    def _opened(self, event: ReviewOpened, at: Place) -> None:
        proposal = event.proposal
        self._rows.add(
            _OPEN,
            (
                event.proposal_hash,
                at.sequence,
                self._ordinal.of(at),
                "open",
                proposal.symbol,
                event_id(proposal.cluster, proposal.symbol),
                proposal.cluster,
                encode(proposal).decode(),
                list(event.reasons),
                clean(event.detail),
                clean(event.charged),
                [clean(source) for source in proposal.sources],
                proposal.points_e2,
                proposal.delta_e2,
                proposal.score_now_e2,
                proposal.score_if_approved_e2,
                proposal.confidence_bp,
                None,
                None,
                [],
                "",
                "",
                "",
                at.time_ns,
                event.expires_ns,
                None,
                event.cause,
                at.sequence,
            ),
        )

    def _priced(self, event: ProposalPriced, at: Place) -> None:
        prices = (event.final_price_e2, event.final_if_approved_e2)
        self._rows.add(_PRICE, (event.proposal_hash, *prices, at.sequence))

    def _closed(self, event: ReviewClosed, at: Place) -> None:
        reason, tail = clean(event.reason), (at.time_ns, event.cause, at.sequence)
        row = (event.proposal_hash, event.outcome, event.signers, reason, *tail)
        self._rows.add(_CLOSE, row)
        approved = event.outcome == "approved"
        said = (event.outcome, approved, event.signers if approved else [], reason)
        self._over.append((event.proposal_hash, *said, *tail))

    def _refused(self, event: ReviewAnswerRefused, at: Place) -> None:
        why = (event.code, clean(event.detail))
        self._rows.add(_REFUSE, (clean(event.proposal_hash), *why, event.cause, at.sequence))


PROJECTION = Projection(
    "reviews", (REVIEWS, AUDIT), (_OPEN, _PRICE, _CLOSE, _REFUSE, _AUDIT), _Gatherer
)
