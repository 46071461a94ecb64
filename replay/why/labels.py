"""Events in a few words, for trees and pictures."""

from typing import Final

from schemas.codec import tag_of
from schemas.events import Event, pricing, reality
from schemas.events import exchange as ex
from schemas.events import governance as gov
from schemas.units import to_decimal, to_fraction

_KINDS: Final[dict[type, str]] = {
    ex.Traded: "trade",
    ex.OrderPlaced: "order",
    ex.OrderRejected: "order",
    ex.OrdersCancelled: "order",
    ex.ReviewersChecked: "review",
    ex.PartChecked: "review",
    pricing.PriceChanged: "price",
    pricing.BlendSet: "price",
    pricing.ProposalPriced: "review",
    reality.ArticleDropped: "article",
    reality.ClusterOpened: "article",
    reality.ArticleGrouped: "article",
    reality.ArticleAssessed: "assessment",
    reality.TellingWithdrawn: "story",
    reality.ImpactAssessed: "story",
    reality.LlmRequested: "llm",
    reality.LlmSkipped: "llm",
    reality.LlmAnswered: "llm",
    reality.LlmTimedOut: "llm",
    reality.LlmModeChanged: "llm",
    reality.MoveCut: "score_change",
    reality.ScoreChanged: "score_change",
    reality.ScoreTakenBack: "score_change",
    reality.ReviewOpened: "review",
    reality.ReviewClosed: "review",
    reality.ReviewAnswerRefused: "review",
    gov.ReviewAnswered: "review",
    gov.PartApproved: "review",
}


def kind_of(event: Event) -> str:
    """Return what kind of node an event is: that of its colour."""
    if isinstance(event, gov.Event):
        return _KINDS.get(type(event), "decision")
    return _KINDS.get(type(event), "event")


def words(event: Event) -> str:
    """Return an event in a few words."""
    if isinstance(event, ex.Event):
        return _exchange(event)
    if isinstance(event, reality.Event):
        return _reality(event)
    match event:
        case pricing.PriceChanged():
            price = to_decimal(event.final_price_e2)
            return f"{event.symbol} costs {price}, market price {to_decimal(event.market_price_e2)}"
        case pricing.BlendSet():
            return f"{event.symbol} goes by score {to_decimal(event.reality_score_e2)}"
        case pricing.ProposalPriced():
            final = to_decimal(event.final_if_approved_e2)
            return f"{event.symbol} would cost {final} if approved"
        case gov.DecisionAccepted() | gov.DecisionPending():
            state = "accepted" if isinstance(event, gov.DecisionAccepted) else "waits"
            return f"{event.kind} {state}, {len(event.signers)} signed"
        case gov.DecisionRefused():
            return f"{event.kind} refused: {event.code}"
        case gov.PartApproved():
            of = f"{to_decimal(event.delta_e2)} of review {event.proposal_hash[:16]}"
            return f"{of}: {len(event.signers)} of the people approve"
        case gov.ReviewAnswered():
            answer = "approve" if event.approve else "reject"
            return f"review {event.proposal_hash[:16]}: {len(event.signers)} of the people {answer}"
        case gov.PolicySet():
            return f"policy {event.version} “{event.policy.name}”"
        case _:
            return _plain(event)


def _exchange(event: ex.Event) -> str:
    match event:
        case ex.OrderPlaced():
            price = "market" if event.price_ticks is None else to_decimal(event.price_ticks)
            return (
                f"{event.side} {event.quantity_lots:,} {event.symbol} at {price} by "
                f"{event.account}: {event.filled_lots:,} filled, {event.resting_lots:,} resting"
            )
        case ex.Traded():
            price = to_decimal(event.price_ticks)
            return f"trade {event.trade_id}: {event.quantity_lots:,} {event.symbol} at {price}"
        case ex.OrderRejected():
            return f"order of {event.account} rejected: {event.code}"
        case ex.OrdersCancelled():
            return f"{len(event.order_ids):,} orders of {event.account} cancelled"
        case ex.CashCredited():
            return f"{event.account} gets {to_decimal(event.amount_cents)}"
        case ex.ReviewersChecked():
            return f"barred: {', '.join(event.barred)}" if event.barred else "nobody is barred"
        case _:
            return _plain(event)


def _reality(event: reality.Event) -> str:
    match event:
        case reality.ArticleDropped():
            of = f" of {event.of}" if event.of else ""
            return f"article {event.article} dropped: {event.reason}{of}"
        case reality.ClusterOpened():
            return f"article {event.article} opens a cluster"
        case reality.ArticleGrouped():
            like = to_fraction(event.similarity_bp)
            return f"article {event.article} joins cluster {event.cluster}, {like} alike"
        case reality.ArticleAssessed():
            return f"{event.symbol}: quick {to_fraction(event.quick_bp)} from {event.source}"
        case reality.TellingWithdrawn():
            count = len(event.articles)
            return f"{count} of {event.source} {event.reason} by {event.by_source}"
        case reality.ImpactAssessed():
            points = to_decimal(event.points_e2)
            left = to_decimal(event.delta_e2)
            return f"{event.symbol}, story {event.cluster}: {points} points, {left} left to move"
        case reality.LlmRequested():
            return f"LLM asked about {event.request_id}: {event.why}"
        case reality.LlmAnswered():
            impact = to_decimal(event.impact_e2)
            return f"LLM's answer is {event.status}, impact {impact}"
        case _:
            return _score(event)


def _score(event: reality.Event) -> str:
    match event:
        case reality.MoveCut():
            moved, left = to_decimal(event.moved_e2), to_decimal(event.delta_e2)
            return f"{event.symbol}: {moved} of {left} may move unsigned, by {event.cap}"
        case reality.ScoreTakenBack():
            old, new = to_decimal(event.old_score_e2), to_decimal(event.new_score_e2)
            return f"{event.symbol} score back from {old} to {new}: {event.reason}"
        case reality.ScoreChanged():
            old, new = to_decimal(event.old_score_e2), to_decimal(event.new_score_e2)
            return f"{event.symbol} score from {old} to {new}"
        case reality.ReviewOpened():
            move = to_decimal(event.proposal.delta_e2)
            return f"review {event.proposal_hash[:16]} of {move}: {', '.join(event.reasons)}"
        case reality.ReviewClosed():
            refused = f", {event.refused} has no more say in its story" if event.refused else ""
            return f"review {event.proposal_hash[:16]} {event.outcome}{refused}"
        case reality.ReviewAnswerRefused():
            return f"answer refused: {event.code}"
        case _:
            return _plain(event)


def _plain(event: Event) -> str:
    """Return an event's name and what it is about."""
    name = tag_of(type(event)).partition("/")[0].replace("_", " ")
    about = next(
        (
            value
            for field in ("symbol", "account", "source", "key", "request_id")
            if isinstance(value := getattr(event, field, None), str)
        ),
        "",
    )
    return f"{name} {about[:24]}".rstrip()
