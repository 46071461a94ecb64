"""The list of read models. To add one: a file that exports PROJECTION, and a line here.

The order is the order of writing within a batch: `books` reads what `orders` wrote, `events`
and `reviews` what `articles` and `llm_calls` did, `source_ledger` what `reviews` did.
"""

from typing import Final

from projections.store.projection import Projection
from projections.tables import (
    accounts,
    articles,
    audit_events,
    bars,
    books,
    credits,  # noqa: A004 - named for its table
    decisions,
    events,
    jobs,
    keys,
    llm_calls,
    orders,
    positions,
    reviews,
    score_changes,
    scores,
    seals,
    source_ledger,
    sources,
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
    sources.PROJECTION,
    jobs.PROJECTION,
    articles.PROJECTION,
    llm_calls.PROJECTION,
    events.PROJECTION,
    score_changes.PROJECTION,
    reviews.PROJECTION,
    source_ledger.PROJECTION,
    seals.PROJECTION,
)
