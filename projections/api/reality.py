"""Queries about articles and what followed from them, for everyone."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query

from projections.api.context import AsOf, Reads
from projections.api.markets import require_market
from projections.api.page import Conditions, DayPage, NamePage, NumberPage, PositionPage
from projections.api.reality_models import (
    ArticleOut,
    ArticlesOut,
    AssessmentOut,
    EventOut,
    EventsOut,
    FetchOut,
    LedgerDayOut,
    LlmCallOut,
    LlmCallsOut,
    LlmModeOut,
    OneEventOut,
    OneReviewOut,
    OneSourceOut,
    ReviewAuditOut,
    ReviewOut,
    ReviewsOut,
    ScoreChangeOut,
    ScoreChangesOut,
    SourceLedgerOut,
    SourceOut,
    SourcesOut,
    WithoutSourceOut,
    WithoutSourcesOut,
)
from projections.api.store import ReadView, Row
from projections.api.symbols import Symbol, SymbolFilter, checked_symbol
from schemas.errors import NotFound
from schemas.http import QUERY_ERRORS, errors
from schemas.limits import MAX_PAGE_ROWS
from schemas.units import SCORE_MAX_E2

_ARTICLES: Final = "SELECT a.* FROM articles a"
_ARTICLES_ABOUT: Final = "SELECT a.* FROM event_articles e JOIN articles a USING (article)"
_ASSESSMENTS: Final = """
    SELECT e.*, a.title, a.url, a.published_ns, a.observed_ns
    FROM event_articles e JOIN articles a USING (article)
    WHERE e.event_id = $1 ORDER BY e.article DESC LIMIT $2
"""
_CALLS_OF_EVENT: Final = """
    SELECT * FROM llm_calls WHERE request_id = $1 ORDER BY call DESC LIMIT $2
"""
_REVIEWS_OF_EVENT: Final = """
    SELECT * FROM reviews WHERE event_id = $1 ORDER BY opened DESC, ordinal DESC LIMIT $2
"""
_CHANGES_OF_EVENT: Final = """
    SELECT * FROM score_changes WHERE event_id = $1 ORDER BY sequence DESC, ordinal DESC LIMIT $2
"""

_WITHOUT: Final = f"""
    SELECT * FROM (
        SELECT t.source, t.symbol, t.moved_e2, s.reality_score_e2 AS score_e2,
            least(greatest(s.reality_score_e2 - t.moved_e2, 0), {SCORE_MAX_E2}) AS without_e2
        FROM (
            SELECT source, symbol,
                sum(unsigned_e2 + approved_e2 + taken_back_e2)::bigint AS moved_e2
            FROM source_ledger GROUP BY source, symbol
        ) t JOIN scores s USING (symbol)
    ) t
"""

Id = Annotated[str, Path(max_length=64, pattern=r"^[!-~]*$")]
SourceFilter = Annotated[str | None, Query(max_length=64, pattern=r"^[!-~]*$")]
ReviewState = Annotated[
    Literal["open", "approved", "rejected", "expired", "withdrawn"] | None,
    Query(description="Only reviews that stand like this."),
]

router: Final = APIRouter(tags=["reality"])


@router.get("/market/{symbol}/events", summary="Events", responses=errors(*QUERY_ERRORS))
async def events(reads: Reads, page: NumberPage, symbol: Symbol) -> EventsOut:
    """List what clusters of articles mean for a market; the cursor is a cluster."""
    where = Conditions().add("symbol = {} AND cluster < {}", symbol, page.cursor)
    async with reads.view(page.at) as view:
        await require_market(view, symbol)
        found = await page.read(view, "SELECT * FROM events", where, "cluster DESC")
        return EventsOut(
            sequence=view.sequence,
            symbol=symbol,
            events=[EventOut.from_row(row) for row in found.rows],
            next=found.next(lambda row: str(row["cluster"])),
        )


@router.get("/events/{event_id}", summary="One event", responses=errors(*QUERY_ERRORS))
async def event(reads: Reads, at: AsOf, event_id: Id) -> OneEventOut:
    """Return an event with its articles, the LLM's calls, reviews and score changes."""
    async with reads.view(at) as view:
        row = await view.one("SELECT * FROM events WHERE event_id = $1", (event_id,))
        if row is None:
            raise NotFound(f"there is no event {event_id}")
        of_it = (event_id, MAX_PAGE_ROWS)
        return OneEventOut(
            sequence=view.sequence,
            event=EventOut.from_row(row),
            articles=[AssessmentOut.from_row(one) for one in await view.all(_ASSESSMENTS, of_it)],
            llm_calls=[LlmCallOut.from_row(one) for one in await view.all(_CALLS_OF_EVENT, of_it)],
            reviews=[ReviewOut.from_row(one) for one in await view.all(_REVIEWS_OF_EVENT, of_it)],
            score_changes=[_change(one) for one in await view.all(_CHANGES_OF_EVENT, of_it)],
        )


@router.get(
    "/score-changes", summary="Moves of RealityScores", responses=errors(*QUERY_ERRORS, 400)
)
async def score_changes(
    reads: Reads, page: PositionPage, symbol: SymbolFilter = None
) -> ScoreChangesOut:
    """List every move of a score, the newest first; the cursor is a change id."""
    where = Conditions().add("(sequence, ordinal) < ({}, {})", *page.cursor)
    _about(where, symbol)
    async with reads.view(page.at) as view:
        query = "SELECT * FROM score_changes"
        found = await page.read(view, query, where, "sequence DESC, ordinal DESC")
        return ScoreChangesOut(
            sequence=view.sequence,
            changes=[_change(row) for row in found.rows],
            next=found.next(_change_id),
        )


@router.get(
    "/llm-calls", summary="What the LLM was asked and said", responses=errors(*QUERY_ERRORS)
)
async def llm_calls(reads: Reads, page: NumberPage) -> LlmCallsOut:
    """List the LLM's calls, the newest first; the cursor is a call."""
    where = Conditions().add("call < {}", page.cursor)
    async with reads.view(page.at) as view:
        found = await page.read(view, "SELECT * FROM llm_calls", where, "call DESC")
        mode = await view.one("SELECT * FROM llm_mode")
        return LlmCallsOut(
            sequence=view.sequence,
            mode=None if mode is None else LlmModeOut.from_row(mode),
            calls=[LlmCallOut.from_row(row) for row in found.rows],
            next=found.next(lambda row: str(row["call"])),
        )


@router.get("/articles", summary="Articles", responses=errors(*QUERY_ERRORS))
async def articles(
    reads: Reads, page: NumberPage, source: SourceFilter = None, symbol: SymbolFilter = None
) -> ArticlesOut:
    """List articles, the newest first, with what became of each; the cursor is an article.

    With `symbol` only those that were assessed for it.
    """
    table, select = ("a", _ARTICLES) if symbol is None else ("e", _ARTICLES_ABOUT)
    where = Conditions().add(f"{table}.article < {{}}", page.cursor).equal("a.source", source)
    _about(where, symbol)
    async with reads.view(page.at) as view:
        found = await page.read(view, select, where, f"{table}.article DESC")
        return ArticlesOut(
            sequence=view.sequence,
            articles=[ArticleOut.from_row(row) for row in found.rows],
            next=found.next(lambda row: str(row["article"])),
        )


@router.get("/sources", summary="Where articles come from", responses=errors(*QUERY_ERRORS))
async def sources(reads: Reads, page: NamePage) -> SourcesOut:
    """List all sources by id, with their trust and how fetching them goes."""
    where = Conditions().add('source COLLATE "C" > {}', page.cursor)
    async with reads.view(page.at) as view:
        found = await page.read(view, "SELECT * FROM sources", where, 'source COLLATE "C"')
        return SourcesOut(
            sequence=view.sequence,
            sources=[_source(row) for row in found.rows],
            next=found.next(lambda row: str(row["source"])),
        )


@router.get("/sources/{source}", summary="One source", responses=errors(*QUERY_ERRORS))
async def source(reads: Reads, at: AsOf, source: Id) -> OneSourceOut:
    async with reads.view(at) as view:
        row = await _require_source(view, source)
        return OneSourceOut(sequence=view.sequence, source=_source(row))


@router.get(
    "/sources/{source}/ledger",
    summary="What a source moved, day by day",
    responses=errors(*QUERY_ERRORS, 400),
)
async def source_ledger(
    reads: Reads, page: DayPage, source: Id, symbol: SymbolFilter = None
) -> SourceLedgerOut:
    """List what a source did to each symbol on each day, the last day first."""
    day, behind = page.cursor
    where = Conditions().equal("source", source)
    where.add('(day < {} OR (day = {} AND symbol COLLATE "C" > {}))', day, day, behind)
    _about(where, symbol)
    async with reads.view(page.at) as view:
        await _require_source(view, source)
        query = "SELECT * FROM source_ledger"
        found = await page.read(view, query, where, 'day DESC, symbol COLLATE "C"')
        return SourceLedgerOut(
            sequence=view.sequence,
            source=source,
            days=[LedgerDayOut.from_row(row) for row in found.rows],
            next=found.next(lambda row: f"{row['day']}-{row['symbol']}"),
        )


@router.get(
    "/sources/{source}/ledger/symbols",
    summary="Scores less what a source moved them",
    responses=errors(*QUERY_ERRORS),
)
async def without_source(reads: Reads, page: NamePage, source: Id) -> WithoutSourcesOut:
    """List the scores that a source moved, and what they would be without its moves, by sums."""
    where = Conditions().add('symbol COLLATE "C" > {}', page.cursor).equal("source", source)
    async with reads.view(page.at) as view:
        await _require_source(view, source)
        found = await page.read(view, _WITHOUT, where, 'symbol COLLATE "C"')
        return WithoutSourcesOut(
            sequence=view.sequence,
            source=source,
            symbols=[WithoutSourceOut.from_row(row) for row in found.rows],
            next=found.next(lambda row: str(row["symbol"])),
        )


@router.get(
    "/reviews", summary="Moves that wait for a person", responses=errors(*QUERY_ERRORS, 400)
)
async def reviews(
    reads: Reads, page: PositionPage, state: ReviewState = None, symbol: SymbolFilter = None
) -> ReviewsOut:
    """List reviews, the last opened first; give `next` back as `before`."""
    where = Conditions().add("(opened, ordinal) < ({}, {})", *page.cursor)
    _about(where, symbol)
    where.status(state)
    async with reads.view(page.at) as view:
        found = await page.read(view, "SELECT * FROM reviews", where, "opened DESC, ordinal DESC")
        return ReviewsOut(
            sequence=view.sequence,
            reviews=[ReviewOut.from_row(row) for row in found.rows],
            next=found.next(lambda row: f"{row['opened']}-{row['ordinal']}"),
        )


@router.get("/reviews/{proposal_hash}", summary="One review", responses=errors(*QUERY_ERRORS))
async def review(reads: Reads, at: AsOf, proposal_hash: Id) -> OneReviewOut:
    """Return one review, and once it is over what the audit keeps of it."""
    async with reads.view(at) as view:
        query = "SELECT * FROM reviews WHERE proposal_hash = $1"
        row = await view.one(query, (proposal_hash,))
        if row is None:
            raise NotFound(f"there is no review {proposal_hash}")
        query = "SELECT * FROM llm_audit WHERE proposal_hash = $1"
        audit = await view.one(query, (proposal_hash,))
        return OneReviewOut(
            sequence=view.sequence,
            review=ReviewOut.from_row(row),
            audit=None if audit is None else ReviewAuditOut.from_row(audit),
        )


async def _require_source(view: ReadView, source: str) -> Row:
    row = await view.one("SELECT * FROM sources WHERE source = $1", (source,))
    if row is None:
        raise NotFound(f"there is no source {source}")
    return row


def _about(where: Conditions, symbol: str | None) -> None:
    if symbol is not None:
        where.equal("symbol", checked_symbol(symbol))


def _change_id(row: Row) -> str:
    return f"{row['sequence']}-{row['ordinal']}"


def _change(row: Row) -> ScoreChangeOut:
    return ScoreChangeOut.from_row(row, change_id=_change_id(row))


def _source(row: Row) -> SourceOut:
    fetched = None if row["last_outcome"] is None else FetchOut.from_row(row)
    return SourceOut.from_row(row, last_fetch=fetched)
