"""Plain text out of HTML."""

import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from schemas.limits import MAX_LANGUAGE_CHARS
from schemas.texts import clean
from streams.ingest.limits import MAX_ITEM_CHARS

UNREAD_TAGS: Final = ["script", "style", "noscript", "template", "iframe", "svg", "object"]
"""Elements whose text is not shown to a reader."""

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def line(text: str, max_chars: int = MAX_ITEM_CHARS) -> str:
    """Return `text` printable, with white space as single blanks, cut to `max_chars`."""
    return clean(" ".join(text.split()), max_chars).strip()


def of_html(text: str) -> str:
    """Return the visible text of a piece of HTML as one line."""
    if "<" not in text and "&" not in text:
        return line(text)
    tree = LexborHTMLParser(text)
    tree.strip_tags(UNREAD_TAGS)
    return line(tree.body.text(separator=" ") if tree.body is not None else "")


def language(text: str | None) -> str:
    """Return `text` if it is a language tag, else ""."""
    tag = (text or "").strip().replace("_", "-")
    return tag if len(tag) <= MAX_LANGUAGE_CHARS and _LANGUAGE.fullmatch(tag) else ""
