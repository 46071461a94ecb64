"""sources (EM-64): where articles come from, whether they count, and how fetching goes."""

from collections.abc import Mapping
from typing import Any, Final

from projections.store.collectors import AppendedInOrder
from projections.store.projection import (
    BIGINT,
    BIGINT_OR_NULL,
    BOOLEAN,
    CAUSE,
    SEQUENCE,
    TEXT,
    TEXT_OR_NULL,
    Change,
    Handler,
    Projection,
    Row,
    RowPosition,
    Statement,
    Table,
    clean,
    insert,
    patch,
)
from schemas.codec import Message
from schemas.events.governance import SourceAdded, SourceChanged
from schemas.events.reality import SourceQuarantined, SourceReleased
from schemas.observations import ArticleObserved, SourceFetched
from schemas.sources import Source

_STATED: Final = {
    "source": TEXT,
    "name": TEXT,
    "kind": TEXT,
    "url": TEXT,
    "trust_bp": BIGINT,
    "crawl_delay_s": BIGINT,
    "poll_interval_s": BIGINT,
    "follow_links": BOOLEAN,
    "link_selector": TEXT,
    "excerpt_chars": BIGINT,
    "keep_raw_days": BIGINT,
    "paywalled": BOOLEAN,
    "restricted": BOOLEAN,
    "allow_loopback": BOOLEAN,
    "push_key": TEXT,
    "active": BOOLEAN,
}
_QUARANTINE: Final = {
    "quarantined_until_ns": BIGINT,
    "quarantine_reason": TEXT,
    "quarantine_detail": TEXT,
}
_LAST: Final = {
    "last_outcome": TEXT_OR_NULL,
    "last_problem": TEXT_OR_NULL,
    "last_detail": TEXT_OR_NULL,
    "last_status": BIGINT_OR_NULL,
    "last_fetched_ns": BIGINT_OR_NULL,
}
_COUNTS: Final = {"fetches": BIGINT, "failures": BIGINT, "articles": BIGINT}

TABLE = Table(
    name="sources",
    columns={
        **_STATED,
        **_QUARANTINE,
        **_LAST,
        **_COUNTS,
        "added_ns": BIGINT,
        "changed_ns": BIGINT,
        **CAUSE,
    },
    key=("source",),
)
"""The first columns are as the last signed decision states them. `quarantined_until_ns` is 0
for a source that counts. `failures` of the `fetches` were refused or failed; `articles`
counts what was observed, before anything is dropped.
"""

_ADD = insert(TABLE)
_CHANGE = patch("change", TABLE, (*list(_STATED)[1:], "changed_ns", "cause", "sequence"), rare=True)
_SHUT = patch("shut", TABLE, (*_QUARANTINE, "changed_ns", "cause", "sequence"), rare=True)
_LAST_SETS: Final = ", ".join(f"{name} = coalesce(s.{name}, t.{name})" for name in _LAST)
_COUNT_SETS: Final = ", ".join(f"{name} = t.{name} + s.{name}" for name in _COUNTS)
_TALLY = Statement(
    "sources_tally",
    TABLE,
    {"source": TEXT, **_LAST, **_COUNTS, **SEQUENCE},
    f"""
    UPDATE sources t SET {_LAST_SETS}, {_COUNT_SETS},
        sequence = greatest(t.sequence, s.sequence)
    FROM stage_sources_tally s WHERE t.source = s.source
    """,
    exact=False,
    rare=True,
)
_FETCHES, _FAILURES, _ARTICLES = (1 + len(_LAST) + place for place in range(len(_COUNTS)))


def _added(event: SourceAdded, at: RowPosition) -> Row:
    nothing_yet = (0, "", "", *(None for _ in _LAST), *(0 for _ in _COUNTS))
    tail = (at.time_ns, at.time_ns, event.cause, at.sequence)
    return (*_stated(event.source), *nothing_yet, *tail)


def _changed(event: SourceChanged, at: RowPosition) -> Row:
    return (*_stated(event.source), at.time_ns, event.cause, at.sequence)


def _quarantined(event: SourceQuarantined, at: RowPosition) -> Row:
    row = (event.source, event.until_ns, event.reason, clean(event.detail))
    return (*row, at.time_ns, event.cause, at.sequence)


def _released(event: SourceReleased, at: RowPosition) -> Row:
    return (event.source, 0, "", "", at.time_ns, event.cause, at.sequence)


def _stated(source: Source) -> tuple[Any, ...]:
    values = (getattr(source, name) for name in _STATED)
    return tuple(clean(value) if isinstance(value, str) else value for value in values)


class _SourceTallies:
    """Counts what was observed of each source.

    What was observed of a source before it was added counts for nothing, in any batch.
    """

    def __init__(self) -> None:
        self._rows: dict[str, list[Any]] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            SourceAdded: self._on_added,
            SourceFetched: self._on_fetched,
            ArticleObserved: self._on_observed,
        }

    def changes(self) -> list[Change]:
        return [Change(_TALLY, list(self._rows.values()))]

    def _tally(self, source: str, at: RowPosition) -> list[Any]:
        row = self._rows.get(source)
        if row is None:
            row = self._rows[source] = [source, *(None for _ in _LAST), 0, 0, 0, 0]
        row[-1] = at.sequence
        return row

    def _on_added(self, event: SourceAdded, _: RowPosition) -> None:
        self._rows.pop(event.source.source, None)

    def _on_fetched(self, event: SourceFetched, at: RowPosition) -> None:
        row = self._tally(event.source, at)
        row[1:_FETCHES] = (
            event.outcome,
            clean(event.problem),
            clean(event.detail),
            event.status,
            event.ended_ns,
        )
        row[_FETCHES] += 1
        row[_FAILURES] += event.outcome in ("refused", "failed")

    def _on_observed(self, event: ArticleObserved, at: RowPosition) -> None:
        self._tally(event.source, at)[_ARTICLES] += 1


PROJECTION = Projection(
    "sources",
    (TABLE,),
    (_ADD, _CHANGE, _SHUT, _TALLY),
    lambda: (
        AppendedInOrder(
            {
                SourceAdded: [(_ADD, _added)],
                SourceChanged: [(_CHANGE, _changed)],
                SourceQuarantined: [(_SHUT, _quarantined)],
                SourceReleased: [(_SHUT, _released)],
            }
        ),
        _SourceTallies(),  # a source is never removed, so its counts may come last
    ),
)
