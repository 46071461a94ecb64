"""reviews and llm_audit (EM-44): moves that wait, or waited, for a person, and how it ended.

Runs after `articles` and `llm_calls`, from which the audit takes its summary.
"""

from projections.store.collectors import AppendedInOrder
from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    BOOLEAN,
    CAUSE,
    TEXT,
    TEXT_LIST,
    Projection,
    Row,
    RowPosition,
    Statement,
    Table,
    clean,
    insert,
    patch,
)
from projections.tables.events import event_id
from schemas.codec import encode
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
        "approved_e2": BIGINT_OR_NULL,
        "refused_source": TEXT,
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
`approved_e2` is how much of `delta_e2` people let happen, null while it is open and where the
log does not say it: then all. `refused_source` has no say in the event's story any more.
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
    (
        "status",
        "signers",
        "answer_reason",
        "approved_e2",
        "refused_source",
        "closed_ns",
        "cause",
        "sequence",
    ),
    rare=True,
)
_REFUSE = patch(
    "refuse", REVIEWS, ("refused", "refused_detail", "cause", "sequence"), exact=False, rare=True
)
_AUDIT = Statement(
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


def _opened(event: ReviewOpened, at: RowPosition) -> Row:
    proposal = event.proposal
    return (
        event.proposal_hash,
        at.sequence,
        at.ordinal,
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
        None,
        "",
        "",
        "",
        at.time_ns,
        event.expires_ns,
        None,
        event.cause,
        at.sequence,
    )


def _priced(event: ProposalPriced, at: RowPosition) -> Row:
    prices = (event.final_price_e2, event.final_if_approved_e2)
    return (event.proposal_hash, *prices, at.sequence)


def _closed(event: ReviewClosed, at: RowPosition) -> Row:
    row = (event.proposal_hash, event.outcome, event.signers, clean(event.reason))
    came_to = (event.approved_e2, clean(event.refused))
    return (*row, *came_to, at.time_ns, event.cause, at.sequence)


def _refused(event: ReviewAnswerRefused, at: RowPosition) -> Row:
    row = (clean(event.proposal_hash), event.code, clean(event.detail))
    return (*row, event.cause, at.sequence)


def _audited(event: ReviewClosed, at: RowPosition) -> Row:
    approved = event.outcome == "approved"
    row = (event.proposal_hash, event.outcome, approved, event.signers if approved else [])
    return (*row, clean(event.reason), at.time_ns, event.cause, at.sequence)


PROJECTION = Projection(
    "reviews",
    (REVIEWS, AUDIT),
    (_OPEN, _PRICE, _CLOSE, _REFUSE, _AUDIT),
    lambda: (
        AppendedInOrder(
            {
                ReviewOpened: [(_OPEN, _opened)],
                ProposalPriced: [(_PRICE, _priced)],
                ReviewClosed: [(_CLOSE, _closed)],
                ReviewAnswerRefused: [(_REFUSE, _refused)],
            }
        ),
        # the audit takes from a review only what never changes, so it may come last
        AppendedInOrder({ReviewClosed: [(_AUDIT, _audited)]}),
    ),
)
