"""When a page was published, by what the page says of it.

The page's own article in JSON-LD says it best, then the metadata, then another node of the
JSON-LD, then a `<time>` at the head of the text. A `<time>` further down, or in a link or a
list beside the text, is another story's.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from schemas.units import SECOND_NS
from streams.ingest.sources.dates import WrittenDate, order_of, read_date
from streams.ingest.sources.json_ld import text_of
from streams.ingest.sources.plain import AROUND_TAGS

_METAS: Final = (
    *("article:published_time", "article:published:time", "og:article:published_time"),
    *("datepublished", "parsely-pub-date", "cxenseparse:recs:publishtime", "sailthru.date"),
    *("cxenseparse:publishtime", "og:published_time", "bt:pubdate", "article.published"),
    *("pubdate", "publishdate", "publish-date", "publish_date", "published_at"),
    *("publication_date", "article_date_original", "originalpublicationdate"),
    *("dc.date.issued", "dcterms.issued", "dcterms.created", "dc.date.created"),
    *("date", "dc.date", "dcterms.date"),
)
"""Names of metadata for the date, best first: `date` is at times when the page was made."""
_OF_CHANGES: Final = ("article:modified_time", "og:updated_time", "last-modified")
_MAX_METAS: Final = 500
_MAX_TIMES: Final = 50
_MAX_ANCESTORS: Final = 100
_HEAD_PARAGRAPHS: Final = 3
_PARAGRAPH_CHARS: Final = 80
_QUARTER_NS: Final = 15 * 60 * SECOND_NS
_ALIKE_NS: Final = 60 * SECOND_NS
_MAX_OFFSET_NS: Final = 14 * 3_600 * SECOND_NS


def published(
    tree: LexborHTMLParser, article: dict[str, Any], nodes: Sequence[dict[str, Any]]
) -> int | None:
    """Return when the page was published, in ns since 1970, or None if nothing tells.

    `article` is the page's own of the JSON-LD's `nodes`. What one date leaves open, its time or
    its zone, is taken from another date of the page that means the same moment, and else the
    zone from the date of the last change.
    """
    metas = _metas(tree)
    texts = [
        text_of(article, "datePublished"),
        *(metas.get(name, "") for name in _METAS),
        *(text_of(node, "datePublished") for node in nodes),
        *_times(tree),
    ]
    order = order_of(texts)
    dates = [found for text in texts if (found := read_date(text, order)) is not None]
    if not dates:
        return None
    first = dates[0]
    for other in dates[1:]:
        if _completes(other, first):
            return other.at_ns
    if first.timed and first.offset_min is None:
        changes = [text_of(article, "dateModified"), *(metas.get(name, "") for name in _OF_CHANGES)]
        offsets = (one.offset_min for one in map(read_date, changes) if one is not None)
        offset_min = next((one for one in offsets if one is not None), 0)
        return max(first.at_ns - offset_min * 60 * SECOND_NS, 0)
    return first.at_ns


def _metas(tree: LexborHTMLParser) -> dict[str, str]:
    """Return the metadata by its names in small letters, of two the first."""
    found: dict[str, str] = {}
    for node in tree.css("meta[content]")[:_MAX_METAS]:
        attributes = node.attributes
        for kind in ("property", "name", "itemprop"):
            name = (attributes.get(kind) or "").strip().lower()
            found.setdefault(name, attributes.get("content") or "")
    return found


def _completes(other: WrittenDate, first: WrittenDate) -> bool:
    """Tell whether `other` is the same moment, with the time and the zone that `first` lacks."""
    if (
        not other.timed
        or other.offset_min is None
        or (first.timed and first.offset_min is not None)
    ):
        return False
    there_ns = other.at_ns + other.offset_min * 60 * SECOND_NS
    if not first.timed:
        return 0 <= there_ns - first.at_ns < 24 * 3_600 * SECOND_NS
    apart_ns = other.at_ns - first.at_ns  # that of a zone, and seconds that `first` may lack
    return abs(apart_ns) <= _MAX_OFFSET_NS and apart_ns % _QUARTER_NS < _ALIKE_NS


def _times(tree: LexborHTMLParser) -> Iterator[str]:
    """Yield the dates that stand by the title, before the text's third paragraph."""
    early: list[str] = []
    paragraphs, is_titled = 0, False
    for node in tree.css("h1, p, time[datetime], [itemprop=datePublished]")[:_MAX_TIMES]:
        if node.tag == "h1":
            is_titled, paragraphs = True, 0
        elif node.tag == "p" and len(node.text()) >= _PARAGRAPH_CHARS:
            paragraphs += 1
        elif paragraphs < _HEAD_PARAGRAPHS and not _is_beside(node):
            attributes = node.attributes
            text = attributes.get("datetime") or attributes.get("content") or node.text()
            if is_titled:
                yield text
            else:
                early.append(text)
    yield from early


def _is_beside(node: LexborNode) -> bool:
    """Tell whether a node is in a link or in what stands around a text."""
    above: LexborNode | None = node.parent
    for _ in range(_MAX_ANCESTORS):
        if above is None:
            return False
        if above.tag in ("a", *AROUND_TAGS):
            return above.tag != "header"
        above = above.parent
    return True
