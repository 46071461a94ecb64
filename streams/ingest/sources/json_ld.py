"""JSON-LD: what a page says of itself in scripts that nobody runs.

Only what the page is about is looked at: the top of each script, its `@graph` and what it has
as `mainEntity`. A story that is mentioned, listed or part of something is another one.
"""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final

from streams.ingest.limits import MAX_JSON_LD_CHARS, MAX_JSON_LD_NODES

_DECODE: Final = json.JSONDecoder(strict=False).raw_decode
_OPENING: Final = re.compile(r"(?:\s|<!--|-->|//|/\*|\*/|<!\[CDATA\[)*")
_ABOUT: Final = ("@graph", "mainEntity")
_ARTICLE: Final = re.compile(r"(?:.*[/:#])?\w*(?:Article|Posting|Report)")
_ONE_DATE: Final = re.compile(r'"datePublished"\s*:\s*"([^"\\]{8,64})"')
_LEAST_TITLE_LETTERS: Final = 12


def nodes(scripts: Iterable[str]) -> list[dict[str, Any]]:
    """Return what the scripts say that the page is about, in their order, of each the outer first.

    Looks at MAX_JSON_LD_NODES values. A script that is no JSON, but has one date of
    publication, is a node with that.
    """
    found: list[dict[str, Any]] = []
    waiting: deque[Any] = deque(one for script in scripts for one in _decoded(script))
    for _ in range(MAX_JSON_LD_NODES):
        if not waiting:
            break
        one = waiting.popleft()
        if isinstance(one, list):
            waiting.extendleft(reversed(one))
        elif isinstance(one, dict):
            found.append(one)
            waiting.extendleft(one[name] for name in _ABOUT if name in one)
    return found


def the_article(found: Iterable[dict[str, Any]], urls: Iterable[str], title: str) -> dict[str, Any]:
    """Return the article that has one of the page's urls or its title, else the first, else {}."""
    articles = [one for one in found if is_article(one)]
    pages = {_page(url) for url in urls} - {""}
    by_url = (one for one in articles if pages & {_page(url) for url in _urls(one)})
    by_title = (one for one in articles if _is_titled(one, _letters(title)))
    return next(by_url, None) or next(by_title, None) or next(iter(articles), {})


def is_article(node: dict[str, Any]) -> bool:
    """Tell whether a node is a NewsArticle, a BlogPosting or anything of that kind."""
    kinds = node.get("@type")
    listed = kinds if isinstance(kinds, list) else [kinds]
    return any(isinstance(one, str) and _ARTICLE.fullmatch(one) for one in listed)


def is_paid(node: dict[str, Any]) -> bool:
    """Tell whether an article says that not everyone may read it."""
    return str(node.get("isAccessibleForFree", True)).lower() == "false"


def text_of(node: dict[str, Any], name: str) -> str:
    """Return a property that is a text or a number, else ""."""
    value = node.get(name)
    value = value[0] if isinstance(value, list) and value else value
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number or isinstance(value, str) else ""


def _decoded(script: str) -> Iterator[Any]:
    if len(script) > MAX_JSON_LD_CHARS:
        return
    opening = _OPENING.match(script)
    try:
        yield _DECODE(script, opening.end() if opening is not None else 0)[0]
    except (ValueError, RecursionError):
        dates = set(_ONE_DATE.findall(script))
        if len(dates) == 1:
            yield {"@type": "Article", "datePublished": dates.pop()}


def _urls(node: dict[str, Any]) -> Iterator[str]:
    for name in ("url", "@id", "mainEntityOfPage"):
        value = node.get(name)
        if isinstance(value, dict):
            yield from (text_of(value, "@id"), text_of(value, "url"))
        elif isinstance(value, str):
            yield value


def _page(url: str) -> str:
    """Return what names the page in a url: neither its scheme nor where in the page."""
    return re.sub(r"^https?://(?:www\.|m\.)?|[?#].*$", "", url.strip()).rstrip("/")


def _is_titled(node: dict[str, Any], title: str) -> bool:
    headline = _letters(text_of(node, "headline"))
    shorter = min(headline, title, key=len)
    return len(shorter) >= _LEAST_TITLE_LETTERS and (headline in title or title in headline)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
