"""Decide: the prices that one record changes, and the pressure at the end of a group."""

from collections.abc import Sequence
from typing import Final, NamedTuple, assert_never

from engines.pricing.arithmetic import MILLION, blend, smooth
from engines.pricing.inputs import PricingInput, Relevant
from engines.pricing.state import Price, PricedSymbol, State
from engines.pricing.steps import Pairs, gather, walk
from schemas.errors import UnknownRecord
from schemas.events.exchange import Top, TopsChanged, Traded
from schemas.events.governance import (
    MarketEdited,
    MarketListed,
    MarketResolved,
    PolicySet,
)
from schemas.events.pricing import (
    Basis,
    BlendSet,
    Event,
    PressureChanged,
    PriceChanged,
    ProposalPriced,
    SmoothingSet,
    TakerVolume,
    VolumeTraded,
)
from schemas.events.reality import Proposal, ReviewOpened, ScoreChanged
from schemas.limits import MAX_GROUP_EVENTS
from schemas.units import round_half_even

_HALF_TICK_E6: Final = MILLION // 2


def judge(state: State, sequence: int, given: PricingInput) -> Sequence[Event]:
    """Return what the record at `sequence` changes."""
    if not given.events:
        return ()
    pricing = RecordPricing(state, sequence, given.time_ns)
    for event in given.events:
        pricing.take(event)
    return pricing.events()


def pressures(state: State, now_ns: int) -> Sequence[PressureChanged]:
    """Return the pressure of the symbols that traded, and of those that time has changed."""
    fresh = state.persisted.fresh
    names = list(fresh)
    for due in sorted(due for due in state.due if due <= now_ns):
        names += sorted(name for name in state.due[due] if name not in fresh)
    return [_pressure(state, name, now_ns) for name in names[:MAX_GROUP_EVENTS]]


def next_due_ns(state: State) -> int | None:
    """Return when the next bucket leaves a window; 0 is at once."""
    if state.persisted.fresh:
        return 0  # the last group had no room for all of them
    return min(state.due, default=None)


def _pressure(state: State, name: str, now_ns: int) -> PressureChanged:
    symbol = state.symbols[name]
    minute, hour = symbol.minute.sums(now_ns), symbol.hour.sums(now_ns)
    return PressureChanged(
        cause=symbol.traded_in,
        symbol=name,
        buy_lots_1m=minute.buy_lots,
        sell_lots_1m=minute.sell_lots,
        buyers_1m=minute.buyers,
        sellers_1m=minute.sellers,
        buy_lots_1h=hour.buy_lots,
        sell_lots_1h=hour.sell_lots,
        buyers_1h=hour.buyers,
        sellers_1h=hour.sellers,
    )


class _Quote(NamedTuple):
    basis: Basis
    ewma_e6: int
    last_trade_ticks: int | None


class _SymbolTrades:
    """What one record has of one symbol's trades, by taker and, if bounded, by pair."""

    __slots__ = ("lots", "moved_e6", "pairs", "takers", "top")

    def __init__(self) -> None:
        self.lots = [0, 0]
        self.takers: dict[str, list[int]] = {}
        """Lots bought and sold, by account."""
        self.moved_e6: dict[str, int] = {}
        self.pairs: Pairs = {}
        self.top: Top | None = None

    def add(self, trade: Traded) -> None:
        sold, lots = trade.taker_side == "sell", trade.quantity_lots
        self.lots[sold] += lots
        taken = self.takers.get(trade.taker_account)
        if taken is None:
            taken = self.takers[trade.taker_account] = [0, 0]
        taken[sold] += lots

    def event(self, cause: int, symbol: str, at_ns: int) -> VolumeTraded:
        moved_e6 = self.moved_e6
        return VolumeTraded(
            cause=cause,
            symbol=symbol,
            at_ns=at_ns,
            buy_lots=self.lots[0],
            sell_lots=self.lots[1],
            takers=[
                TakerVolume(name, buy_lots, sell_lots, moved_e6.get(name, 0))
                for name, (buy_lots, sell_lots) in self.takers.items()
            ],
        )


class RecordPricing:
    """What the events of one record change. It reads the state and keeps the changes itself.

    Dicts keep the order in which symbols were first touched, which is that of the events.
    """

    def __init__(self, state: State, cause: int, at_ns: int) -> None:
        self._state = state
        self._cause = cause
        self._at_ns = at_ns
        self._alpha_bp = state.persisted.ewma_alpha_bp
        self._bounds = state.persisted.bounds
        self._blends: dict[str, BlendSet] = {}
        self._quotes: dict[str, _Quote] = {}
        self._trades: dict[str, _SymbolTrades] = {}
        self._proposals: list[ProposalPriced] = []

    def take(self, event: Relevant) -> None:
        """Work one event in."""
        match event:
            case Traded():
                self._trade(event)
            case TopsChanged():
                for top in event.tops:
                    self._top(top)
            case MarketListed():
                self._listed(event)
            case MarketEdited():
                self._edited(event)
            case MarketResolved():
                ewma_e6 = event.value_ticks * MILLION
                last = self._quote(event.symbol).last_trade_ticks
                self._quotes[event.symbol] = _Quote("resolution", ewma_e6, last)
            case ScoreChanged():
                self._scored(event)
            case ReviewOpened():
                self._proposed(event.proposal_hash, event.proposal)
            case PolicySet():
                self._alpha_bp = event.policy.pricing.ewma_alpha_bp
                self._bounds = event.policy.bounds()
            case _:
                assert_never(event)

    def events(self) -> list[Event]:
        """Return what has changed: smoothing, blends, volumes, prices, then proposals'."""
        events: list[Event] = []
        was = self._state.persisted
        smoothing, alpha_bp = (self._alpha_bp, self._bounds), self._alpha_bp
        if alpha_bp is not None and smoothing != (was.ewma_alpha_bp, was.bounds):
            events.append(SmoothingSet(self._cause, alpha_bp, self._bounds))
        events.extend(self._blends.values())
        for name, trades in self._trades.items():
            if trades.pairs:
                self._step(name, trades)
            events.append(trades.event(self._cause, name, self._at_ns))
        for name in self._blends | self._quotes:
            changed = self._price_changed(name)
            if changed is not None:
                events.append(changed)
        return events + self._proposals

    def _listed(self, event: MarketListed) -> None:
        name, score_e2 = event.symbol, event.initial_score_e2
        self._blends[name] = BlendSet(
            cause=self._cause,
            symbol=name,
            market_weight_bp=event.market_weight_bp,
            reality_weight_bp=event.reality_weight_bp,
            reality_score_e2=score_e2,
        )
        self._quotes[name] = _Quote("listing", score_e2 * MILLION, None)

    def _edited(self, event: MarketEdited) -> None:
        now = self._blend(event.symbol)
        weights = (event.market_weight_bp, event.reality_weight_bp)
        if weights != (now.market_weight_bp, now.reality_weight_bp):
            self._blends[event.symbol] = BlendSet(
                cause=self._cause,
                symbol=event.symbol,
                market_weight_bp=event.market_weight_bp,
                reality_weight_bp=event.reality_weight_bp,
                reality_score_e2=now.reality_score_e2,
            )

    def _scored(self, event: ScoreChanged) -> None:
        if self._quote(event.symbol).basis == "resolution":
            return  # it was on its way when the market was resolved
        now = self._blend(event.symbol)
        self._blends[event.symbol] = BlendSet(
            cause=self._cause,
            symbol=event.symbol,
            market_weight_bp=now.market_weight_bp,
            reality_weight_bp=now.reality_weight_bp,
            reality_score_e2=event.new_score_e2,
        )

    def _proposed(self, proposal_hash: str, proposal: Proposal) -> None:
        name = proposal.symbol
        score_e2 = self._blend(name).reality_score_e2
        self._proposals.append(
            ProposalPriced(
                cause=self._cause,
                proposal_hash=proposal_hash,
                symbol=name,
                final_price_e2=self._final(name, score_e2),
                final_if_approved_e2=self._final(name, proposal.score_if_approved_e2),
            )
        )

    def _trade(self, event: Traded) -> None:
        name = event.symbol
        trades = self._trades.get(name)
        if trades is None:
            trades = self._trades[name] = _SymbolTrades()
        trades.add(event)
        basis, ewma_e6, _ = self._quote(name)
        if basis == "resolution":
            return  # it was on its way when the market was resolved
        if self._bounds is not None:
            gather(trades.pairs, event)
            self._quotes[name] = _Quote("trades", ewma_e6, event.price_ticks)
            return
        start = ewma_e6 if basis == "trades" else None
        smoothed = smooth(start, event.price_ticks, self._alpha())
        self._quotes[name] = _Quote("trades", smoothed, event.price_ticks)

    def _step(self, name: str, trades: _SymbolTrades) -> None:
        """Move the price by the record's trades, within the bounds."""
        bounds = self._bounds
        if bounds is None:
            return
        quote = self._quote(name)
        _, ewma_e6, trades.moved_e6 = walk(
            quote.ewma_e6,
            trades.pairs.values(),
            trades.top,
            self._alpha(),
            bounds,
            self._symbol(name).swings,
            self._at_ns,
        )
        self._quotes[name] = quote._replace(ewma_e6=ewma_e6)

    def _alpha(self) -> int:
        if self._alpha_bp is None:
            raise UnknownRecord(f"message {self._cause}: a trade before any policy")
        return self._alpha_bp

    def _top(self, top: Top) -> None:
        name = top.symbol
        if self._bounds is not None:
            if name in self._trades:
                self._trades[name].top = top
            return  # a quote costs nothing and can be taken back
        if self._quote(name).basis in ("trades", "resolution"):
            return
        if top.bid_ticks is None or top.ask_ticks is None:
            score_e2 = self._symbol(name).listing_score_e2
            self._quotes[name] = _Quote("listing", score_e2 * MILLION, None)
        else:
            mid_e6 = (top.bid_ticks + top.ask_ticks) * _HALF_TICK_E6
            self._quotes[name] = _Quote("mid", mid_e6, None)

    def _price_changed(self, name: str) -> PriceChanged | None:
        basis, ewma_e6, last = self._quote(name)
        market_e2 = round_half_even(ewma_e6, MILLION)
        final_e2 = self._final(name, self._blend(name).reality_score_e2)
        symbol = self._state.symbols.get(name)
        if symbol and symbol.price == Price(basis, ewma_e6, market_e2, final_e2, last):
            return None
        return PriceChanged(
            cause=self._cause,
            symbol=name,
            basis=basis,
            ewma_e6=ewma_e6,
            market_price_e2=market_e2,
            final_price_e2=final_e2,
            last_trade_ticks=last,
        )

    def _final(self, name: str, score_e2: int) -> int:
        """Return FinalPrice with that RealityScore; once resolved, no score moves it."""
        quote = self._quote(name)
        market_e2 = round_half_even(quote.ewma_e6, MILLION)
        if quote.basis == "resolution":
            return market_e2
        by = self._blend(name)
        return blend(market_e2, by.market_weight_bp, score_e2, by.reality_weight_bp)

    def _quote(self, name: str) -> _Quote:
        quote = self._quotes.get(name)
        if quote is not None:
            return quote
        price = self._symbol(name).price
        if price is None:
            raise UnknownRecord(f"message {self._cause}: {name} has no price yet")
        return _Quote(price.basis, price.ewma_e6, price.last_trade_ticks)

    def _blend(self, name: str) -> BlendSet | PricedSymbol:
        return self._blends.get(name) or self._symbol(name)

    def _symbol(self, name: str) -> PricedSymbol:
        symbol = self._state.symbols.get(name)
        if symbol is None:
            raise UnknownRecord(f"message {self._cause}: {name} was never listed")
        return symbol
