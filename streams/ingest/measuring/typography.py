"""Typography: one text as publishers set it in many ways, normalized for measuring.

Of 51 English publishers 42 write `isn’t` where word lists and names have `isn't`. The normalized
text is for measuring alone: what is shown, stored and hashed stays as it was published.

What changes a meaning is left: accents, dashes, superscripts, and letters of other scripts
that only look like Latin ones.
"""

import re
from functools import cache
from typing import Final
from unicodedata import is_normalized, normalize

TYPOGRAPHY: Final = "typography/1"
"""The version of these rules. It stands beside the name of whatever measured a normalized text."""

_DROPPED: Final = (
    "\u00ad\u034f\u061c\u180e"  # soft hyphen, joiner of graphemes, marks of order
    "\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"  # no width, or marks of order
    "\ufe00-\ufe0f\U000e0000-\U000e01ef"  # which variant of a character is drawn
)
_BLANKS: Final = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_LINES: Final = "\u0085\u2028\u2029"
_APOSTROPHES: Final = "\u2018-\u201b\u2032\u02bb\u02bc\u00b4\u2039\u203a"
_QUOTES: Final = "\u201c-\u201f\u2033\u00ab\u00bb"
_HYPHENS: Final = "\u2010-\u2012\u2212\ufe63"
_COMPOUND: Final = (
    "\u2024-\u2026\ufb00-\ufb06\u0132\u0133"  # dots and ligatures
    "\uff01-\uff5e\U0001d400-\U0001d7ff"  # full-width forms, letters drawn bold or in italics
)
_SHOWN: Final = (
    (_DROPPED, ""),
    (_BLANKS, " "),
    (_LINES, "\n"),
    (_APOSTROPHES, "'"),
    (_QUOTES, '"'),
    (_HYPHENS, "-"),
)
_CLASSES: Final = tuple((re.compile(f"[{some}]"), one) for some, one in _SHOWN)
_ODD: Final = re.compile(f"[{''.join(some for some, _ in _SHOWN)}{_COMPOUND}]+")


def normalized(text: str) -> str:
    """Return `text` as it is measured. A normalized text is returned as it is.

    Quotes, hyphens and blanks become those of ASCII, ligatures and full-width forms their
    letters, accents one character with their letter (NFC); soft hyphens and what has no width
    are dropped. It is at most three times as long.

    >>> normalized("The\u00a0bank\u2019s co\u00adop \ufb01nds it \u201cnon\u2011core\u201d\u2026")
    'The bank\'s coop finds it "non-core"...'
    """
    if text.isascii():
        return text
    return _composed(_ODD.sub(_replaced, _composed(text)))


def stated(name: str) -> str:
    """Return the name under which a measure of normalized texts is recorded."""
    return f"{name} {TYPOGRAPHY}"


def _replaced(match: re.Match[str]) -> str:
    return "".join(map(_character, match[0]))


@cache
def _character(odd: str) -> str:
    for some, one in _CLASSES:
        if some.match(odd):
            return one
    return normalize("NFKC", odd)


def _composed(text: str) -> str:
    return text if is_normalized("NFC", text) else normalize("NFC", text)
