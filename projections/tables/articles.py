"""articles: every article that was observed, and what became of it. Metadata, never its text.

A row is found by the log sequence of the observation: an article that was observed twice,
after a crash, is two rows, of which the second was dropped as `repeated`.
"""

from collections.abc import Mapping
from typing import Any, Final

from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    SEQUENCE,
    TEXT,
    Change,
    Handler,
    Place,
    Projection,
    Step,
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
    indexes=("(source, article)", "(cluster) WHERE cluster IS NOT NULL"),
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
_DECIDE = Step(
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


class _Gatherer:
    """The first outcome of an article stands: measured again, it is dropped as `repeated`.

    A measurer says which article it measured. One that is not on the log yet it cannot have
    seen, and the cut between batches would decide whether the row is there.
    """

    def __init__(self) -> None:
        self._observed: list[tuple[Any, ...]] = []
        self._decided: dict[int, tuple[Any, ...]] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            ArticleObserved: self._on_observed,
            ArticleDropped: self._on_dropped,
            ClusterOpened: self._on_opened,
            ArticleGrouped: self._on_grouped,
        }

    def changes(self) -> list[Change]:
        return [Change(_OBSERVE, self._observed), Change(_DECIDE, list(self._decided.values()))]

    def _on_observed(self, event: ArticleObserved, at: Place) -> None:
        self._observed.append(
            (
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
        )

    def _on_dropped(self, event: ArticleDropped, at: Place) -> None:
        why = (event.of, event.similarity_bp, event.reason, clean(event.detail))
        if event.article < at.sequence:
            row = (event.article, DROPPED, None, *why, at.sequence)
            self._decided.setdefault(event.article, row)

    def _on_opened(self, event: ClusterOpened, at: Place) -> None:
        self._on_counted(event.article, (event.article, None, None), at)

    def _on_grouped(self, event: ArticleGrouped, at: Place) -> None:
        why = (event.cluster, event.neighbour, event.similarity_bp)
        self._on_counted(event.article, why, at)

    def _on_counted(self, article: int, why: tuple[int | None, ...], at: Place) -> None:
        before = self._decided.get(article)
        if article < at.sequence and (before is None or before[1] == DROPPED):
            self._decided[article] = (article, GROUPED, *why, "", "", at.sequence)


PROJECTION = Projection("articles", (TABLE,), (_OBSERVE, _DECIDE), _Gatherer)
