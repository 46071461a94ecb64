"""MarketPrice within bounds, computed the long way: every move of every account kept for ever."""

from collections.abc import Sequence
from fractions import Fraction

from schemas.events.exchange import Top, Traded
from schemas.policy import PriceBounds
from schemas.units import MINUTE_NS

PERIOD_NS = 30 * MINUTE_NS


class NaivePrice:
    """One symbol's price from its listing on, and what each account has done to it."""

    def __init__(self, listed_e2: int, bounds: PriceBounds, alpha_bp: int = 2_500) -> None:
        self.ewma_e6 = listed_e2 * 1_000_000
        self._bounds = bounds
        self._alpha = Fraction(alpha_bp, 10_000)
        self._sums: dict[str, list[tuple[int, int]]] = {}
        """By account, the times of its moves and the sum after each."""

    def record(self, at_ns: int, trades: Sequence[Traded], top: Top | None) -> None:
        pairs: dict[frozenset[str], list[Traded]] = {}
        for trade in trades:
            pairs.setdefault(frozenset((trade.taker_account, trade.maker_account)), []).append(
                trade
            )
        moved: dict[str, int] = {}
        for pair in pairs.values():
            lots = sum(one.quantity_lots for one in pair)
            value = sum(one.quantity_lots * one.price_ticks for one in pair)
            price: int = round(Fraction(value * 1_000_000, lots))
            if top is not None and top.bid_ticks is not None:
                price = max(price, top.bid_ticks * 1_000_000)
            if top is not None and top.ask_ticks is not None:
                price = min(price, top.ask_ticks * 1_000_000)
            full = self._bounds.full_weight_lots
            weight = self._alpha * Fraction(min(lots, full), full)
            wanted = round(self.ewma_e6 + weight * (price - self.ewma_e6)) - self.ewma_e6
            account = pair[0].taker_account
            before = moved.get(account, 0)
            down, up = self._reach(account, at_ns)
            step = max(down - before, min(up - before, wanted))
            moved[account] = before + step
            self.ewma_e6 += step
        for account, by in moved.items():
            if by:
                sums = self._sums.setdefault(account, [(0, 0)])
                sums.append((at_ns, sums[-1][1] + by))

    def _reach(self, account: str, at_ns: int) -> tuple[int, int]:
        most = self._bounds.account_move_e2 * 1_000_000
        start_ns = (at_ns // PERIOD_NS - 2) * PERIOD_NS
        sums = self._sums.get(account, [(0, 0)])
        held = [total for time_ns, total in sums if time_ns < start_ns][-1:] or [0]
        lately = held + [total for time_ns, total in sums if time_ns >= start_ns]
        now = sums[-1][1]
        return max(lately) - most - now, most + min(lately) - now
