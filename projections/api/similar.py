"""Search by meaning: what is like a question, an article, an event or a market."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple

import structlog
from fastapi import APIRouter, Query
from pydantic import Field

from projections.api.context import AsOf, Caller, ReadContext, Reads
from projections.api.models import AsOfSequence
from projections.api.similar_port import SimilarPort
from projections.api.store import NOW, At, ReadView, Row
from projections.api.symbols import checked_symbol, unknown_symbol
from projections.limits import SEARCH_FLOOR_BP, SEARCH_RANK_CONSTANT, SEARCH_WORD_ROWS
from schemas.asks import KINDS, Kind, SimilarAsked
from schemas.errors import InputError, NotFound, OperatingError
from schemas.http import MAX_INT64, QUERY_ERRORS, Out, errors
from schemas.limits import MAX_QUESTION_CHARS, MAX_SIMILAR
from schemas.units import to_fraction

_DOCUMENTS: Final[Mapping[Kind, str]] = {
    "article": "to_tsvector('english', title)",
    "event": "to_tsvector('english', summary)",
    "market": "to_tsvector('english', concat_ws(' ', symbol, name, description, "
    "array_to_string(aliases, ' ')))",
}
"""What a thing's words are. That of an article is the expression of the table's index."""
_TABLES: Final[Mapping[Kind, tuple[str, str]]] = {
    "article": ("articles", "article"),
    "event": ("events", "event_id"),
    "market": ("stocks", "symbol"),
}
_WORDS: Final = """
    SELECT {key} AS id, ts_rank({document}, asked) AS rank
    FROM {table} CROSS JOIN (
        SELECT replace(plainto_tsquery('english', $1)::text, '&', '|')::tsquery AS asked
    ) question
    WHERE {document} @@ asked AND {condition}
    ORDER BY rank DESC, {key} LIMIT $2
"""
_SHOWN: Final[Mapping[Kind, str]] = {
    "article": "SELECT article AS id, title, NULL AS symbol FROM articles "
    "WHERE article = ANY($1::bigint[])",
    "event": "SELECT event_id AS id, summary AS title, symbol FROM events "
    "WHERE event_id = ANY($1::text[])",
    "market": "SELECT symbol AS id, name AS title, symbol FROM stocks "
    "WHERE symbol = ANY($1::text[])",
}

_log = structlog.get_logger(__name__)

ThingKey = tuple[Kind, str]


class SimilarThingOut(Out):
    """Something that is alike; `similarity` is null where only words match."""

    kind: Kind
    id: Annotated[str, Field(description="The article's sequence, the event's id, or the symbol.")]
    title: Annotated[str, Field(description="Title, summary or name.")]
    symbol: Annotated[str | None, Field(description="The market that it is, or is about.")]
    similarity: Annotated[str | None, Field(description="Cosine.", examples=["0.7310"])]
    matched: list[Literal["meaning", "words"]]


class SimilarOut(Out):
    """What is alike, the most alike first."""

    sequence: AsOfSequence
    degraded: Annotated[
        Literal["words"] | None,
        Field(description="`words`: nothing could be compared by meaning, only by words."),
    ]
    results: list[SimilarThingOut]


Question = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=MAX_QUESTION_CHARS,
        pattern=r"^[^\x00]*$",
        description="A question in English.",
        examples=["will it rain in Oslo"],
    ),
]
ArticleNumber = Annotated[
    int | None, Query(ge=1, le=MAX_INT64, description="What is like this article?")
]
EventName = Annotated[
    str | None,
    Query(max_length=64, pattern=r"^[!-~]*$", description="What is like this event?"),
]
MarketName = Annotated[str | None, Query(max_length=64, description="What is like this market?")]
KindFilter = Annotated[Kind | None, Query(description="Only things of this kind.")]
Most = Annotated[int, Query(ge=1, le=MAX_SIMILAR, description="Results at most.")]


class _Seed(NamedTuple):
    """What a request asks about: its words, and the thing that they are of."""

    words: str
    thing: ThingKey | None


router: Final = APIRouter(tags=["markets"])


@router.get("/search/similar", summary="Search by meaning", responses=errors(*QUERY_ERRORS))
async def similar(
    reads: Reads,
    caller: Caller,
    at: AsOf,
    q: Question = None,
    article: ArticleNumber = None,
    event: EventName = None,
    market: MarketName = None,
    kind: KindFilter = None,
    limit: Most = 20,
) -> SimilarOut:
    """Find articles, events and markets that are like a question, an article, an event or a
    market: give exactly one of `q`, `article`, `event` and `market`.

    Things are ranked twice, by the cosine of their embeddings and by the words that they share,
    and each gets 1/(60 + rank) for both (reciprocal rank fusion). With `at` only what was
    measured up to there counts, and titles are as they were. Where nothing can be compared by
    meaning (no model, no index, or the thing was not measured), `degraded` is `words`. A network
    may ask 30 times a minute.
    """
    number = None if article is None else str(article)
    every: tuple[tuple[Kind | None, str | None], ...] = (
        (None, q),
        ("article", number),
        ("event", event),
        ("market", market),
    )
    given = [(kind_of, value) for kind_of, value in every if value is not None]
    if len(given) != 1:
        raise InputError("give exactly one of q, article, event and market")
    reads.admit_search(caller)
    asked = await _seed_of(reads, at, *given[0])
    kinds: tuple[Kind, ...] = KINDS if kind is None else (kind,)
    meant = await _meant(reads.similar, asked, kinds, at)
    old = await _old_articles(reads, asked, kinds, at)
    async with reads.view(at) as view:
        words = await _by_words(view, old, asked, kinds)
        ranked = fused([*(meant or {})], words)
        shown = await _shown(view, ranked[: 2 * limit])
        return SimilarOut(
            sequence=view.sequence,
            degraded="words" if meant is None else None,
            results=[_thing(key, shown[key], meant or {}, words) for key in ranked if key in shown][
                :limit
            ],
        )


def fused(meant: Sequence[ThingKey], words: Sequence[ThingKey]) -> list[ThingKey]:
    """Return what stands in two rankings by reciprocal rank fusion (Cormack et al., 2009)."""
    scores: dict[ThingKey, float] = {}
    for ranking in (meant, words):
        for rank, key in enumerate(ranking, start=1):
            scores[key] = scores.get(key, 0.0) + 1 / (SEARCH_RANK_CONSTANT + rank)
    return sorted(scores, key=lambda key: -scores[key])


async def _seed_of(reads: ReadContext, at: At, kind: Kind | None, value: str) -> _Seed:
    """Return what is asked about. Raises NotFound or Refused for a thing that is not there."""
    if kind is None:
        return _Seed(value, None)
    if kind == "market":
        checked_symbol(value)
    name: Any = int(value) if kind == "article" else value
    async with reads.view(at) as view:
        row = await view.one(_SHOWN[kind], ([name],))
    if row is None:
        raise unknown_symbol(value) if kind == "market" else NotFound(f"no {kind} {value!r}")
    return _Seed(str(row["title"])[:MAX_QUESTION_CHARS], (kind, value))


async def _meant(
    port: SimilarPort | None, asked: _Seed, kinds: tuple[Kind, ...], at: At
) -> dict[ThingKey, int] | None:
    """Return what is alike by meaning, most alike first, None where that cannot be told."""
    if port is None:
        return None
    text = asked.words if asked.thing is None else ""
    try:
        told = await port.similar(
            SimilarAsked(text=text, of=asked.thing, kinds=kinds, at=at.sequence)
        )
    except OperatingError as error:
        _log.info("search by words alone", code=error.code)
        return None
    if told.problem:
        return None
    return {
        (one.kind, one.id): one.similarity_bp
        for one in told.things
        if one.similarity_bp >= SEARCH_FLOOR_BP
    }


async def _old_articles(
    reads: ReadContext, asked: _Seed, kinds: tuple[Kind, ...], at: At
) -> list[Row] | None:
    """Return the articles up to `at` that share words with what is asked, None for those of now.

    Titles of articles never change, so they are found in the live tables' index also as of
    an earlier sequence.
    """
    if at.sequence is None or "article" not in kinds:
        return None
    async with reads.view(NOW) as live:
        return await _matching(live, "article", asked.words, at.sequence)


async def _by_words(
    view: ReadView, old_articles: list[Row] | None, asked: _Seed, kinds: tuple[Kind, ...]
) -> list[ThingKey]:
    """Return what shares words with what is asked, the best match first."""
    found: list[tuple[float, ThingKey]] = []
    for kind in kinds:
        if kind == "article" and old_articles is not None:
            rows = old_articles
        else:
            rows = await _matching(view, kind, asked.words, None)
        found += [(row["rank"], (kind, str(row["id"]))) for row in rows]
    found.sort(key=lambda one: -one[0])
    return [key for _, key in found if key != asked.thing]


async def _matching(view: ReadView, kind: Kind, words: str, last: int | None) -> list[Row]:
    table, key = _TABLES[kind]
    params: list[Any] = [words, SEARCH_WORD_ROWS]
    if last is not None:
        params.append(last)
    condition = "true" if last is None else f"{key} <= $3"
    query = _WORDS.format(table=table, key=key, document=_DOCUMENTS[kind], condition=condition)
    return await view.all(query, params)


async def _shown(view: ReadView, keys: Sequence[ThingKey]) -> dict[ThingKey, Row]:
    """Return the rows of `keys` that the tables have."""
    shown: dict[ThingKey, Row] = {}
    for kind, query in _SHOWN.items():
        names: list[Any] = [name for one, name in keys if one == kind]
        if kind == "article":
            names = [int(name) for name in names]
        if names:
            shown |= {(kind, str(row["id"])): row for row in await view.all(query, (names,))}
    return shown


def _thing(
    key: ThingKey, row: Row, meant: Mapping[ThingKey, int], words: Sequence[ThingKey]
) -> SimilarThingOut:
    similarity_bp = meant.get(key)
    matched: list[Literal["meaning", "words"]] = []
    if similarity_bp is not None:
        matched.append("meaning")
    if key in words:
        matched.append("words")
    return SimilarThingOut(
        kind=key[0],
        id=key[1],
        title=row["title"],
        symbol=row["symbol"],
        similarity=None if similarity_bp is None else to_fraction(similarity_bp),
        matched=matched,
    )
