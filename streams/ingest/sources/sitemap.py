"""Sitemaps: the pages of a site that has no feed, and when each was published or changed.

https://www.sitemaps.org/protocol.html, and for news the namespace
https://www.google.com/schemas/sitemap-news/0.9 with title, date and language. An index lists
sitemaps; of those, the newest are read (`Kind.parts`). Files may be gzipped.
"""

from itertools import chain
from typing import Final
from xml.parsers import expat

from schemas.limits import MAX_TITLE_CHARS
from schemas.observations import FetchProblem
from streams.ingest.fetching.links import absolute
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.fetching.unpacking import Unpacking
from streams.ingest.limits import (
    MAX_FEED_ITEMS,
    MAX_FETCH_BYTES,
    MAX_SITEMAP_PARTS,
    MAX_XML_DEPTH,
)
from streams.ingest.sources.charsets import decode
from streams.ingest.sources.dates import moment
from streams.ingest.sources.feed_check import (
    behind_declaration,
    check_type,
    fault_at,
    local_name,
)
from streams.ingest.sources.model import Document, Item, Kind
from streams.ingest.sources.plain import language, line

_SITEMAP: Final = "urlset"
_INDEX: Final = "sitemapindex"
_ENTRIES: Final = {_SITEMAP: "url", _INDEX: "sitemap"}
"""What each root holds."""
_FIELDS: Final = frozenset(
    {"loc", "lastmod", "news/title", "news/publication_date", "news/publication/language"}
)
"""What is read of an entry, by the path of local names within it. An image has a `loc`, too."""


def read(document: Document) -> list[Item]:
    """Return the newest MAX_FEED_ITEMS pages of a sitemap, as links. Raises Unfetched."""
    reader = _Entries(document)
    if reader.root != _SITEMAP:
        raise Unfetched(FetchProblem.BAD_TYPE, "an index of sitemaps where a sitemap should be")
    return newest(reader.items)[:MAX_FEED_ITEMS]


def read_parts(document: Document) -> list[Item]:
    """Return the newest MAX_SITEMAP_PARTS sitemaps of an index, as links; none of a sitemap."""
    reader = _Entries(document)
    return newest(reader.items)[:MAX_SITEMAP_PARTS] if reader.root == _INDEX else []


def newest(items: list[Item]) -> list[Item]:
    """Return the items in the order of their dates, newest first; undated ones come last."""
    return sorted(items, key=lambda item: -1 if item.published_ns is None else item.published_ns,
                  reverse=True)  # fmt: skip


class _Entries:
    """Reads a document at once: its root, and its entries that can be followed."""

    def __init__(self, document: Document) -> None:
        check_type(document)
        self.root = ""
        self.items: list[Item] = []
        self._base = document.url
        self._path: list[str] = []
        self._fields: dict[str, str] = {}
        self._entries = 0
        self._first_line = 1
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._say
        self._run(decode(_unpacked(document.body), document.charset))

    def _run(self, text: str) -> None:
        entries, self._first_line = behind_declaration(text)
        try:
            self._parser.Parse(entries.encode("utf-8", "replace"), True)
        except expat.ExpatError as error:
            raise self._fault(FetchProblem.BAD_XML, expat.ErrorString(error.code)) from error

    def _fault(self, problem: FetchProblem, kind: str) -> Unfetched:
        line = self._first_line + self._parser.CurrentLineNumber - 1
        return fault_at(problem, line, self._entries, kind)

    def _doctype(self, *_: object) -> None:
        raise self._fault(FetchProblem.DTD, "the sitemap declares a document type")

    def _start(self, name: str, _: object) -> None:
        kind = local_name(name)
        if not self._path:
            if kind not in _ENTRIES:
                raise self._fault(FetchProblem.BAD_TYPE, "not a sitemap")
            self.root = kind
        elif len(self._path) == MAX_XML_DEPTH:
            raise self._fault(FetchProblem.BAD_XML, "nested too deeply")
        elif len(self._path) == 1 and kind == _ENTRIES[self.root]:
            self._entries += 1
            self._fields = {}
        self._path.append(kind)

    def _say(self, text: str) -> None:
        field = "/".join(self._path[2:])
        if field in _FIELDS:
            self._fields[field] = self._fields.get(field, "") + text

    def _end(self, _: str) -> None:
        kind = self._path.pop()
        if len(self._path) == 1 and kind == _ENTRIES[self.root]:
            item = _item(self._fields, self._base)
            if item.link:
                self.items.append(item)


def _item(fields: dict[str, str], base: str) -> Item:
    link = absolute(base, fields.get("loc", ""))
    dates = (moment(fields.get(name)) for name in ("news/publication_date", "lastmod"))
    return Item(
        guid=link,
        link=link,
        title=line(fields.get("news/title", ""), MAX_TITLE_CHARS),
        text="",
        language=language(fields.get("news/publication/language")),
        published_ns=next((date for date in dates if date is not None), None),
    )


def _unpacked(body: bytes) -> bytes:
    """Return `body` without gzip, of up to MAX_FETCH_BYTES. Raises Unfetched.

    Fetching unpacks once; some servers pack a packed file again.
    """
    unpacking = Unpacking("")
    parts, left = [], MAX_FETCH_BYTES
    for part in chain(unpacking.take(body), unpacking.end()):
        left -= len(part)
        if left < 0:
            raise Unfetched(FetchProblem.TOO_LARGE, f"more than {MAX_FETCH_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


KIND: Final = Kind(
    kind="sitemap",
    via="html",
    queue="source",
    page_queue="page",
    reading="sitemap",
    parts="sitemap_parts",
    follows=lambda source: not source.paywalled,
)
