"""What identifies an article, wherever it came in, and what its title says that it is."""

import re
from typing import Final, Literal

from schemas.chain import digest
from schemas.links import canonical

Notice = Literal["", "correction", "retraction"]
"""What an article is by its title's leading words; empty for one that only tells."""

PAGE_CHARS: Final = 16

_WORD: Final = (
    r"(?P<retraction>retract(?:ed|ion|s)?|withdrawn|withdrawal)"
    r"|(?P<correction>correct(?:ed|ion|ions|s)|erratum|corrigendum|clarification)"
)
_AHEAD: Final = r"[\s\"'(\[*\u2018\u201c]*(?:(?:update|refile|advisory)\s?\d*\s?[-:]\s?)?"
_MARK: Final = r"[\"'\u2019\u201d]?(?:\s*[:\])|\u2013\u2014]|\s+-\s|\s*$)"
_MARKED: Final = re.compile(rf"{_AHEAD}(?:{_WORD}){_MARK}", re.IGNORECASE | re.ASCII)
"""The word with a mark behind it, or alone: `Correction: ...`, `[Retracted] ...`."""
_SHOUTED: Final = re.compile(rf"{_AHEAD}(?:{_WORD})[-\s]", re.IGNORECASE | re.ASCII)


def snapshot_id(title: str, text: str) -> str:
    """Return the SHA-256, in hex, of an article's whole content (EM-11)."""
    return digest(f"{title}\n{text}".encode())


def locator(url: str, published_ns: int | None) -> str:
    """Return the SHA-256, in hex, of where and when an article was published."""
    return digest(f"{url}|{'' if published_ns is None else published_ns}".encode())


def page(url: str) -> str:
    """Return by what a later version of the same page is known: PAGE_CHARS of a SHA-256.

    It is empty without a URL. Urls that lead to the same page (`schemas.links`) have the same.
    Only pages of one source are ever compared.
    """
    return digest(canonical(url).encode())[:PAGE_CHARS] if url else ""


def notice(title: str) -> Notice:
    """Return what the leading words of a title say that its article is.

    A word such as CORRECTION or RETRACTED counts with a mark behind it, alone, or in capitals
    before words that are not all capitals. What is further inside the title does not count.

    >>> notice("CORRECTED-Acme profit falls 10%"), notice("Retraction: the Acme study")
    ('correction', 'retraction')
    >>> notice("Correction officers strike"), notice("Correction-fluid maker soars")
    ('', '')
    """
    match = _MARKED.match(title) or _shouted(title)
    if match is None:
        return ""
    return "retraction" if match["retraction"] else "correction"


def _shouted(title: str) -> re.Match[str] | None:
    match = _SHOUTED.match(title)
    if match is None:
        return None
    word = match["retraction"] or match["correction"]
    return match if word.isupper() and not title[match.end() :].isupper() else None
