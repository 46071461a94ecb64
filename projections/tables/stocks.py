"""stocks (EM-40): every market, as the governance engine's decisions left it."""

from projections.store.collectors import AppendedInOrder
from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    CAUSE,
    TEXT,
    TEXT_LIST,
    Projection,
    Row,
    RowPosition,
    Table,
    clean,
    insert,
    patch,
)
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


def _listed(event: MarketListed, at: RowPosition) -> Row:
    return (
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
    )


def _edited(event: MarketEdited, at: RowPosition) -> Row:
    return (
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
    )


def _halted(event: MarketHalted, at: RowPosition) -> Row:
    row = (event.symbol, "halted", clean(event.reason), None)
    return (*row, at.time_ns, event.cause, at.sequence)


def _resumed(event: MarketResumed, at: RowPosition) -> Row:
    return (event.symbol, "open", "", None, at.time_ns, event.cause, at.sequence)


def _closed(event: MarketClosed, at: RowPosition) -> Row:
    row = (event.symbol, "closed", clean(event.reason), None)
    return (*row, at.time_ns, event.cause, at.sequence)


def _resolved(event: MarketResolved, at: RowPosition) -> Row:
    row = (event.symbol, "resolved", clean(event.reason), event.value_ticks)
    return (*row, at.time_ns, event.cause, at.sequence)


PROJECTION = Projection(
    "stocks",
    (TABLE,),
    (_LIST, _EDIT, _STATUS),
    lambda: [
        AppendedInOrder(
            {
                MarketListed: [(_LIST, _listed)],
                MarketEdited: [(_EDIT, _edited)],
                MarketHalted: [(_STATUS, _halted)],
                MarketResumed: [(_STATUS, _resumed)],
                MarketClosed: [(_STATUS, _closed)],
                MarketResolved: [(_STATUS, _resolved)],
            }
        )
    ],
)
