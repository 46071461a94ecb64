"""Which event of a record leads to which event that cites the record.

A record holds what many inputs led to, and who cites it cites all of it. So what was caused by
one of its events is told by what both are about: the symbol, the review, the source, the
account, the policy.
"""

from collections.abc import Iterator
from typing import Final

from schemas.events import Event, pricing, reality
from schemas.events import exchange as ex
from schemas.events import governance as gov
from schemas.events.notary import Sealed

Matter = tuple[str, str]
"""What an event is about, such as `("symbol", "RAIN")`."""

LEFT_OUT: Final = (
    ex.BalancesChanged,
    ex.TopsChanged,
    ex.IdsForgotten,
    ex.AccountLapsed,
    ex.CashReturned,
    ex.LapseScheduled,
    reality.ArticlesForgotten,
    pricing.VolumeTraded,
    pricing.PressureChanged,
    Sealed,
)
"""They state sums over a record or over time, and are no one's effect in particular."""

_MARKETS: Final = (
    gov.MarketListed,
    gov.MarketEdited,
    gov.MarketHalted,
    gov.MarketResumed,
    gov.MarketClosed,
    gov.MarketResolved,
)
_PRICED: Final = (ex.Traded, reality.ScoreChanged)
_BY_REVIEW: Final = (gov.ReviewAnswered, ex.ReviewersChecked, reality.ReviewOpened)
_OF_REVIEW: Final = (
    ex.ReviewersChecked,
    reality.ReviewAnswerRefused,
    pricing.ProposalPriced,
)
_BY_POLICY: Final = (reality.RulesSet, pricing.SmoothingSet, ex.LimitsSet)


def moves(event: Event) -> Iterator[Matter]:
    """Yield what an event changes something about for those who read its record."""
    if isinstance(event, _PRICED):
        yield "price", event.symbol
    elif isinstance(event, _MARKETS):
        yield "market", event.symbol
    elif isinstance(event, ex.OrderPlaced):
        yield "book", event.symbol
    elif isinstance(event, _BY_REVIEW):
        yield "review", event.proposal_hash
    elif isinstance(event, gov.PolicySet | gov.VenueFounded):
        yield "policy", ""
    elif isinstance(event, gov.CreditsMinted):
        yield "account", event.account
    elif isinstance(event, gov.SourceAdded | gov.SourceChanged):
        yield "source", event.source.source
    elif isinstance(event, gov.SourceQuarantineSet):
        yield "source", event.source


def moved_by(event: Event) -> Iterator[Matter]:
    """Yield what an event may be the effect of, if its cause is a record."""
    if isinstance(event, _BY_POLICY):
        yield "policy", ""
    elif isinstance(event, pricing.PriceChanged | pricing.BlendSet):
        yield "price", event.symbol
        yield "market", event.symbol
        if isinstance(event, pricing.PriceChanged) and event.basis in ("mid", "listing"):
            yield "book", event.symbol  # without trades, best prices move it
    elif isinstance(event, _OF_REVIEW):
        yield "review", event.proposal_hash
    elif isinstance(event, reality.ReviewClosed):
        yield "review", event.proposal_hash
        yield "market", event.symbol
    elif isinstance(event, reality.ScoreChanged):
        yield "review", event.review
    elif isinstance(event, ex.CashCredited | ex.CreditRefused):
        yield "account", event.account
    else:
        for name, matter in (("symbol", "market"), ("source", "source")):
            value = getattr(event, name, None)
            if isinstance(value, str):
                yield matter, value
