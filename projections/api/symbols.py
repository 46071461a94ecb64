"""Symbols as parameters of queries."""

from typing import Annotated

from fastapi import Path, Query

from schemas.errors import Refusal, Refused
from schemas.subjects import is_symbol

Symbol = Annotated[str, Path(max_length=64, examples=["RAIN-OSLO"])]
SymbolFilter = Annotated[str | None, Query(max_length=64, examples=["RAIN-OSLO"])]


def checked_symbol(symbol: str) -> str:
    """Return `symbol` if it can be one; raises Refused as for one that is not listed."""
    if not is_symbol(symbol):
        raise unknown_symbol(symbol)
    return symbol


def unknown_symbol(symbol: str) -> Refused:
    return Refused(Refusal.UNKNOWN_SYMBOL, f"no market {symbol[:24]!r}")
