"""Evolve: what each of the pricing engine's events does to its state."""

from typing import Final

from engines.kernel import EventHandlers
from engines.pricing.state import Price, PricedSymbol, State
from engines.pricing.swings import swung
from schemas.errors import BrokenInvariant
from schemas.events.pricing import (
    BlendSet,
    PressureChanged,
    PriceChanged,
    ProposalPriced,
    SmoothingSet,
    VolumeTraded,
)


def _smoothing_set(state: State, event: SmoothingSet) -> None:
    state.persisted.ewma_alpha_bp = event.ewma_alpha_bp
    state.persisted.bounds = event.bounds


def _blend_set(state: State, event: BlendSet) -> None:
    weights = (event.market_weight_bp, event.reality_weight_bp, event.reality_score_e2)
    symbol = state.symbols.get(event.symbol)
    if symbol is None:
        state.symbols[event.symbol] = PricedSymbol(*weights, event.reality_score_e2)
        return
    symbol.market_weight_bp, symbol.reality_weight_bp, symbol.reality_score_e2 = weights


def _price_changed(state: State, event: PriceChanged) -> None:
    state.symbols[event.symbol].price = Price(
        event.basis,
        event.ewma_e6,
        event.market_price_e2,
        event.final_price_e2,
        event.last_trade_ticks,
    )


def _volume_traded(state: State, event: VolumeTraded) -> None:
    name = event.symbol
    symbol = state.symbols[name]
    state.unindex(name, symbol)
    symbol.minute.add(event)
    symbol.hour.add(event)
    for taker in event.takers:
        if taker.moved_e6:
            swung(symbol.swings, taker.account, event.at_ns, taker.moved_e6)
    state.index(name, symbol)
    symbol.traded_in = event.cause
    state.persisted.fresh[name] = None


def _pressure_changed(state: State, event: PressureChanged) -> None:
    """Drop the buckets that have left the windows; the stated sums say which."""
    name = event.symbol
    symbol = state.symbols[name]
    state.unindex(name, symbol)
    minute = symbol.minute.shrink(event.buy_lots_1m, event.sell_lots_1m)
    hour = symbol.hour.shrink(event.buy_lots_1h, event.sell_lots_1h)
    if not (minute and hour):
        raise BrokenInvariant(f"the pressure stated for {name} is not what was traded")
    state.index(name, symbol)
    state.persisted.fresh.pop(name, None)


def _nothing(state: State, event: ProposalPriced) -> None:
    """Change nothing: the event informs those who decide on the proposal."""


EVENT_HANDLERS: Final[EventHandlers[State]] = {
    SmoothingSet: _smoothing_set,
    BlendSet: _blend_set,
    PriceChanged: _price_changed,
    VolumeTraded: _volume_traded,
    PressureChanged: _pressure_changed,
    ProposalPriced: _nothing,
}
