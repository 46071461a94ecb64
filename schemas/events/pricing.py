"""What the pricing engine decides: MarketPrice, pressure, FinalPrice."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from schemas.codec import Message
from schemas.policy import PriceBounds

Basis = Literal["trades", "mid", "listing", "resolution"]
"""What MarketPrice rests on: the EWMA over trades, else the mid, else the listing score."""


class BlendSet(Message, tag="blend_set/1", frozen=True):
    """The weights and RealityScore that a symbol's FinalPrice is blended from."""

    cause: int
    symbol: str
    market_weight_bp: int
    reality_weight_bp: int
    reality_score_e2: int


class SmoothingSet1(Message, tag="smoothing_set/1", frozen=True):
    """As pricing/1 wrote it: without bounds."""

    cause: int
    ewma_alpha_bp: int


class SmoothingSet(Message, tag="smoothing_set/2", frozen=True):
    """How trades move MarketPrice from now on; without `bounds` each one alone, by alpha."""

    cause: int
    ewma_alpha_bp: int
    bounds: PriceBounds | None


class PriceChanged(Message, tag="price_changed/1", frozen=True):
    """MarketPrice and FinalPrice of a symbol after one input.

    `ewma_e6` is MarketPrice in millionths of a tick, the full precision that the next one
    is computed from; `last_trade_ticks` is None before the first trade.
    """

    cause: int
    symbol: str
    basis: Basis
    ewma_e6: int
    market_price_e2: int
    final_price_e2: int
    last_trade_ticks: int | None


class VolumeTraded1(Message, tag="volume_traded/1", frozen=True):
    """As pricing/1 wrote it: without the takers."""

    cause: int
    symbol: str
    at_ns: int
    buy_lots: int
    sell_lots: int


class TakerVolume(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`[account, buy_lots, sell_lots, moved_e6]`: what one account took in one input.

    `moved_e6` is by how many millionths of a tick that moved MarketPrice, where the policy
    bounds it.
    """

    account: str
    buy_lots: int
    sell_lots: int
    moved_e6: int


class VolumeTraded(Message, tag="volume_traded/2", frozen=True):
    """What takers bought and sold in one input; it enters the windows at `at_ns`."""

    cause: int
    symbol: str
    at_ns: int
    buy_lots: int
    sell_lots: int
    takers: list[TakerVolume]


class PressureChanged1(Message, tag="pressure_changed/1", frozen=True):
    """As pricing/1 wrote it: without the numbers of accounts."""

    cause: int
    symbol: str
    buy_lots_1m: int
    sell_lots_1m: int
    buy_lots_1h: int
    sell_lots_1h: int


class PressureChanged(Message, tag="pressure_changed/2", frozen=True):
    """Taker volume over the last minute and hour of log time (EM-92), and whose it is.

    `buyers` and `sellers` are the distinct accounts that took it, None where pricing/1 did
    not count them. The greatest number, 100, means that many or more.
    """

    cause: int
    symbol: str
    buy_lots_1m: int
    sell_lots_1m: int
    buyers_1m: int | None
    sellers_1m: int | None
    buy_lots_1h: int
    sell_lots_1h: int
    buyers_1h: int | None
    sellers_1h: int | None


class ProposalPriced(Message, tag="proposal_priced/1", frozen=True):
    """FinalPrice as a review opened, and as it would be if its move were approved."""

    cause: int
    proposal_hash: str
    symbol: str
    final_price_e2: int
    final_if_approved_e2: int


Event = BlendSet | SmoothingSet | PriceChanged | VolumeTraded | PressureChanged | ProposalPriced

OlderEvent = SmoothingSet1 | VolumeTraded1 | PressureChanged1


def _counted(old: PressureChanged1) -> PressureChanged:
    return PressureChanged(
        cause=old.cause,
        symbol=old.symbol,
        buy_lots_1m=old.buy_lots_1m,
        sell_lots_1m=old.sell_lots_1m,
        buyers_1m=None,
        sellers_1m=None,
        buy_lots_1h=old.buy_lots_1h,
        sell_lots_1h=old.sell_lots_1h,
        buyers_1h=None,
        sellers_1h=None,
    )


UPCASTS: Final[Mapping[type[Message], Callable[[Any], Message]]] = {
    SmoothingSet1: lambda old: SmoothingSet(old.cause, old.ewma_alpha_bp, None),
    VolumeTraded1: lambda old: VolumeTraded(
        cause=old.cause,
        symbol=old.symbol,
        at_ns=old.at_ns,
        buy_lots=old.buy_lots,
        sell_lots=old.sell_lots,
        takers=[],
    ),
    PressureChanged1: _counted,
}
