"""How times are written at the public edge, and how symbols are checked."""

from datetime import UTC, datetime
from typing import Final

from schemas.errors import Refusal, Refused
from schemas.subjects import is_symbol
from schemas.units import SECOND_NS

_MICROSECOND_NS: Final = 1000


def time_of(time_ns: int) -> str:
    """Write a time in ISO 8601, to the microsecond."""
    seconds, rest = divmod(time_ns, SECOND_NS)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // _MICROSECOND_NS:06d}Z"


def checked_symbol(symbol: str) -> str:
    """Return `symbol` if it can be one; raises Refused as for one that is not listed."""
    if not is_symbol(symbol):
        raise unknown_symbol(symbol)
    return symbol


def unknown_symbol(symbol: str) -> Refused:
    return Refused(Refusal.UNKNOWN_SYMBOL, f"no market {symbol[:24]!r}")
