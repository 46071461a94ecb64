"""HTML: a page that is an article, or one that links to some. Read by lexbor."""

import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from schemas.articles import snapshot_id
from schemas.limits import MAX_TITLE_CHARS
from schemas.observations import FetchProblem
from streams.ingest.fetching.links import absolute
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.limits import MAX_FEED_ITEMS, MIN_ARTICLE_CHARS
from streams.ingest.sources import json_ld
from streams.ingest.sources.charsets import decode
from streams.ingest.sources.model import Document, Item, Kind
from streams.ingest.sources.no_articles import check_article
from streams.ingest.sources.page_dates import published
from streams.ingest.sources.page_text import article_text
from streams.ingest.sources.plain import UNREAD_TAGS, blocks_apart, language, line

_TYPES: Final = re.compile(r"text/html|application/xhtml\+xml|")
_LINKED_DATA: Final = "script[type='application/ld+json' i]"
_FEW: Final = 20


def read(document: Document) -> list[Item]:
    """Return the articles that a source's page links to, or the page itself as one."""
    return _linked(document) if document.selector else [read_page(document)]


def read_page(document: Document) -> Item:
    """Return a page as an article. Raises Unfetched(NO_TEXT) if it shows no text."""
    tree = _tree(document, apart=True)
    title, spoken = _title(tree), _language(tree)
    nodes = json_ld.nodes(one.text() for one in tree.css(_LINKED_DATA)[:_FEW])
    urls = (document.url, _attribute(tree, "link[rel=canonical]", "href"))
    article = json_ld.the_article(nodes, urls, title)
    is_declared = bool(article) or _is_declared(tree)
    published_ns = published(tree, article, nodes)
    tree.strip_tags(UNREAD_TAGS)
    text = article_text(tree, article)
    if len(text) < MIN_ARTICLE_CHARS:
        raise Unfetched(FetchProblem.NO_TEXT, "no text to speak of")
    check_article(title, text, declared=is_declared)
    return Item(
        # A page keeps its url while its text changes, and each text is an article.
        guid=snapshot_id(title, text),
        link=document.url,
        title=title,
        text=text,
        language=spoken,
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


def _tree(document: Document, *, apart: bool = False) -> LexborHTMLParser:
    if _TYPES.fullmatch(document.media_type) is None:
        raise Unfetched(FetchProblem.BAD_TYPE, "not a page's type")
    text = decode(document.body, document.charset)
    return LexborHTMLParser(blocks_apart(text) if apart else text)


def _title(tree: LexborHTMLParser) -> str:
    title = line(_attribute(tree, "meta[property='og:title']", "content"), MAX_TITLE_CHARS)
    for selector in ("title", "h1"):
        node = tree.css_first(selector)
        if not title and node is not None:
            title = line(node.text(separator=" "), MAX_TITLE_CHARS)
    return title


def _is_declared(tree: LexborHTMLParser) -> bool:
    return _attribute(tree, "meta[property='og:type']", "content").strip().lower() == "article"


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
