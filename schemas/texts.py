"""Texts that people write: what may stand in one, and how a hostile one is shown.

The forbidden characters are listed by number, not asked of `str.isprintable`: that
follows the Unicode version of the interpreter, and a decision must not.
"""

import re
from typing import Final

_FORBIDDEN: Final = (
    "\x00-\x1f\x7f-\x9f"  # control characters; NUL cannot be stored in a Postgres text
    "\u2028\u2029"  # line separators
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that make text read in another order
    "\ufeff\ufffe\uffff\ud800-\udfff"  # no characters at all
)
_HOSTILE = re.compile(f"[{_FORBIDDEN}]")
_SHOWN_FOR_HOSTILE: Final = "\ufffd"


def is_line(text: str, max_chars: int) -> bool:
    """Tell whether `text` is 1 to `max_chars` printable characters with no space at an end."""
    return (
        0 < len(text) <= max_chars
        and _HOSTILE.search(text) is None
        and not text.startswith(" ")
        and not text.endswith(" ")
    )


def is_text(text: str, max_chars: int) -> bool:
    """Tell whether `text` is at most `max_chars` printable characters and line feeds."""
    return len(text) <= max_chars and _HOSTILE.search(text.replace("\n", "")) is None


def clean(text: str, max_chars: int) -> str:
    """Return `text` cut to `max_chars`, with U+FFFD for what is not printable."""
    return _HOSTILE.sub(_SHOWN_FOR_HOSTILE, text[:max_chars])
