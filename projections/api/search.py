"""What `GET /search` asks for, as conditions of a query (EM-117)."""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from fastapi import Query

from projections.api.store import Reading
from schemas.units import DAY_NS, HOUR_NS, WEIGHT_ONE_BP

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
_WORDS: Final = (
    "(strpos(lower(s.symbol), lower({0})) > 0 OR strpos(lower(s.name), lower({0})) > 0 "
    "OR EXISTS (SELECT 1 FROM unnest(s.aliases) a WHERE strpos(lower(a), lower({0})) > 0))"
)
_SINCE: Final = "SELECT 1 FROM events e WHERE e.symbol = s.symbol AND e.changed_ns >= {}"
_TRUST: Final = "SELECT avg(e.trust_bp) FROM events e WHERE e.symbol = s.symbol"


class Conditions:
    """Conditions on a market `s`, and their parameters."""

    def __init__(self, after: str | None) -> None:
        self.params: list[Any] = []
        self._texts: list[str] = []
        self.add('s.symbol COLLATE "C" > {}', after or "")

    @property
    def text(self) -> str:
        return " AND ".join(self._texts)

    def add(self, text: str, *params: Any) -> None:
        """Ask for one thing more; `text` is this package's own, with `{}` for each parameter."""
        self._texts.append(text.format(*map(self.parameter, params)))

    def parameter(self, value: Any) -> str:
        """Add a parameter to the query and return what stands for it there."""
        self.params.append(value)
        return f"${len(self.params)}"

    def equal(self, wanted: dict[str, str | None]) -> None:
        for column, value in wanted.items():
            if value is not None:
                self.add(f"s.{column} = {{}}", value)

    def words(self, q: str | None) -> None:
        if q:
            self.add(_WORDS, q)

    async def events(
        self, reading: Reading, recency: str | None, source_reputation: str | None
    ) -> None:
        """Ask for markets with recent events, or with events from trusted sources, or both."""
        since = None
        if recency is not None:
            since = await reading.log_time_ns() - _SPANS_NS[recency]
            self.add(f"EXISTS ({_SINCE})", since)
        if source_reputation is None:
            return
        least_bp = int(Decimal(source_reputation) * WEIGHT_ONE_BP)
        if since is None:
            self.add(f"({_TRUST}) >= {{}}", least_bp)
        else:
            self.add(f"({_TRUST} AND e.changed_ns >= {{}}) >= {{}}", since, least_bp)
