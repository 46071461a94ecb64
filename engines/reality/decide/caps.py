"""Decide: how far a score may still move without a signature."""

from typing import NamedTuple

from engines.reality.state import State
from schemas.events.reality import UnsignedCap
from schemas.units import DAY_NS, WEEK_NS, WEIGHT_ONE_BP


class Left(NamedTuple):
    """What is left of one cap."""

    cap: UnsignedCap
    cap_e2: int
    used_e2: int

    @property
    def left_e2(self) -> int:
        return max(self.cap_e2 - self.used_e2, 0)

    @property
    def is_used_up_by_all(self) -> bool:
        """Tell whether nothing is left although the source itself could still move the symbol."""
        return not self.left_e2 and self.cap in ("symbol_day", "symbol_week")


def tightest(state: State, symbol: str, source: str, now_ns: int) -> Left | None:
    """Return the cap that leaves least for `source` to move `symbol` by, None for no cap.

    Of caps that leave the same, a source's own comes before those of all sources.
    """
    unsigned, moved = state.persisted.unsigned, state.persisted.moved
    found: list[Left] = []
    if unsigned.source_symbol_day_e2:
        cap_e2 = _trusted_e2(state, source, unsigned.source_symbol_day_e2, now_ns)
        used_e2 = moved.of_pair_e2(source, symbol, now_ns - DAY_NS)
        found.append(Left("source_symbol_day", cap_e2, used_e2))
    if unsigned.source_day_e2:
        cap_e2 = _trusted_e2(state, source, unsigned.source_day_e2, now_ns)
        found.append(Left("source_day", cap_e2, moved.of_source_e2(source, now_ns - DAY_NS)))
    sensitive = state.persisted.scores[symbol].sensitive
    cap_e2 = unsigned.sensitive_symbol_day_e2 if sensitive else unsigned.symbol_day_e2
    if cap_e2:
        found.append(Left("symbol_day", cap_e2, moved.of_symbol_e2(symbol, now_ns - DAY_NS)))
    if unsigned.symbol_week_e2:
        used_e2 = moved.of_symbol_e2(symbol, now_ns - WEEK_NS)
        found.append(Left("symbol_week", unsigned.symbol_week_e2, used_e2))
    return min(found, key=_left_e2) if found else None


def _left_e2(left: Left) -> int:
    return left.left_e2


def _trusted_e2(state: State, source: str, cap_e2: int, now_ns: int) -> int:
    """Return a cap times the source's trust, rounded down; a new source has a part of that."""
    unsigned, known = state.persisted.unsigned, state.persisted.sources[source]
    is_new = (
        now_ns - known.since_ns < unsigned.new_source_ns
        or known.judged < unsigned.new_source_articles
    )
    share_bp = unsigned.new_source_bp if is_new else WEIGHT_ONE_BP
    return cap_e2 * known.trust_bp * share_bp // WEIGHT_ONE_BP**2
