"""HTML: a page that is an article, or one that links to some. Read by lexbor."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from schemas.articles import snapshot_id
from schemas.limits import MAX_TITLE_CHARS
from schemas.observations import FetchProblem
from streams.ingest.fetching.links import absolute
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.limits import MAX_FEED_ITEMS, MAX_JSON_LD_NODES, MIN_ARTICLE_CHARS
from streams.ingest.sources.charsets import decode
from streams.ingest.sources.dates import moment
from streams.ingest.sources.model import Document, Item, Kind
from streams.ingest.sources.plain import UNREAD_TAGS, language, line

_TYPES: Final = re.compile(r"text/html|application/xhtml\+xml|")
_AROUND_TAGS: Final = ["nav", "header", "footer", "aside", "form", "button", "dialog"]
"""Elements around an article that are not part of it."""
_ARTICLE_ELEMENTS: Final = ("article", "main", "[role=main]", "body")
_DATES: Final = (
    ("meta[property='article:published_time']", "content"),
    ("meta[itemprop=datePublished]", "content"),
    ("meta[name=date]", "content"),
    ("article time[datetime]", "datetime"),
    ("time[datetime]", "datetime"),
)
_FEW: Final = 20


def read(document: Document) -> list[Item]:
    """Return the articles that a source's page links to, or the page itself as one."""
    return _linked(document) if document.selector else [read_page(document)]


def read_page(document: Document) -> Item:
    """Return a page as an article. Raises Unfetched(NO_TEXT) if it shows no text."""
    tree = _tree(document)
    published_ns = _published(tree)
    title = _title(tree)
    tree.strip_tags(UNREAD_TAGS)
    text = _article(tree)
    if len(text) < MIN_ARTICLE_CHARS:
        raise Unfetched(FetchProblem.NO_TEXT, "no text to speak of")
    return Item(
        # A page keeps its url while its text changes, and each text is an article.
        guid=snapshot_id(title, text),
        link=document.url,
        title=title,
        text=text,
        language=_language(tree),
        published_ns=published_ns,
    )


def _linked(document: Document) -> list[Item]:
    tree = _tree(document)
    base = absolute(document.url, _attribute(tree, "base[href]", "href")) or document.url
    spoken = _language(tree)
    found: dict[str, Item] = {}
    try:
        nodes = tree.css(document.selector)
    except SelectolaxError as error:
        raise Unfetched(FetchProblem.NO_TEXT, "link_selector is no selector") from error
    for node in nodes:
        anchor = node if node.tag == "a" else node.css_first("a[href]")
        link = absolute(base, (anchor.attributes.get("href") or "") if anchor else "")
        if anchor is None or not link or link in found:
            continue
        title = line(anchor.text(separator=" "), MAX_TITLE_CHARS)
        found[link] = Item(guid=link, link=link, title=title, text="", language=spoken)
        if len(found) == MAX_FEED_ITEMS:
            break
    if not found:
        raise Unfetched(FetchProblem.NO_TEXT, "no link where link_selector looks")
    return list(found.values())


def _tree(document: Document) -> LexborHTMLParser:
    if _TYPES.fullmatch(document.media_type) is None:
        raise Unfetched(FetchProblem.BAD_TYPE, "not a page's type")
    return LexborHTMLParser(decode(document.body, document.charset))


def _title(tree: LexborHTMLParser) -> str:
    title = line(_attribute(tree, "meta[property='og:title']", "content"), MAX_TITLE_CHARS)
    for selector in ("title", "h1"):
        node = tree.css_first(selector)
        if not title and node is not None:
            title = line(node.text(separator=" "), MAX_TITLE_CHARS)
    return title


def _article(tree: LexborHTMLParser) -> str:
    """Return the text of the narrowest element that has enough; of equals, the longest."""
    for selector in _ARTICLE_ELEMENTS:
        texts = [_paragraphs(node) for node in tree.css(selector)[:_FEW]]
        text = max(texts, key=len, default="")
        if len(text) >= MIN_ARTICLE_CHARS:
            return text
    return ""


def _paragraphs(node: LexborNode) -> str:
    text = line(" ".join(one.text(separator=" ") for one in node.css("p")))
    if len(text) >= MIN_ARTICLE_CHARS:
        return text
    node.strip_tags(_AROUND_TAGS)
    return line(node.text(separator=" "))


def _published(tree: LexborHTMLParser) -> int | None:
    for selector, attribute in _DATES:
        found = moment(_attribute(tree, selector, attribute))
        if found is not None:
            return found
    for node in tree.css("script[type='application/ld+json']")[:_FEW]:
        for text in _dates(node.text()):
            found = moment(text)
            if found is not None:
                return found
    return None


def _dates(text: str) -> Iterator[str]:
    """Yield each datePublished, at any depth of a JSON-LD text."""
    try:
        waiting: list[Any] = [msgspec.json.decode(text)]
    except (msgspec.DecodeError, ValueError, RecursionError):
        return
    for _ in range(MAX_JSON_LD_NODES):
        if not waiting:
            return
        one = waiting.pop()
        if isinstance(one, dict):
            if isinstance(one.get("datePublished"), str):
                yield one["datePublished"]
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _language(tree: LexborHTMLParser) -> str:
    return language(_attribute(tree, "html", "lang"))


def _attribute(tree: LexborHTMLParser, selector: str, name: str) -> str:
    node = tree.css_first(selector)
    return (node.attributes.get(name) or "") if node is not None else ""


KIND: Final = Kind(
    kind="html",
    via="html",
    queue="source",
    page_queue="page",
    reading="html",
    follows=lambda source: bool(source.link_selector) and not source.paywalled,
)
