"""What the pricing engine decides: MarketPrice, pressure, FinalPrice."""

from typing import Literal

from schemas.codec import Message

Basis = Literal["trades", "mid", "listing", "resolution"]
"""What MarketPrice rests on: the EWMA over trades, else the mid, else the listing score."""


class BlendSet(Message, tag="blend_set/1", frozen=True):
    """The weights and RealityScore that a symbol's FinalPrice is blended from."""

    cause: int
    symbol: str
    market_weight_bp: int
    reality_weight_bp: int
    reality_score_e2: int


class SmoothingSet(Message, tag="smoothing_set/1", frozen=True):
    cause: int
    ewma_alpha_bp: int


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


class VolumeTraded(Message, tag="volume_traded/1", frozen=True):
    """What takers bought and sold in one input; it enters the windows at `at_ns`."""

    cause: int
    symbol: str
    at_ns: int
    buy_lots: int
    sell_lots: int


class PressureChanged(Message, tag="pressure_changed/1", frozen=True):
    """Taker volume over the last minute and hour of log time (EM-92)."""

    cause: int
    symbol: str
    buy_lots_1m: int
    sell_lots_1m: int
    buy_lots_1h: int
    sell_lots_1h: int


class ProposalPriced(Message, tag="proposal_priced/1", frozen=True):
    """FinalPrice as a review opened, and as it would be if its move were approved."""

    cause: int
    proposal_hash: str
    symbol: str
    final_price_e2: int
    final_if_approved_e2: int


Event = BlendSet | SmoothingSet | PriceChanged | VolumeTraded | PressureChanged | ProposalPriced
