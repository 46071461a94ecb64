"""Plain text out of HTML."""

import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from schemas.limits import MAX_LANGUAGE_CHARS
from schemas.texts import clean
from streams.ingest.limits import MAX_ITEM_CHARS

UNREAD_TAGS: Final = ["script", "style", "noscript", "template", "iframe", "svg", "object"]
"""Elements whose text is not shown to a reader."""

AROUND_TAGS: Final = ["nav", "header", "footer", "aside", "form", "button", "dialog"]
"""Elements around an article that are not part of it."""

_BLOCKS: Final = re.compile(
    r"</?(?:address|article|aside|blockquote|body|br|button|caption|center|dd|details|dialog|dir"
    r"|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|header|hr|input|legend|li|main|menu"
    r"|nav|ol|optgroup|option|p|pre|section|select|summary|table|tbody|td|textarea|tfoot|th|thead"
    r"|title|tr|ul)[\s/>]",
    re.IGNORECASE,
)
"""Where a browser ends one run of text and begins another."""
_LOOKED_AT_CHARS: Final = 4 * MAX_ITEM_CHARS
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def line(text: str, max_chars: int = MAX_ITEM_CHARS) -> str:
    """Return `text` printable, with white space as single blanks, cut to `max_chars`."""
    return clean(" ".join(text[:_LOOKED_AT_CHARS].split()), max_chars).strip()


def blocks_apart(html: str) -> str:
    """Return HTML with a blank at each border of a block, so that its text needs no separator.

    A blank at each tag would make `U. S.` of `U.<small>S.</small>`.
    """
    return _BLOCKS.sub(r" \g<0>", html)


def of_html(text: str) -> str:
    """Return the visible text of a piece of HTML as one line."""
    if "<" not in text and "&" not in text:
        return line(text)
    tree = LexborHTMLParser(blocks_apart(text))
    tree.strip_tags(UNREAD_TAGS)
    return line(tree.body.text() if tree.body is not None else "")


def language(text: str | None) -> str:
    """Return `text` if it is a language tag, else ""."""
    tag = (text or "").strip().replace("_", "-")
    return tag if len(tag) <= MAX_LANGUAGE_CHARS and _LANGUAGE.fullmatch(tag) else ""
