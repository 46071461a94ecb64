"""What a `push` source sends: an article in canonical JSON, signed by the source's push key."""

import re
from typing import Final

from schemas.codec import Codec, Message
from schemas.limits import (
    MAX_EVENT_ID_CHARS,
    MAX_LANGUAGE_CHARS,
    MAX_PUSHED_TEXT_CHARS,
    MAX_TITLE_CHARS,
)
from schemas.sources import url_problem
from schemas.subjects import is_source
from schemas.texts import is_line, is_text

_EVENT_ID: Final = re.compile(rf"[!-~]{{1,{MAX_EVENT_ID_CHARS}}}")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
_MAX_INT64: Final = 2**63 - 1


class PushedArticle(Message, tag="pushed_article/1", frozen=True, kw_only=True):
    """One article as its source states it (EM-110).

    `event_id` is the source's own: one that was used stands for the same article for good.
    `url`, `text` and `language` may be empty, `published_ns` unknown. `venue_id` ties the
    signature to one venue.
    """

    source: str
    event_id: str
    url: str
    title: str
    text: str
    language: str
    published_ns: int | None
    venue_id: str


PUSHES: Codec[PushedArticle] = Codec(PushedArticle)


def problem(pushed: PushedArticle) -> tuple[str, str] | None:
    """Return the field of `pushed` that is wrong and what is wrong with it, or None."""
    if not is_source(pushed.source):
        return "source", "2 to 32 of a-z, 0-9, _ and -, a letter first"
    if not _EVENT_ID.fullmatch(pushed.event_id):
        return "event_id", f"1 to {MAX_EVENT_ID_CHARS} printable ASCII characters without spaces"
    if not is_line(pushed.title, MAX_TITLE_CHARS):
        return "title", f"one line of 1 to {MAX_TITLE_CHARS} printable characters"
    if not is_text(pushed.text, MAX_PUSHED_TEXT_CHARS):
        return "text", f"at most {MAX_PUSHED_TEXT_CHARS} printable characters and line feeds"
    return claim_problem(pushed.url, pushed.language, pushed.published_ns)


def claim_problem(url: str, language: str, published_ns: int | None) -> tuple[str, str] | None:
    """Return which claim about an article is wrong and what is wrong with it, or None."""
    if url and (wrong := url_problem(url)) is not None:
        return "url", wrong
    if not is_language(language):
        return "language", "a language tag such as en, or empty"
    if published_ns is not None and not 0 <= published_ns <= _MAX_INT64:
        return "published_ns", "nanoseconds since 1970 UTC, in 63 bits, or null"
    return None


def is_language(text: str) -> bool:
    """Tell whether `text` is shaped like a language tag (RFC 5646), or empty."""
    return not text or (len(text) <= MAX_LANGUAGE_CHARS and _LANGUAGE.fullmatch(text) is not None)
