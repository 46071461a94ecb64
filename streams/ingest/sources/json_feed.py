"""JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/)."""

import re
from typing import Any, Final

import msgspec

from schemas.limits import MAX_TITLE_CHARS
from schemas.observations import FetchProblem
from streams.ingest.fetching.links import absolute
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.limits import MAX_FEED_ITEMS
from streams.ingest.sources.dates import Order, moment, order_of
from streams.ingest.sources.model import Item
from streams.ingest.sources.plain import language, line, of_html

_VERSION: Final = re.compile(r".*jsonfeed\.org/version/.*|1(\.[01])?")
"""Some write the number alone."""
_HTML: Final = ("content_html",)
_PLAIN: Final = ("content_text", "summary")


def begins_in(text: str) -> bool:
    """Tell whether `text` is JSON rather than XML, by its first character."""
    return text.lstrip("\ufeff \t\r\n")[:1] == "{"


def read(text: str, url: str) -> list[Item]:
    """Return the first MAX_FEED_ITEMS items of a feed. Raises Unfetched(BAD_TYPE)."""
    try:
        feed: Any = msgspec.json.decode(text.strip("\ufeff \t\r\n"))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Unfetched(FetchProblem.BAD_TYPE, "not well-formed JSON") from error
    if not isinstance(feed, dict) or not _VERSION.fullmatch(_text(feed, "version")):
        raise Unfetched(FetchProblem.BAD_TYPE, "JSON, but not a JSON feed")
    listed = feed.get("items")
    entries = listed[:MAX_FEED_ITEMS] if isinstance(listed, list) else []
    spoken = language(_text(feed, "language"))
    told = [entry for entry in entries if isinstance(entry, dict)]
    order = order_of(_date(entry) for entry in told)
    items = [_item(entry, url, spoken, order) for entry in told]
    return [item for item in items if item.title or item.text]


def _item(entry: dict[str, Any], base: str, spoken: str, order: Order) -> Item:
    bodies = [of_html(_text(entry, name)) for name in _HTML]
    bodies += [line(_text(entry, name)) for name in _PLAIN]
    return Item(
        guid=line(_text(entry, "id")),
        link=absolute(base, _text(entry, "url") or _text(entry, "external_url")),
        title=line(_text(entry, "title"), MAX_TITLE_CHARS),
        text=next((body for body in bodies if body), ""),
        language=language(_text(entry, "language")) or spoken,
        published_ns=moment(_date(entry), order),
    )


def _date(entry: dict[str, Any]) -> str:
    return _text(entry, "date_published") or _text(entry, "date_modified")


def _text(of: dict[str, Any], name: str) -> str:
    """Return a text. An id may also be a number."""
    value = of.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""
