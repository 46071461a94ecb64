"""The text of a page's article, without what stands around it.

trafilatura finds it, in its fast mode and for the text alone; nothing of it fetches. Where it
finds little, JSON-LD's articleBody or our own simple way may have more: the narrowest element
with enough text. A page of very many elements goes that way at once: trafilatura walks over
each of them many times. Inline elements are taken out before, so that no blank takes their
place: `U.<small>S.</small>` is one word.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from streams.ingest.limits import MAX_EXTRACTED_CHARS, MAX_EXTRACTED_TAGS, MIN_ARTICLE_CHARS
from streams.ingest.sources import json_ld
from streams.ingest.sources.plain import AROUND_TAGS, line, of_html

_SHORT_CHARS: Final = 250
"""A shorter text is what trafilatura takes when it has found no article."""
_LONGER: Final = 2
"""An articleBody that is so many times longer has what the page's elements hide."""
_DOUBTFUL_CHARS: Final = 1_000
_MUCH_LONGER: Final = 4
"""A text below a thousand characters is a part, if all paragraphs have so many times more."""
_NO_TEXT_TAGS: Final = [
    *("head", "h1", "nav", "footer", "aside", "button", "dialog", "select", "menu", "figure"),
    *("picture", "img", "audio", "video", "canvas", "map", "link", "meta"),
]
"""What trafilatura takes away first, and in Python."""
_INLINE_TAGS: Final = [
    *("span", "b", "i", "em", "strong", "small", "big", "font", "u", "s", "mark", "abbr", "cite"),
    *("q", "bdi", "bdo", "sup", "sub", "ins", "time", "wbr", "dfn", "var", "tt"),
]
_LINKS: Final = "a:has(p), a:has(h2), a:has(h3), a:has(h4), p:has(a)"
_CARD_CHARS: Final = 600
_CARD: Final = re.compile(r"card|teaser|promo|related|recommend")
_HEADLINES: Final = "h2 a[href], h3 a[href], h4 a[href]"
_MORE_CHARS: Final = 20
"""Around a link to another story stands no more than "Read also: "."""
_ARTICLE_ELEMENTS: Final = ("article", "main", "[role=main]", "body")
_FEW: Final = 20
_BULLET: Final = re.compile(r"^- ", re.MULTILINE)
"""What trafilatura writes before an item of a list."""


def article_text(tree: LexborHTMLParser, article: dict[str, Any]) -> str:
    """Return the article's text as one line, "" if the page shows none. Changes the tree.

    `article` is the page's own of its JSON-LD.
    """
    tree.strip_tags(_NO_TEXT_TAGS)
    _remove_other_stories(tree)
    tree.unwrap_tags(_INLINE_TAGS)
    html = tree.html or ""
    is_small = len(html) <= MAX_EXTRACTED_CHARS and html.count("<") <= MAX_EXTRACTED_TAGS
    text = line(_extractor()(html)) if is_small else ""
    told = "" if json_ld.is_paid(article) else of_html(json_ld.text_of(article, "articleBody"))
    if len(told) > _LONGER * len(text):
        return told
    if len(text) >= _DOUBTFUL_CHARS:
        return text
    simple = _simple_text(tree)
    if len(text) < _SHORT_CHARS:
        return max(told, simple, text, key=_letters)
    return simple if len(simple) > _MUCH_LONGER * len(text) else text


def _remove_other_stories(tree: LexborHTMLParser) -> None:
    """Take away links around paragraphs, paragraphs of one link, and cards of other stories."""
    # The last comes first: what is in another element goes before it.
    for node in reversed(tree.css(_LINKS)):
        if node.tag == "a" or _is_one_link(node):
            node.decompose()
    cards = [node for node in reversed(tree.css("article")) if _is_card(node)]
    # A live blog may consist of what looks like cards.
    if sum(len(card.text()) for card in cards) * 2 < len(tree.body.text() if tree.body else ""):
        for card in cards:
            card.decompose()


def _is_one_link(paragraph: LexborNode) -> bool:
    links = paragraph.css("a[href]")
    rest = len(paragraph.text()) - sum(len(link.text()) for link in links)
    return bool(links) and rest <= _MORE_CHARS


def _is_card(article: LexborNode) -> bool:
    """Tell whether an article is short, and is called a card or has a headline that is a link."""
    if len(article.text()) >= _CARD_CHARS or article.css_first("h1") is not None:
        return False
    classes = [node.attributes.get("class") or "" for node in (article, article.parent) if node]
    links = (link.attributes.get("href") or "" for link in article.css(_HEADLINES))
    return any(map(_CARD.search, classes)) or any(not link.startswith("#") for link in links)


def load() -> None:
    """Import trafilatura, before there are bounds on memory and time."""
    _extractor()


@cache
def _extractor() -> Callable[[str], str]:
    # The child that reads documents needs this, and nothing else does: it takes 80 ms.
    from trafilatura import extract
    from trafilatura.settings import Extractor

    options = Extractor(fast=True, comments=False, tables=False, formatting=False)

    def text_of(html: str) -> str:
        return _BULLET.sub("", extract(html, options=options) or "")

    return text_of


def _letters(text: str) -> int:
    """Return the length without blanks, of which a short text of trafilatura's has too many."""
    return len(text) - text.count(" ")


def _simple_text(tree: LexborHTMLParser) -> str:
    """Return the text of the narrowest element that has enough; of equals, the longest."""
    for selector in _ARTICLE_ELEMENTS:
        texts = [_paragraphs(node) for node in tree.css(selector)[:_FEW]]
        text = max(texts, key=len, default="")
        if len(text) >= MIN_ARTICLE_CHARS:
            return text
    return ""


def _paragraphs(node: LexborNode) -> str:
    text = line(" ".join(one.text() for one in node.css("p")))
    if len(text) >= MIN_ARTICLE_CHARS:
        return text
    node.strip_tags(AROUND_TAGS)
    return line(node.text())
