"""Plain text out of HTML, and dates out of texts."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from schemas.limits import MAX_LANGUAGE_CHARS
from schemas.texts import clean
from schemas.units import SECOND_NS
from streams.ingest.limits import MAX_ITEM_CHARS

UNREAD_TAGS: Final = ["script", "style", "noscript", "template", "iframe", "svg", "object"]
"""Elements whose text is not shown to a reader."""

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END_NS: Final = 2**63


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


def moment(text: str | None) -> int | None:
    """Return the date in `text` (ISO 8601 or RFC 5322) in ns since 1970, or None.

    A date without a zone counts as UTC. A date outside 1970..2262 gives None.
    """
    text = (text or "").strip()[:64]
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return in_range(_since_epoch_s(parse(text)) * SECOND_NS)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def in_range(at_ns: int) -> int | None:
    """Return `at_ns` if it can be a time on the log."""
    return at_ns if 0 <= at_ns < _END_NS else None


def _since_epoch_s(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    past = moment - _EPOCH
    return past.days * 86_400 + past.seconds
