"""articles: every article that was observed, and what became of it. Metadata, never its text.

A row is found by the log sequence of the observation: an article that was observed twice,
after a crash, is two rows, of which the second was dropped as `repeated`.
"""

from collections.abc import Mapping
from typing import Final

from projections.store.collectors import AppendedInOrder
from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    SEQUENCE,
    TEXT,
    Change,
    Handler,
    Projection,
    Row,
    RowPosition,
    Statement,
    Table,
    clean,
    insert,
)
from schemas.codec import Message
from schemas.events.reality import ArticleDropped, ArticleGrouped, ClusterOpened
from schemas.observations import ArticleObserved

OBSERVED: Final = "observed"
GROUPED: Final = "grouped"
DROPPED: Final = "dropped"

TABLE = Table(
    name="articles",
    columns={
        "article": BIGINT,
        "source": TEXT,
        "snapshot_id": TEXT,
        "locator": TEXT,
        "url": TEXT,
        "title": TEXT,
        "text_chars": BIGINT,
        "language": TEXT,
        "published_ns": BIGINT_OR_NULL,
        "observed_ns": BIGINT,
        "via": TEXT,
        "robots_hash": TEXT,
        "status": TEXT,
        "cluster": BIGINT_OR_NULL,
        "similar_to": BIGINT_OR_NULL,
        "similarity_bp": BIGINT_OR_NULL,
        "drop_reason": TEXT,
        "drop_detail": TEXT,
        **SEQUENCE,
    },
    key=("article",),
    indexes=(
        "(source, article)",
        "(cluster) WHERE cluster IS NOT NULL",
        "USING gin (to_tsvector('english', title))",
    ),
)
"""`status` is observed, grouped or dropped.

`similar_to` is the article that it was grouped with, or that it repeats or duplicates.
"""

_OBSERVE = insert(TABLE)
_OUTCOME: Final = (
    "status",
    "cluster",
    "similar_to",
    "similarity_bp",
    "drop_reason",
    "drop_detail",
    "sequence",
)
_SETS: Final = ", ".join(f"{name} = s.{name}" for name in _OUTCOME)
_DECIDE = Statement(
    "articles_decide",
    TABLE,
    {"article": BIGINT, **{name: TABLE.columns[name] for name in _OUTCOME}},
    f"""
    UPDATE articles a SET {_SETS} FROM stage_articles_decide s
    WHERE a.article = s.article AND (a.status = 'observed'
        OR (a.status = 'dropped' AND s.status = 'grouped'))
    """,
    exact=False,
    rare=True,
)


def _observe(event: ArticleObserved, at: RowPosition) -> Row:
    return (
        at.sequence,
        event.source,
        clean(event.snapshot_id),
        clean(event.locator),
        clean(event.url),
        clean(event.title),
        event.text_chars,
        clean(event.language),
        event.published_ns,
        event.observed_ns,
        event.via,
        clean(event.robots_hash),
        OBSERVED,
        None,
        None,
        None,
        "",
        "",
        at.sequence,
    )


class _ArticleOutcomes:
    """The first outcome of an article counts: measured again, it is dropped as `repeated`.

    A measurer names the article that it measured. It cannot have seen one that is not on the
    log yet; and whether that one has a row would depend on the cut between batches.
    """

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            ArticleDropped: self._on_dropped,
            ClusterOpened: self._on_opened,
            ArticleGrouped: self._on_grouped,
        }

    def changes(self) -> list[Change]:
        return [Change(_DECIDE, list(self._rows.values()))]

    def _on_dropped(self, event: ArticleDropped, at: RowPosition) -> None:
        why = (event.of, event.similarity_bp, event.reason, clean(event.detail))
        if event.article < at.sequence:
            row = (event.article, DROPPED, None, *why, at.sequence)
            self._rows.setdefault(event.article, row)

    def _on_opened(self, event: ClusterOpened, at: RowPosition) -> None:
        self._on_counted(event.article, (event.article, None, None), at)

    def _on_grouped(self, event: ArticleGrouped, at: RowPosition) -> None:
        why = (event.cluster, event.neighbour, event.similarity_bp)
        self._on_counted(event.article, why, at)

    def _on_counted(self, article: int, why: tuple[int | None, ...], at: RowPosition) -> None:
        before = self._rows.get(article)
        if article < at.sequence and (before is None or before[1] == DROPPED):
            self._rows[article] = (article, GROUPED, *why, "", "", at.sequence)


PROJECTION = Projection(
    "articles",
    (TABLE,),
    (_OBSERVE, _DECIDE),
    lambda: (AppendedInOrder({ArticleObserved: [(_OBSERVE, _observe)]}), _ArticleOutcomes()),
)
