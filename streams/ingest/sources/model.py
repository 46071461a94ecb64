"""What a source kind is, and what it makes of a document."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec

from schemas.observations import Via
from schemas.sources import Source, SourceKind


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it came: its bytes, its headers, and its url after all redirects."""

    url: str
    body: bytes
    media_type: str = ""
    charset: str = ""
    selector: str = ""
    """The source's link_selector."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One article, or the link to one, as its document has it. All texts are plain."""

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
    """The queue for the jobs of its document."""
    page_queue: Literal["page", "browser"]
    reading: str
    """The reading of its document, by its name in `sources.READINGS`."""
    follows: Callable[[Source], bool]
    """Whether its items are links to pages that have yet to be fetched."""
    parts: str = ""
    """The reading that returns the links to its parts, where a document may only list those."""
