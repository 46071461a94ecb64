"""What a source kind is, and what it makes of a document."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec

from schemas.observations import Via
from schemas.sources import Source, SourceKind


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it came: bytes, what was said of them, and where they were in the end."""

    url: str
    body: bytes
    media_type: str = ""
    charset: str = ""
    selector: str = ""
    """The source's link_selector."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One article, or the link to one, as its document tells of it. All texts are plain."""

    guid: str
    link: str
    title: str
    text: str
    language: str = ""
    published_ns: int | None = None


Reading = Callable[[Document], list[Item]]
"""Pure; raises Unfetched."""


class Kind(NamedTuple):
    """How sources of one kind are fetched and read."""

    kind: SourceKind
    via: Via
    queue: Literal["source", "browser"]
    """Which of ingest's queues its document is fetched from."""
    page_queue: Literal["page", "browser"]
    reading: str
    """The name, in `sources.READINGS`, of what reads its document."""
    follows: Callable[[Source], bool]
    """Whether an item is a link to a page that has yet to be fetched."""
