"""RSS and Atom, read by feedparser.

A feed must be well-formed XML without a DTD; there is no lenient reading. feedparser's
fallback for broken feeds runs regular expressions over the whole text, and entities make a
large feed out of a small one. The text is decoded here, so that the check and feedparser
see the same characters.
"""

import calendar
import io
import re
from typing import Any, Final
from xml.parsers import expat

import feedparser

from schemas.limits import MAX_TITLE_CHARS
from schemas.observations import FetchProblem
from schemas.units import SECOND_NS
from streams.ingest.fetching.links import absolute
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.limits import MAX_FEED_ITEMS, MAX_XML_DEPTH
from streams.ingest.sources.charsets import decode
from streams.ingest.sources.model import Document, Item, Kind
from streams.ingest.sources.plain import in_range, language, line, of_html

_TYPES: Final = re.compile(
    r"(application|text)/(([a-z0-9.+-]+\+|x-)?xml|(x-)?(rss|atom|rdf|feed))|text/(html|plain)"
    r"|application/((x-)?(octet-stream|gzip|download|unknown)|force-download)"
    r"|binary/octet-stream|unknown/unknown|"
)
"""Types of feeds, and those that misconfigured servers send feeds as. What comes is looked at."""
_PAGE: Final = re.compile(r"<(!doctype\s+)?html\b", re.IGNORECASE)
_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]*\?>")
_FEED_ROOTS: Final = ("rss", "feed", "rdf")
_ITEMS: Final = ("item", "entry")


class _FeedCheck:
    """Bounds the input of feedparser, which is slow for each item."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate("utf-8")
        self._open: list[str] = []
        self._items = 0
        self._rest: tuple[int, list[str]] | None = None

    def run(self, data: bytes) -> bytes:
        """Return the feed cut after MAX_FEED_ITEMS items, with its elements closed.

        Raises Unfetched unless `data` is a feed in well-formed XML without a DTD.
        """
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        try:
            self._parser.Parse(data, True)
        except (expat.ExpatError, ValueError) as error:
            raise Unfetched(FetchProblem.BAD_XML, "not well-formed") from error
        if self._rest is None:
            return data
        at, still_open = self._rest
        return data[:at] + "".join(f"</{name}>" for name in reversed(still_open)).encode()

    def _doctype(self, *_: object) -> None:
        # This comes before any entity in it is read.
        raise Unfetched(FetchProblem.DTD, "the feed declares a document type")

    def _start(self, name: str, _: object) -> None:
        kind = name.rpartition(":")[2].lower()
        if not self._open and kind not in _FEED_ROOTS:
            raise Unfetched(FetchProblem.BAD_TYPE, "not a feed")
        if len(self._open) == MAX_XML_DEPTH:
            raise Unfetched(FetchProblem.BAD_XML, "nested too deeply")
        self._items += kind in _ITEMS
        if self._items > MAX_FEED_ITEMS and self._rest is None:
            self._rest = (self._parser.CurrentByteIndex, list(self._open))
        self._open.append(name)

    def _end(self, _: str) -> None:
        self._open.pop()


def read(document: Document) -> list[Item]:
    """Return the first MAX_FEED_ITEMS items of a feed. Raises Unfetched."""
    if _TYPES.fullmatch(document.media_type) is None:
        raise Unfetched(FetchProblem.BAD_TYPE, "not a feed's type")
    text = _DECLARATION.sub("", decode(document.body, document.charset), count=1).strip()
    if _PAGE.match(text):
        raise Unfetched(FetchProblem.BAD_TYPE, "a page, not a feed")
    data = text.encode("utf-8", "replace")
    parsed = feedparser.parse(
        io.BytesIO(_FeedCheck().run(data)),
        response_headers={
            "content-type": "application/xml; charset=utf-8",
            "content-location": document.url,
        },
        resolve_relative_uris=False,
        sanitize_html=False,
    )
    spoken = language(_text(parsed.feed.get("language")))
    items = [_item(entry, document.url, spoken) for entry in parsed.entries[:MAX_FEED_ITEMS]]
    return [item for item in items if item.title or item.text]


def _item(entry: Any, base: str, spoken: str) -> Item:
    text = of_html(_longest(entry))
    title = of_html(_text(entry.get("title")))[:MAX_TITLE_CHARS].strip()
    link = absolute(base, _text(entry.get("link")))
    return Item(
        guid=line(_text(entry.get("id"))),
        link=link,
        title=title,
        text=text,
        language=language(_text(entry.get("language"))) or spoken,
        published_ns=_published(entry),
    )


def _longest(entry: Any) -> str:
    """Return the content if there is one, else the summary."""
    contents = entry.get("content")
    bodies = [_text(one.get("value")) for one in contents] if isinstance(contents, list) else []
    return max([*bodies, _text(entry.get("summary"))], key=len)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _published(entry: Any) -> int | None:
    for field in ("published_parsed", "updated_parsed"):
        parsed = dict.get(entry, field)  # feedparser's own `get` warns of missing fields
        try:
            if parsed is not None:
                return in_range(calendar.timegm(parsed) * SECOND_NS)
        except (ValueError, TypeError, OverflowError):
            continue
    return None


KIND: Final = Kind(
    kind="rss",
    via="rss",
    queue="source",
    page_queue="page",
    reading="rss",
    follows=lambda source: source.follow_links and not source.paywalled,
)
