"""What `GET /search` asks for, as conditions of a query on a market `s` (EM-117)."""

from decimal import Decimal
from typing import Annotated, Final, Literal

from fastapi import Query

from projections.api.page import Conditions
from projections.api.store import ReadView
from schemas.units import DAY_NS, HOUR_NS, WEIGHT_ONE_BP

Word = Annotated[
    str | None, Query(max_length=120, pattern=r"^[^\x00-\x1f]*$", examples=["politics"])
]
Recency = Annotated[
    Literal["1h", "24h", "7d", "30d"] | None,
    Query(description="Only markets with an event that changed within this long, in log time."),
]
SourceReputation = Annotated[
    str | None,
    Query(
        pattern=r"^(0(\.[0-9]{1,4})?|1(\.0{1,4})?)$",
        description="Least mean trust of the sources of the events, of recent ones with `recency`.",
        examples=["0.7"],
    ),
]

_SPANS_NS: Final = {"1h": HOUR_NS, "24h": DAY_NS, "7d": 7 * DAY_NS, "30d": 30 * DAY_NS}
_TYPED: Final = "lower(translate({}, '‘’“”‐‑\u00a0', $$''\"\"-- $$))"
"""A text as a keyboard writes it: nobody types the quotes and hyphens that publishers use."""
_ASKED: Final = _TYPED.format("{0}")
_FOUND: Final = tuple(
    f"strpos({_TYPED.format(one)}, {_ASKED}) > 0" for one in ("s.symbol", "s.name", "a")
)
_WORDS: Final = (
    f"({_FOUND[0]} OR {_FOUND[1]} OR EXISTS (SELECT 1 FROM unnest(s.aliases) a WHERE {_FOUND[2]}))"
)
_SINCE: Final = "SELECT 1 FROM events e WHERE e.symbol = s.symbol AND e.changed_ns >= {}"
_TRUST: Final = "SELECT avg(e.trust_bp) FROM events e WHERE e.symbol = s.symbol"


def with_words(where: Conditions, q: str | None) -> None:
    """Ask for markets with `q` in symbol, name or an alias."""
    if q:
        where.add(_WORDS, q)


async def about_events(
    where: Conditions, view: ReadView, recency: str | None, source_reputation: str | None
) -> None:
    """Ask for markets with recent events, or with events from trusted sources, or both."""
    since = None
    if recency is not None:
        since = await view.log_time_ns() - _SPANS_NS[recency]
        where.add(f"EXISTS ({_SINCE})", since)
    if source_reputation is None:
        return
    least_bp = int(Decimal(source_reputation) * WEIGHT_ONE_BP)
    if since is None:
        where.add(f"({_TRUST}) >= {{}}", least_bp)
    else:
        where.add(f"({_TRUST} AND e.changed_ns >= {{}}) >= {{}}", since, least_bp)
