"""Texts: which characters people may write, how a hostile text is shown, how a time is written.

The forbidden characters are listed by number. `str.isprintable` follows the Unicode version
of the interpreter, and a decision must not. Numbers are written by `units.to_decimal` and
`units.to_fraction`.
"""

import re
from functools import lru_cache
from typing import Final

from schemas.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

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


_MICROSECOND_NS: Final = 1_000
_MINUTE_CHARS: Final = len("2026-11-20T18:02")
_DAYS_TO_1970: Final = 719_468
"""From 1 March of the year 0 of the proleptic Gregorian calendar."""
_DAYS_OF_400_YEARS: Final = 146_097


def time_of(time_ns: int) -> str:
    """Write a time as RFC 3339 in UTC, cut to the microsecond.

    >>> time_of(1_700_000_000_123_456_789)
    '2023-11-14T22:13:20.123456Z'
    """
    days, rest = divmod(time_ns, DAY_NS)
    hours, rest = divmod(rest, HOUR_NS)
    minutes, rest = divmod(rest, MINUTE_NS)
    seconds, rest = divmod(rest, SECOND_NS)
    micros = rest // _MICROSECOND_NS
    return f"{_date(days)}T{hours:02d}:{minutes:02d}:{seconds:02d}.{micros:06d}Z"


def second_of(time: str) -> str:
    """Return a time that `time_of` wrote, to the second, for people.

    >>> second_of("2023-11-14T22:13:20.123456Z")
    '2023-11-14 22:13:20 UTC'
    """
    return f"{time.partition('.')[0].replace('T', ' ')} UTC"


def minute_of(time: str) -> str:
    """Return a time that `time_of` wrote, to the minute, for tables.

    >>> minute_of("2023-11-14T22:13:20.123456Z")
    '2023-11-14 22:13'
    """
    return time[:_MINUTE_CHARS].replace("T", " ")


@lru_cache(maxsize=16)
def _date(days: int) -> str:
    """Return the date that many days after 1 January 1970.

    The calendar repeats every 400 years. A year is counted from 1 March, so that the leap day
    is its last (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    """
    era, day = divmod(days + _DAYS_TO_1970, _DAYS_OF_400_YEARS)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    year += 400 * era + (month >= 10)
    month += 3 if month < 10 else -9
    return f"{year:04d}-{month:02d}-{day + 1:02d}"
