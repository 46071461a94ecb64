"""RSS and Atom, read by feedparser, and JSON Feed (`json_feed.py`).

What feedparser gets is well-formed XML without a document type, bounded by `FeedCheck`. Its
own fallback for broken feeds runs regular expressions over the whole text, so a broken feed
is mended before (`mending.py`), and checked again. The text is decoded here, so that the
check and feedparser see the same characters.
"""

import io
from typing import Any, Final

import feedparser

from schemas.limits import MAX_TITLE_CHARS
from schemas.observations import FetchProblem
from streams.ingest.fetching.links import absolute
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.limits import MAX_FEED_ITEMS
from streams.ingest.sources import json_feed
from streams.ingest.sources.charsets import decode
from streams.ingest.sources.dates import Order, moment, order_of
from streams.ingest.sources.feed_check import CAPTION, FeedCheck, behind_declaration, check_type
from streams.ingest.sources.mending import mended
from streams.ingest.sources.model import Document, Item, Kind
from streams.ingest.sources.plain import language, line, of_html

_MENDABLE: Final = frozenset({FetchProblem.BAD_XML, FetchProblem.BAD_TYPE, FetchProblem.DTD})


def read(document: Document) -> list[Item]:
    """Return the first MAX_FEED_ITEMS items of a feed. Raises Unfetched."""
    check_type(document)
    text = decode(document.body, document.charset)
    if json_feed.begins_in(text):
        return json_feed.read(text, document.url)
    parsed = feedparser.parse(
        io.BytesIO(_checked(text)),
        response_headers={
            "content-type": "application/xml; charset=utf-8",
            "content-location": document.url,
        },
        resolve_relative_uris=False,
        sanitize_html=False,
    )
    spoken = language(_text(parsed.feed.get("language")))
    entries = parsed.entries[:MAX_FEED_ITEMS]
    order = order_of(date for entry in entries for date in _dates(entry))
    items = [_item(entry, document.url, spoken, order) for entry in entries]
    return [item for item in items if item.title or item.text]


def _checked(text: str) -> bytes:
    """Return the feed as feedparser may have it. Raises Unfetched, with the fault and its line."""
    feed, first_line = behind_declaration(text)
    try:
        return FeedCheck(first_line).run(feed.encode("utf-8", "replace"))
    except Unfetched as fault:
        if fault.problem not in _MENDABLE:
            raise
        better = mended(feed, first_line)
        if better is None and "<" in feed and fault.problem is not FetchProblem.BAD_TYPE:
            raise Unfetched(FetchProblem.BAD_TYPE, "not a feed") from fault
        if better is None:
            raise
    return FeedCheck().run(better.encode("utf-8", "replace"))


def _item(entry: Any, base: str, spoken: str, order: Order) -> Item:
    text = of_html(_longest(entry)) or of_html(_text(entry.get(CAPTION)))
    title = of_html(_text(entry.get("title")))[:MAX_TITLE_CHARS].strip()
    # FeedBurner hangs its own counter in front of the publisher's link and says what that is.
    link = absolute(base, _text(entry.get("feedburner_origlink")) or _link(entry))
    return Item(
        guid=line(_text(entry.get("id"))),
        link=link,
        title=title,
        text=text,
        language=language(_text(entry.get("language"))) or spoken,
        published_ns=_published(entry, order),
    )


def _link(entry: Any) -> str:
    """Return the link to the page; feedparser only takes those that say they lead to HTML."""
    links = entry.get("links")
    others = links if isinstance(links, list) else []
    alternates = (_text(one.get("href")) for one in others if one.get("rel") == "alternate")
    return _text(entry.get("link")) or next(alternates, "")


def _longest(entry: Any) -> str:
    """Return the longest of contents and summary, as the item has them in any order."""
    contents = entry.get("content")
    bodies = [_text(one.get("value")) for one in contents] if isinstance(contents, list) else []
    return max([*bodies, _text(entry.get("summary"))], key=len)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _published(entry: Any, order: Order) -> int | None:
    found = (moment(date, order) for date in _dates(entry))
    return next((at_ns for at_ns in found if at_ns is not None), None)


def _dates(entry: Any) -> list[str]:
    """Return when it was published and updated, as written: feedparser's own reading guesses."""
    # feedparser's own `get` warns of missing fields
    return [_text(dict.get(entry, field)) for field in ("published", "updated")]


KIND: Final = Kind(
    kind="rss",
    via="rss",
    queue="source",
    page_queue="page",
    reading="rss",
    follows=lambda source: source.follow_links and not source.paywalled,
)
