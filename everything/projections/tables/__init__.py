"""The list of read models. To add one: a file that exports PROJECTION, and a line here.

The order is the order of writing within a batch: `books` reads what `orders` wrote.
"""

from typing import Final

from everything.projections.store.shape import Projection
from everything.projections.tables import (
    accounts,
    audit_events,
    bars,
    books,
    credits,  # noqa: A004 - named for its table
    decisions,
    keys,
    orders,
    positions,
    scores,
    seals,
    stocks,
    trade_history,
    venue,
)

PROJECTIONS: Final[tuple[Projection, ...]] = (
    venue.PROJECTION,
    keys.PROJECTION,
    audit_events.PROJECTION,
    decisions.PROJECTION,
    stocks.PROJECTION,
    accounts.PROJECTION,
    credits.PROJECTION,
    orders.PROJECTION,
    books.PROJECTION,
    trade_history.PROJECTION,
    positions.PROJECTION,
    bars.PROJECTION,
    scores.PROJECTION,
    seals.PROJECTION,
)
