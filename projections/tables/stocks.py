"""stocks (EM-40): every market, as the governance engine's decisions left it."""

from collections.abc import Mapping

from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    CAUSE,
    TEXT,
    TEXT_LIST,
    Change,
    Handler,
    InOrder,
    Place,
    Projection,
    Table,
    clean,
    insert,
    patch,
)
from schemas.codec import Message
from schemas.events.governance import (
    MarketClosed,
    MarketEdited,
    MarketHalted,
    MarketListed,
    MarketResolved,
    MarketResumed,
)

TABLE = Table(
    name="stocks",
    columns={
        "symbol": TEXT,
        "name": TEXT,
        "description": TEXT,
        "market_type": TEXT,
        "subtype": TEXT,
        "region": TEXT,
        "risk_level": TEXT,
        "aliases": TEXT_LIST,
        "market_weight_bp": BIGINT,
        "reality_weight_bp": BIGINT,
        "initial_score_e2": BIGINT,
        "tick_ticks": BIGINT,
        "min_price": TEXT,
        "max_price": TEXT,
        "status": TEXT,
        "status_reason": TEXT,
        "value_ticks": BIGINT_OR_NULL,
        "created_by": TEXT,
        "listed_ns": BIGINT,
        "changed_ns": BIGINT,
        **CAUSE,
    },
    key=("symbol",),
)
"""`status` is open, halted, closed or resolved; `value_ticks` is set once resolved."""

_LIST = insert(TABLE)
_EDIT = patch(
    "edit",
    TABLE,
    (
        "name",
        "description",
        "aliases",
        "risk_level",
        "market_weight_bp",
        "reality_weight_bp",
        "changed_ns",
        "cause",
        "sequence",
    ),
)
_STATUS = patch(
    "status",
    TABLE,
    ("status", "status_reason", "value_ticks", "changed_ns", "cause", "sequence"),
)


class _Gatherer:
    def __init__(self) -> None:
        self._rows = InOrder()

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            MarketListed: self._listed,
            MarketEdited: self._edited,
            MarketHalted: self._halted,
            MarketResumed: self._resumed,
            MarketClosed: self._closed,
            MarketResolved: self._resolved,
        }

    def changes(self) -> list[Change]:
        return self._rows.changes()

    def _listed(self, event: MarketListed, at: Place) -> None:
        self._rows.add(
            _LIST,
            (
                event.symbol,
                clean(event.name),
                clean(event.description),
                event.market_type,
                clean(event.subtype),
                clean(event.region),
                event.risk_level,
                [clean(alias) for alias in event.aliases],
                event.market_weight_bp,
                event.reality_weight_bp,
                event.initial_score_e2,
                event.tick_ticks,
                clean(event.min_price),
                clean(event.max_price),
                "open",
                "",
                None,
                event.created_by,
                at.time_ns,
                at.time_ns,
                event.cause,
                at.sequence,
            ),
        )

    def _edited(self, event: MarketEdited, at: Place) -> None:
        self._rows.add(
            _EDIT,
            (
                event.symbol,
                clean(event.name),
                clean(event.description),
                [clean(alias) for alias in event.aliases],
                event.risk_level,
                event.market_weight_bp,
                event.reality_weight_bp,
                at.time_ns,
                event.cause,
                at.sequence,
            ),
        )

    def _halted(self, event: MarketHalted, at: Place) -> None:
        self._status(event.symbol, "halted", event.reason, None, event.cause, at)

    def _resumed(self, event: MarketResumed, at: Place) -> None:
        self._status(event.symbol, "open", "", None, event.cause, at)

    def _closed(self, event: MarketClosed, at: Place) -> None:
        self._status(event.symbol, "closed", event.reason, None, event.cause, at)

    def _resolved(self, event: MarketResolved, at: Place) -> None:
        self._status(event.symbol, "resolved", event.reason, event.value_ticks, event.cause, at)

    def _status(
        self, symbol: str, status: str, reason: str, value: int | None, cause: int, at: Place
    ) -> None:
        row = (symbol, status, clean(reason), value, at.time_ns, cause, at.sequence)
        self._rows.add(_STATUS, row)


PROJECTION = Projection("stocks", (TABLE,), (_LIST, _EDIT, _STATUS), _Gatherer)
