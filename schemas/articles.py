"""What identifies an article, wherever it came in, and what its title says that it is."""

import re
from typing import Final, Literal

from schemas.chain import digest
from schemas.links import canonical

Notice = Literal["", "correction", "retraction"]
"""What an article is by its title's leading words; empty for one that only tells."""

PAGE_CHARS: Final = 16

_WORD: Final = (
    r"(?P<retraction>retract(?:ed|ion|s)?|withdrawn|withdrawal|withdraws)"
    r"|(?P<correction>correct(?:ed|ion|ions|s)|erratum|errata|corrigendum|clarif(?:ication|ies|ied)"
    r"|amend(?:ed|s)|updat(?:e|es|ed)|refil(?:e|es|ed)|recast(?:s)?)"
)
_AHEAD: Final = (
    r"[\s\"'(\[*\u2018\u201c]*(?:(?:advisory|(?:publisher|author)(?:'s|\u2019s)?)\s?[-:]?\s?)?"
    r"(?:(?:update|refile)\s?\d*\s?[-:]\s?)?"
)
_NUMBER: Final = r"(?:\s?\d{1,2})?"
_MARK: Final = r"[\"'\u2019\u201d]?(?:\s*[:\])|\u2013\u2014]|\s+-\s|\s*$)"
_TO: Final = r"\s+(?:to|note|notice|article|story|version)\s*[:\])]"
_MARKED: Final = re.compile(
    rf"{_AHEAD}(?:{_WORD}){_NUMBER}(?:{_MARK}|{_TO})", re.IGNORECASE | re.ASCII
)
"""The word with a mark behind it, or alone: `Correction: ...`, `[Retracted] ...`, `Update 2:`."""
_SHOUTED: Final = re.compile(rf"{_AHEAD}(?:{_WORD}){_NUMBER}[-\s]", re.IGNORECASE | re.ASCII)
_EXPLAINED: Final = re.compile(
    r"[\s\"'\u201c]*[(\[]\s*(?:(?P<retraction>retracts|withdraws)"
    r"|(?P<correction>corrects|refiles|updates|adds|recasts|clarifies|amends)"
    r"|this (?:\w+\.? \d{1,2} )?(?:story|version|article|item)\b[^)\]]{0,80}\bcorrect(?:s|ed)\b)",
    re.IGNORECASE | re.ASCII,
)
"""How the desks of agencies explain a later version: `(Corrects to say profit fell)`."""
_AT_THE_END: Final = re.compile(rf"[(\[]\s*(?:{_WORD})\s*[)\]]\s*$", re.IGNORECASE | re.ASCII)


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


def notice(title: str, text: str = "") -> Notice:
    """Return what a title, and how its text begins, say that their article is.

    A word such as CORRECTION, RETRACTED or UPDATE counts at the beginning of the title with a mark
    behind it, alone, or in capitals before words that are not all capitals, and in brackets at its
    end. An agency's explanation counts at the beginning of either, such as `(Corrects to ...)`.
    What is further inside does not count.

    >>> notice("CORRECTED-Acme profit falls 10%"), notice("Retraction: the Acme study")
    ('correction', 'retraction')
    >>> notice("UPDATE 2-Acme profit falls"), notice("Acme falls", "(Refiles to add a word) Acme")
    ('correction', 'correction')
    >>> notice("Correction officers strike"), notice("Correction-fluid maker soars")
    ('', '')
    """
    match = (
        _MARKED.match(title)
        or _shouted(title)
        or _AT_THE_END.search(title)
        or _EXPLAINED.match(title)
        or _EXPLAINED.match(text)
    )
    if match is None:
        return ""
    return "retraction" if match["retraction"] else "correction"


def _shouted(title: str) -> re.Match[str] | None:
    match = _SHOUTED.match(title)
    if match is None:
        return None
    word = match["retraction"] or match["correction"]
    return match if word.isupper() and not title[match.end() :].isupper() else None
