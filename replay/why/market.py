"""MarketPrice, weights and score of one symbol, computed again from what led to them."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple, assert_never

from engines.pricing.arithmetic import MILLION, blend, smooth
from engines.pricing.steps import Pairs, gather, walk
from engines.pricing.swings import Swings, swung
from replay.limits import MAX_WHY_CHANGES, MAX_WHY_TRADES, WHY_TRADE_WEIGHT_BP
from replay.why.rulings import Ruling
from replay.why.stories import ScoreMove
from schemas.events.exchange import Top, Traded
from schemas.events.governance import (
    MarketEdited,
    MarketListed,
    MarketResolved,
    PolicySet,
)
from schemas.events.pricing import Basis
from schemas.policy import PriceBounds
from schemas.units import WEIGHT_ONE_BP, round_half_even

Cause = Ruling | Traded | Top | ScoreMove
"""What moves a price."""

_LEAST = Fraction(WHY_TRADE_WEIGHT_BP, WEIGHT_ONE_BP)


class EwmaStep(NamedTuple):
    """What one trade, or all of two accounts in one record, did to the EWMA.

    `trade` is the first of them; `before_e6` is None where it is where the EWMA starts.
    `share` is by what part of the way to `price_e6` the EWMA moved.
    """

    sequence: int
    trade: Traded
    trades: int
    lots: int
    price_e6: int
    share: Fraction
    before_e6: int | None
    after_e6: int


class Weighed(NamedTuple):
    """A trade, and what of it is in the price."""

    step: EwmaStep
    weight: Fraction


class Market:
    """What follows for one symbol. The causes take effect as far as pricing had read them."""

    def __init__(self) -> None:
        self.basis: Basis = "listing"
        self.ewma_e6 = 0
        self.score_e2 = 0
        self.alpha_bp = 0
        self.bounds: PriceBounds | None = None
        self.weights_bp = (0, 0)
        self.listed: Ruling | None = None
        self.weighed: Ruling | None = None
        """The decision that set the weights."""
        self.smoothed: Ruling | None = None
        """The decision that set what a trade weighs."""
        self.resolved: Ruling | None = None
        self.top: tuple[int, Top] | None = None
        self.trades = 0
        self.steps: deque[EwmaStep] = deque(maxlen=MAX_WHY_TRADES)
        self.changes: deque[ScoreMove] = deque(maxlen=MAX_WHY_CHANGES)
        self.changed = 0
        self.moved_e2 = 0
        """The sum of all changes of the score."""
        self.earlier_e2 = 0
        """The sum of those changes that are no longer in `changes`."""
        self._ahead: deque[tuple[int, int, Cause]] = deque()
        self._pairs: Pairs = {}
        """Trades of a record whose end has not been reached."""
        self._swings: Swings = {}

    @property
    def initial_e2(self) -> int:
        event = self.listed.event if self.listed else None
        return event.initial_score_e2 if isinstance(event, MarketListed) else 0

    @property
    def market_e2(self) -> int:
        return round_half_even(self.ewma_e6, MILLION)

    @property
    def final_e2(self) -> int:
        """FinalPrice as it follows; once resolved, no score moves it."""
        if self.basis == "resolution":
            return self.market_e2
        market_bp, reality_bp = self.weights_bp
        return blend(self.market_e2, market_bp, self.score_e2, reality_bp)

    def note(self, sequence: int, time_ns: int, cause: Cause) -> None:
        """Keep a cause until pricing has read the record of `time_ns` at `sequence`."""
        self._ahead.append((sequence, time_ns, cause))

    def through(self, sequence: int) -> None:
        """Have everything up to `sequence` take effect."""
        while self._ahead and self._ahead[0][0] <= sequence:
            self._apply(*self._ahead.popleft())

    def _apply(self, sequence: int, time_ns: int, cause: Cause) -> None:
        match cause:
            case Traded() if self.bounds is not None:
                gather(self._pairs, cause)
            case Traded():
                self._trade(sequence, cause)
            case Top() if self.bounds is not None:
                self._steps(sequence, time_ns, cause, self.bounds)
            case Top():
                self._best(sequence, cause)
            case ScoreMove():
                self._change(cause)
            case Ruling():
                self._rule(cause)
            case _:
                assert_never(cause)

    def _trade(self, sequence: int, trade: Traded) -> None:
        if self.basis == "resolution":
            return  # it was on its way when the market was resolved
        before_e6 = self.ewma_e6 if self.basis == "trades" else None
        self.basis = "trades"
        self.ewma_e6 = smooth(before_e6, trade.price_ticks, self.alpha_bp)
        self.trades += 1
        share = Fraction(1) if before_e6 is None else Fraction(self.alpha_bp, WEIGHT_ONE_BP)
        price_e6, lots = trade.price_ticks * MILLION, trade.quantity_lots
        self.steps.append(
            EwmaStep(sequence, trade, 1, lots, price_e6, share, before_e6, self.ewma_e6)
        )

    def _steps(self, sequence: int, time_ns: int, top: Top, bounds: PriceBounds) -> None:
        """Take the steps of a record. Its best prices end it: every trade touches them."""
        pairs, self._pairs = self._pairs, {}
        if self.basis == "resolution" or not pairs:
            return
        self.basis = "trades"
        moves = walk(
            self.ewma_e6, pairs.values(), top, self.alpha_bp, bounds, self._swings, time_ns
        )
        for pair, price_e6, moved_e6 in moves.steps:
            before_e6 = self.ewma_e6
            self.ewma_e6 += moved_e6
            self.trades += 1
            way_e6 = price_e6 - before_e6
            share = Fraction(moved_e6, way_e6) if way_e6 else Fraction(0)
            self.steps.append(
                EwmaStep(
                    sequence,
                    pair.first,
                    pair.count,
                    pair.lots,
                    price_e6,
                    share,
                    before_e6,
                    self.ewma_e6,
                )
            )
        for account, moved_e6 in moves.moved_e6.items():
            if moved_e6:
                swung(self._swings, account, time_ns, moved_e6)

    def _best(self, sequence: int, top: Top) -> None:
        if self.basis in ("trades", "resolution"):
            return
        self.top = sequence, top
        if top.bid_ticks is None or top.ask_ticks is None:
            self.basis, self.ewma_e6 = "listing", self.initial_e2 * MILLION
        else:
            self.basis = "mid"
            self.ewma_e6 = (top.bid_ticks + top.ask_ticks) * (MILLION // 2)

    def _change(self, change: ScoreMove) -> None:
        if self.basis == "resolution":
            return
        if len(self.changes) == self.changes.maxlen:
            self.earlier_e2 += self.changes[0].event.delta_e2
        self.changes.append(change)
        self.changed += 1
        self.moved_e2 += change.event.delta_e2
        self.score_e2 = change.event.new_score_e2

    def _rule(self, ruling: Ruling) -> None:
        event = ruling.event
        if isinstance(event, MarketListed):
            self.listed = self.weighed = ruling
            self.basis, self.ewma_e6 = "listing", event.initial_score_e2 * MILLION
            self.score_e2 = event.initial_score_e2
            self.weights_bp = event.market_weight_bp, event.reality_weight_bp
        elif isinstance(event, MarketEdited):
            weights_bp = event.market_weight_bp, event.reality_weight_bp
            if weights_bp != self.weights_bp:
                self.weights_bp, self.weighed = weights_bp, ruling
        elif isinstance(event, MarketResolved):
            self.basis, self.ewma_e6 = "resolution", event.value_ticks * MILLION
            self.resolved = ruling
        elif isinstance(event, PolicySet):
            smoothing = event.policy.pricing.ewma_alpha_bp, event.policy.bounds()
            if smoothing != (self.alpha_bp, self.bounds) or self.smoothed is None:
                self.smoothed = ruling
            self.alpha_bp, self.bounds = smoothing

    def weighed_trades(self) -> list[Weighed]:
        """Return the last trades with their weight in the price, the newest first.

        A trade's weight is its share, times what each later one has left of it. Once less than
        WHY_TRADE_WEIGHT_BP is left for all others, and before MAX_WHY_TRADES, they are not told.
        """
        return list(self._weighed())

    def _weighed(self) -> Iterator[Weighed]:
        left = Fraction(1)
        for step in reversed(self.steps):
            if left < _LEAST:
                return
            weight = left * step.share
            yield Weighed(step, weight)
            left -= weight
