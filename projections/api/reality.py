"""Reads about articles and what followed from them, for everyone."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query

from projections.api.formatting import (
    PAGE,
    After,
    Before,
    Limit,
    PlaceCursor,
    SymbolFilter,
    checked_symbol,
    errors,
    page,
    place_of,
)
from projections.api.markets import Symbol, require_market
from projections.api.reality_models import (
    ArticlesOut,
    EventsOut,
    LlmCallsOut,
    OneEventOut,
    OneReviewOut,
    OneSourceOut,
    ReviewsOut,
    ScoreChangesOut,
    SourcesOut,
)
from projections.api.reality_rows import (
    article_out,
    assessment_out,
    audit_out,
    call_out,
    change_out,
    event_out,
    mode_out,
    review_out,
    source_out,
)
from projections.api.store import ReadStore
from schemas.errors import NotFound
from schemas.limits import MAX_PAGE_ROWS

_LAST: Final = "9223372036854775807"
_EVENTS: Final = f"""
    SELECT * FROM events WHERE symbol = $1 AND cluster < coalesce($2, {_LAST})
    ORDER BY cluster DESC LIMIT $3
"""
_ARTICLES: Final = f"""
    SELECT a.* FROM articles a
    WHERE a.article < coalesce($1, {_LAST}) {{filters}}
    ORDER BY a.article DESC LIMIT $2
"""
_ARTICLES_ABOUT: Final = f"""
    SELECT a.* FROM event_articles e JOIN articles a USING (article)
    WHERE e.article < coalesce($1, {_LAST}) AND e.symbol = $3 {{filters}}
    ORDER BY e.article DESC LIMIT $2
"""
_ASSESSMENTS: Final = """
    SELECT e.*, a.title, a.url, a.published_ns, a.observed_ns
    FROM event_articles e JOIN articles a USING (article)
    WHERE e.event_id = $1 ORDER BY e.article DESC LIMIT $2
"""
_REVIEWS: Final = """
    SELECT * FROM reviews WHERE (opened, ordinal) < ($1, $2) {filters}
    ORDER BY opened DESC, ordinal DESC LIMIT $3
"""
_CHANGES: Final = """
    SELECT * FROM score_changes WHERE (sequence, ordinal) < ($1, $2) {filters}
    ORDER BY sequence DESC, ordinal DESC LIMIT $3
"""
_CALLS: Final = f"""
    SELECT * FROM llm_calls WHERE call < coalesce($1, {_LAST}) ORDER BY call DESC LIMIT $2
"""
_SOURCES: Final = """
    SELECT * FROM sources WHERE source COLLATE "C" > $1
    ORDER BY source COLLATE "C" LIMIT $2
"""

Id = Annotated[str, Path(max_length=64, pattern=r"^[!-~]*$")]


def create_reality_router(store: ReadStore) -> APIRouter:
    """Return the routes by which anyone can see what moved a score, and what may yet."""
    router = APIRouter(tags=["reality"])
    _add_events(router, store)
    _add_articles(router, store)
    _add_reviews(router, store)
    return router


def _add_events(router: APIRouter, store: ReadStore) -> None:
    @router.get("/market/{symbol}/events", summary="Events", responses=errors(404))
    async def events(symbol: Symbol, limit: Limit = PAGE, before: Before = None) -> EventsOut:
        """List what clusters of articles mean for a market; the cursor is a cluster."""
        async with store.reading() as reading:
            await require_market(reading, symbol)
            found = await reading.all(_EVENTS, (symbol, before, limit + 1))
            rows, more = page(found, limit)
            return EventsOut(
                sequence=reading.sequence,
                symbol=symbol,
                events=[event_out(row) for row in rows],
                next=str(rows[-1]["cluster"]) if more else None,
            )

    @router.get("/events/{event_id}", summary="One event", responses=errors(404))
    async def event(event_id: Id) -> OneEventOut:
        """Return an event with its articles, the LLM's calls, reviews and score changes."""
        async with store.reading() as reading:
            row = await reading.one("SELECT * FROM events WHERE event_id = $1", (event_id,))
            if row is None:
                raise NotFound(f"there is no event {event_id}")

            async def of_it(query: str) -> list[dict[str, Any]]:
                return await reading.all(query, (event_id, MAX_PAGE_ROWS))

            calls = await of_it(
                "SELECT * FROM llm_calls WHERE request_id = $1 ORDER BY call DESC LIMIT $2"
            )
            reviews = await of_it(
                "SELECT * FROM reviews WHERE event_id = $1 "
                "ORDER BY opened DESC, ordinal DESC LIMIT $2"
            )
            changes = await of_it(
                "SELECT * FROM score_changes WHERE event_id = $1 "
                "ORDER BY sequence DESC, ordinal DESC LIMIT $2"
            )
            return OneEventOut(
                sequence=reading.sequence,
                event=event_out(row),
                articles=[assessment_out(one) for one in await of_it(_ASSESSMENTS)],
                llm_calls=[call_out(one) for one in calls],
                reviews=[review_out(one) for one in reviews],
                score_changes=[change_out(one) for one in changes],
            )

    @router.get("/score-changes", summary="Moves of RealityScores", responses=errors(400))
    async def score_changes(
        symbol: SymbolFilter = None, limit: Limit = PAGE, before: PlaceCursor = None
    ) -> ScoreChangesOut:
        """List every move of a score, the newest first; the cursor is a change id."""
        cursor = place_of(before)
        filters, params = _symbol_filter(symbol)
        async with store.reading() as reading:
            query = _CHANGES.format(filters=filters)
            rows, more = page(await reading.all(query, (*cursor, limit + 1, *params)), limit)
            changes = [change_out(row) for row in rows]
            return ScoreChangesOut(
                sequence=reading.sequence,
                changes=changes,
                next=changes[-1].change_id if more else None,
            )

    @router.get("/llm-calls", summary="What the LLM was asked and said", responses=errors())
    async def llm_calls(limit: Limit = PAGE, before: Before = None) -> LlmCallsOut:
        """List the LLM's calls, the newest first; the cursor is a call."""
        async with store.reading() as reading:
            rows, more = page(await reading.all(_CALLS, (before, limit + 1)), limit)
            mode = await reading.one("SELECT * FROM llm_mode")
            return LlmCallsOut(
                sequence=reading.sequence,
                mode=None if mode is None else mode_out(mode),
                calls=[call_out(row) for row in rows],
                next=str(rows[-1]["call"]) if more else None,
            )


def _add_articles(router: APIRouter, store: ReadStore) -> None:
    @router.get("/articles", summary="Articles", responses=errors())
    async def articles(
        source: Annotated[str | None, Query(max_length=64, pattern=r"^[!-~]*$")] = None,
        symbol: SymbolFilter = None,
        limit: Limit = PAGE,
        before: Before = None,
    ) -> ArticlesOut:
        """List articles, the newest first, with what became of each; the cursor is an article.

        With `symbol` only those that were assessed for it.
        """
        _, about = _symbol_filter(symbol)
        query = _ARTICLES_ABOUT if about else _ARTICLES
        params: list[Any] = [before, limit + 1, *about]
        filters = ""
        if source is not None:
            params.append(source)
            filters = f"AND a.source = ${len(params)}"
        async with store.reading() as reading:
            rows, more = page(await reading.all(query.format(filters=filters), params), limit)
            return ArticlesOut(
                sequence=reading.sequence,
                articles=[article_out(row) for row in rows],
                next=str(rows[-1]["article"]) if more else None,
            )

    @router.get("/sources", summary="Where articles come from", responses=errors())
    async def sources(limit: Limit = PAGE, after: After = None) -> SourcesOut:
        """List all sources by id, with their trust and how fetching them goes."""
        async with store.reading() as reading:
            rows, more = page(await reading.all(_SOURCES, (after or "", limit + 1)), limit)
            return SourcesOut(
                sequence=reading.sequence,
                sources=[source_out(row) for row in rows],
                next=rows[-1]["source"] if more else None,
            )

    @router.get("/sources/{source}", summary="One source", responses=errors(404))
    async def source(source: Id) -> OneSourceOut:
        async with store.reading() as reading:
            row = await reading.one("SELECT * FROM sources WHERE source = $1", (source,))
            if row is None:
                raise NotFound(f"there is no source {source}")
            return OneSourceOut(sequence=reading.sequence, source=source_out(row))


def _add_reviews(router: APIRouter, store: ReadStore) -> None:
    @router.get("/reviews", summary="Moves that wait for a person", responses=errors(400))
    async def reviews(
        state: Annotated[
            Literal["open", "approved", "rejected", "expired", "withdrawn"] | None,
            Query(description="Only reviews that stand like this."),
        ] = None,
        symbol: SymbolFilter = None,
        limit: Limit = PAGE,
        before: PlaceCursor = None,
    ) -> ReviewsOut:
        """List reviews, the last opened first; give `next` back as `before`."""
        cursor = place_of(before)
        filters, params = _symbol_filter(symbol)
        if state is not None:
            filters += f" AND status = '{state}'"
        async with store.reading() as reading:
            query = _REVIEWS.format(filters=filters)
            rows, more = page(await reading.all(query, (*cursor, limit + 1, *params)), limit)
            last = f"{rows[-1]['opened']}-{rows[-1]['ordinal']}" if more else None
            return ReviewsOut(
                sequence=reading.sequence, reviews=[review_out(row) for row in rows], next=last
            )

    @router.get("/reviews/{proposal_hash}", summary="One review", responses=errors(404))
    async def review(proposal_hash: Id) -> OneReviewOut:
        """Return one review, and once it is over what the audit keeps of it."""
        async with store.reading() as reading:
            query = "SELECT * FROM reviews WHERE proposal_hash = $1"
            row = await reading.one(query, (proposal_hash,))
            if row is None:
                raise NotFound(f"there is no review {proposal_hash}")
            query = "SELECT * FROM llm_audit WHERE proposal_hash = $1"
            audit = await reading.one(query, (proposal_hash,))
            return OneReviewOut(
                sequence=reading.sequence,
                review=review_out(row),
                audit=None if audit is None else audit_out(audit),
            )


def _symbol_filter(symbol: str | None) -> tuple[str, tuple[str, ...]]:
    """Return a condition and its parameter, of which there are none without a symbol."""
    if symbol is None:
        return "", ()
    return "AND symbol = $4", (checked_symbol(symbol),)
