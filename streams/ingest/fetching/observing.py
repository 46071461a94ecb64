"""From items to observations: what is new in a document, and how it stands on the log."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas import articles
from schemas.chain import digest
from schemas.limits import MAX_TITLE_CHARS
from schemas.observations import (
    OBSERVATIONS,
    ArticleObserved,
    SourceFetched,
    SourceListed,
    Via,
)
from schemas.sources import Source
from schemas.stored import Stored
from schemas.texts import clean
from streams.ingest.fetching.http import Answer
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.limits import MAX_VALIDATOR_CHARS
from streams.ingest.sources.model import Item

ITEM_ID_CHARS: Final = 16


def item_id(item: Item) -> str:
    """Return what tells `item` from the others of its document."""
    return digest(f"{item.guid}|{item.link}|{item.title}".encode())[:ITEM_ID_CHARS]


def unseen(items: Sequence[Item], last: SourceListed | None) -> list[Item]:
    """Return the items that the last listing did not have, oldest first, each once."""
    seen = set(last.items) if last is not None else set()
    fresh: dict[str, Item] = {}
    for item in items:
        name = item_id(item)
        if name not in seen:
            fresh.setdefault(name, item)
    return list(reversed(fresh.values()))


class Circumstances(NamedTuple):
    """How an article came in."""

    via: Via
    observed_ns: int
    robots_hash: str
    raw: str


def article(source: Source, item: Item, how: Circumstances) -> ArticleObserved:
    """Return the observation of `item`; its texts are plain and printable already."""
    url = item.link or source.url
    title = item.title or item.text[:MAX_TITLE_CHARS].strip()
    return ArticleObserved(
        source=source.source,
        snapshot_id=articles.snapshot_id(title, item.text),
        locator=articles.locator(url, item.published_ns),
        url=url,
        title=title,
        excerpt=clean(item.text, source.excerpt_chars),
        text_chars=len(item.text),
        language=item.language,
        published_ns=item.published_ns,
        observed_ns=how.observed_ns,
        via=how.via,
        robots_hash=how.robots_hash,
        raw=how.raw,
        push=None,
    )


def listing(source: Source, items: Sequence[Item], answer: Answer, listed_ns: int) -> SourceListed:
    """Return the memory of a document, for the next fetch of it."""
    return SourceListed(
        source=source.source,
        url=source.url,
        body_hash=digest(answer.body),
        etag=_validator(answer, "etag"),
        last_modified=_validator(answer, "last-modified"),
        items=list(dict.fromkeys(item_id(item) for item in items)),
        listed_ns=listed_ns,
    )


def _validator(answer: Answer, name: str) -> str:
    """Return a validator that can be sent back as it came, or an empty one."""
    text = answer.headers.get(name, "")
    fit = len(text) <= MAX_VALIDATOR_CHARS and text.isascii() and text.isprintable()
    return text if fit else ""


def last_listing(stored: Stored | None, source: Source) -> SourceListed | None:
    """Return the listing in `stored`, unless it is of another address of the source."""
    seen = OBSERVATIONS.decode(stored.payload) if stored is not None else None
    return seen if isinstance(seen, SourceListed) and seen.url == source.url else None


def source_started_ns(stored: Stored | None) -> int | None:
    """Return when the source's document was last fetched, if `stored` tells of that."""
    seen = OBSERVATIONS.decode(stored.payload) if stored is not None else None
    return seen.started_ns if isinstance(seen, SourceFetched) and seen.what == "source" else None


def conditions(last: SourceListed | None) -> dict[str, str]:
    """Return the headers that ask for a document only if it has changed since `last`."""
    if last is None:
        return {}
    headers = {"If-None-Match": last.etag, "If-Modified-Since": last.last_modified}
    return {name: value for name, value in headers.items() if value}


class Attempt(NamedTuple):
    """One fetch under way."""

    source: str
    url: str
    page: bool
    started_ns: int

    def ended(self, ended_ns: int, answer: Answer | None = None, **told: object) -> SourceFetched:
        """Return how it went, with `told` in the fields that say so."""
        fields: dict[str, object] = {
            "outcome": "fetched",
            "problem": "",
            "detail": "",
            "status": answer.status if answer is not None else 0,
            "body_bytes": len(answer.body) if answer is not None else 0,
            "items": 0,
            "new_articles": 0,
            "robots_hash": "",
            **told,
        }
        return SourceFetched(
            source=self.source,
            url=self.url,
            what="page" if self.page else "source",
            started_ns=self.started_ns,
            ended_ns=ended_ns,
            **fields,  # type: ignore[arg-type]  # the names above
        )

    def failed(self, ended_ns: int, error: Unfetched) -> SourceFetched:
        """Return that it brought nothing, and why."""
        return self.ended(
            ended_ns,
            outcome="refused" if error.refused else "failed",
            problem=error.problem.value,
            detail=error.detail,
            status=error.status,
        )
