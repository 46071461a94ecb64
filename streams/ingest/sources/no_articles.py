"""Pages that say why there is no article: blocked, not found, wanting a consent or a script.

They come with the status 200, and with words that would move a score ("denied", "error"). A
page is one by its whole title, or by a sentence at the beginning of a short text. A page that
declares an article, in JSON-LD or as its og:type, may have one about any of this. The phrases
are in `no_articles.tsv`: why, where it stands, and the expression for it.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from schemas.observations import FetchProblem
from streams.ingest.fetching.problems import Unfetched

_SHORT_CHARS: Final = 800
_BEGINNING_CHARS: Final = 400
_LONG_CHARS: Final = 5_000
"""No page of these is so long, but that of a lost article may list others."""
_CONSENT_PERCENT: Final = 4
"""Of all words of a text that asks for consent, more are about that,"""
_FEW_WORDS: Final = 4
"""and more than these."""

_DETAILS: Final = {
    "robot": "asks whether a person reads it",
    "script": "asks for a script",
    "consent": "asks for consent",
    "lost": "says that it was not found",
    "denied": "says that access is denied",
}
_SITE: Final = re.compile(r"\s+[|\-–—·•:]\s+|\s*[|·•]\s*")
_EDGES: Final = " .…!?:-–—"
_WORD: Final = re.compile(r"\w+")
_ABOUT_CONSENT: Final = re.compile(
    r"cookies?|consent|partners?|privacy|advertising|preferences|personali[sz]ed"
    r"|einwilligung|datenschutz\w*|werbung|partnern|zwecke"
    r"|consentement|partenaires|publicités?|confidentialité|consenso|privacidad|consentimiento"
)


class _Phrases(NamedTuple):
    titles: dict[str, re.Pattern[str]]
    """Whole titles, or what is left of one without the name of the site."""
    sentences: dict[str, re.Pattern[str]]


def check_article(title: str, text: str, *, declared: bool) -> None:
    """Raise Unfetched if the page is no article. `declared`: it says that it is one.

    The problem is NO_TEXT where a browser may show an article, else NO_ARTICLE.
    """
    why = _why_not(title, text, declared=declared)
    if why:
        problem = FetchProblem.NO_TEXT if why == "script" else FetchProblem.NO_ARTICLE
        raise Unfetched(problem, _DETAILS[why])


def _why_not(title: str, text: str, *, declared: bool) -> str:
    is_short = len(text) < _SHORT_CHARS
    if declared and not is_short:
        return ""
    why = _by_title(title)
    if why and (declared or why == "lost" or len(text) < _LONG_CHARS):
        return why
    if declared:
        return ""
    if is_short and (why := _by_sentence(text)):
        return why
    return "consent" if _asks_for_consent(text) else ""


def _by_title(title: str) -> str:
    whole = title.casefold()
    parts = [part.strip(_EDGES) for part in (whole, *_SITE.split(whole))]
    titles = _phrases().titles
    return next((why for why, told in titles.items() if any(map(told.fullmatch, parts))), "")


def _by_sentence(text: str) -> str:
    beginning = text[:_BEGINNING_CHARS].casefold()
    return next((why for why, told in _phrases().sentences.items() if told.search(beginning)), "")


def _asks_for_consent(text: str) -> bool:
    if len(text) >= _LONG_CHARS or "cookie" not in text.casefold():
        return False
    words = _WORD.findall(text.casefold())
    about = sum(_ABOUT_CONSENT.fullmatch(word) is not None for word in words)
    return about > _FEW_WORDS and about * 100 > len(words) * _CONSENT_PERCENT


@cache
def _phrases() -> _Phrases:
    text = (files(__package__) / "no_articles.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()]
    told = {
        where: {
            why: re.compile("|".join(p for w, at, p in rows if (w, at) == (why, where)))
            for why in {w: None for w, at, _ in rows if at == where}
        }
        for where in ("title", "text")
    }
    return _Phrases(told["title"], told["text"])
