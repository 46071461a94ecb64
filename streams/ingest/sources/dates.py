"""Dates as feeds and pages write them, or none.

A date that could be two is none: 03/04/2026 is read only where other dates of the same feed
tell the order, and a zone whose name means several is no zone. Nothing is filled in from a
clock: what lacks its year, month or day is no date. A date without a time is its midnight, and
one without a zone is in UTC; `WrittenDate` says what it had, so that another date of the same
page may do better.

The names of months and days are CLDR's, in 35 languages (`calendar_words.tsv`); those that
are two months are left out.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from schemas.units import SECOND_NS

Order = Literal["dmy", "mdy", "ymd", ""]
"""How a date of three numbers is written, "" if nobody can tell."""

_MAX_DATE_CHARS: Final = 100
_YEARS: Final = range(1969, 2263)
"""Those in which some moments fit the log's nanoseconds."""
_END_NS: Final = 2**63
_DAY_S: Final = 86_400
_MAX_OFFSET_MIN: Final = 14 * 60
_ZONES: Final = (
    (0, "z ut utc gmt wet"), (60, "west cet mez met"), (120, "cest mesz mest eet sast"),
    (180, "eest msk"), (300, "pkt"), (420, "wib"), (480, "sgt hkt awst"), (540, "jst kst"),
    (570, "acst"), (600, "aest"), (630, "acdt"), (660, "aedt"), (720, "nzst"), (780, "nzdt"),
    (-180, "brt"), (-240, "edt"), (-300, "est cdt"), (-360, "cst mdt"), (-420, "mst pdt"),
    (-480, "pst akdt"), (-540, "akst"), (-600, "hst"),
)  # fmt: skip
"""Minutes ahead of UTC. EST to PDT mean what RFC 822 says; BST, IST and AST mean too much."""
_ZONES_MIN: Final = {name: at for at, names in _ZONES for name in names.split()}
_EAST_ASIAN: Final = str.maketrans("年月년월時时分분日일秒", "----:::: " + "  ")
_SIGNS: Final = str.maketrans({"−": "-", "–": "-", "’": "'"})
_EAST_ASIAN_DAY: Final = re.compile(r"\(\w\)")
_EAST_ASIAN_HALF: Final = re.compile(
    r"(?:(오전|午前|上午)|오후|午後|下午)\s*(\d\d?(?:\s*[:時时]\s*\d\d?)*)"
)
_PLACES: Final = {
    "et": "america/new_york",
    "ct": "america/chicago",
    "mt": "america/denver",
    "pt": "america/los_angeles",
}
"""What Americans call their zones in summer as in winter."""
_OFFSET: Final = r"(?P<sign>[+-])\s*(?P<off_h>\d\d?)(?::?(?P<off_m>\d\d))?(?!\d)"
_NAMES: Final = "|".join(_ZONES_MIN)
_ZONE: Final = (
    # After an offset its zone's name may follow, which then says nothing more.
    rf"(?:(?:{_NAMES})?\s*{_OFFSET}(?:\s*\([^()]*\)|\s*\[[^\[\]]*\]|\s*(?:z|[a-z]{{3,5}})$)?"
    rf"|z?\s*\[?\b(?P<place>[a-z]+(?:/[a-z_]+){{1,2}}|{'|'.join(_PLACES)})\b\]?"
    rf"|\(?(?P<zone>{_NAMES})\b\)?)"
)
_TIME: Final = re.compile(
    r"(?<![\d+-])(?P<hour>\d\d?)"
    r"(?:\s*[:h]\s*(?P<minute>\d\d?)(?:\s*:\s*(?P<second>\d\d?)(?:[.,]\d+)?)?"
    r"(?:\s*(?P<half>[ap])\.?m\b\.?)?|\s*(?P<half_of_hour>[ap])\.?m\b\.?)(?![\d:])"
    rf"(?:\s*(?:uhr|h|hs|hrs)\b\.?)?(?:\s*{_ZONE})?"
)
_ZONE_OF_A_DAY: Final = re.compile(rf"(?<=\d)\s*(?:(?=\+\d\d:|z|utc|gmt){_ZONE})$")
_BETWEEN: Final = re.compile(
    r"[\s,|-]*(?:\b(?:at|um|kl|klo|a|as|alle|t)\b\.?)?[\s,:|-]*$|(?<=\d)t$"
)
"""What stands between a day and its time."""
_FIGURES: Final = re.compile(
    r"(\d{4})(\d\d)(\d\d)(?:\s?t?\s?(\d\d)(\d\d)(\d\d)?(?:\.\d+)?(\s?[a-z+-].*)?)?"
)
_SINCE_1970: Final = re.compile(r"(\d{10})(?:\d{3})?(?:\.\d+)?")
"""Seconds or milliseconds: of as many figures, they are the years 2001 to 2286."""

_WEEKDAY: Final = r"(?:(?P<weekday>[^\W\d_]+)\b[\s.,]*)?"
_MONTH: Final = r"(?P<name>[^\W\d_]{2,})"
_DAY: Final = r"(?P<day>\d\d?)"
_YEAR: Final = r"(?P<year>\d{4})"
_GAP: Final = r"(?:[\s,./-]|\b(?:de|del|di|of)\b)*"
_END: Final = r"[\s.,]*(?P<after>\b[^\W\d_]+)?[\s.]*"
_FORMS: Final = tuple(
    re.compile(_WEEKDAY + form + _END)
    for form in (
        rf"{_YEAR}\s*(?P<mark>[-/.])\s*(?P<number>\d\d?)\s*(?P=mark)\s*{_DAY}",
        rf"{_DAY}(?:st|nd|rd|th|er|o|a)?{_GAP}{_MONTH}{_GAP}'?(?P<year>\d{{2,4}})",
        rf"{_MONTH}{_GAP}{_DAY}(?:st|nd|rd|th)?{_GAP}{_YEAR}",
        rf"{_YEAR}{_GAP}{_MONTH}{_GAP}{_DAY}",
    )
)
_YEAR_WORDS: Final = ("r", "g", "г")
_NUMBERS: Final = re.compile(
    rf"{_WEEKDAY}(\d\d?)\s*(?P<mark>[-/.]|(?<=\d) )\s*(\d\d?)\s*(?P=mark)\s*(\d{{4}}|\d\d){_END}"
)


class WrittenDate(NamedTuple):
    """A date in ns since 1970, and what was written of its time and its zone.

    `offset_min` are the zone's minutes ahead of UTC, None if no zone was written.
    """

    at_ns: int
    timed: bool
    offset_min: int | None


class _Words(NamedTuple):
    months: dict[str, int]
    weekdays: dict[str, frozenset[int]]


def read_date(text: str | None, order: Order = "") -> WrittenDate | None:
    """Return the date in `text`, or None if it has none, a part of one, or one of several."""
    plain = _folded(text or "")
    if (since := _SINCE_1970.fullmatch(plain)) is not None:
        return _written(datetime(1970, 1, 1), int(since[1]), timed=True, offset_min=0)
    day, time = _split(plain)
    midnight = _day(day, order)
    if midnight is None:
        return None
    if time is None:
        return _written(midnight, 0, timed=False, offset_min=None)
    past_s = _past_midnight_s(time)
    if past_s is None:
        return None
    try:
        offset_min = _offset_min(time, midnight + timedelta(seconds=past_s))
    except (LookupError, ValueError):
        return None
    is_timed = time.groupdict().get("hour") is not None
    return _written(midnight, past_s, timed=is_timed, offset_min=offset_min)


def moment(text: str | None, order: Order = "") -> int | None:
    """Return the date in `text` in ns since 1970, or None. See `read_date`."""
    found = read_date(text, order)
    return found.at_ns if found is not None else None


def order_of(texts: Iterable[str]) -> Order:
    """Return how those of `texts` that are dates of numbers are all written, if they tell."""
    orders: set[Order] = {"dmy", "mdy", "ymd"}
    for text in texts:
        possible = _readings(_split(_folded(text))[0])
        orders &= set(possible) or orders
    return orders.pop() if len(orders) == 1 else ""


def _written(
    midnight: datetime, past_s: int, *, timed: bool, offset_min: int | None
) -> WrittenDate | None:
    since = midnight.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    at_ns = (since.days * _DAY_S + past_s - (offset_min or 0) * 60) * SECOND_NS
    return WrittenDate(at_ns, timed, offset_min) if 0 <= at_ns < _END_NS else None


def _folded(text: str) -> str:
    """Return a text of one line in small letters without accents, "" if it is too long."""
    if len(text) > _MAX_DATE_CHARS:
        return ""
    text = _EAST_ASIAN_DAY.sub("", text)
    text = _EAST_ASIAN_HALF.sub(lambda half: f"{half[2]} {'am' if half[1] else 'pm'}", text)
    text = text.translate(_EAST_ASIAN).translate(_SIGNS)
    folded = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(one for one in folded if not unicodedata.combining(one))
    return " ".join(plain.split()).rstrip(": ")


def _split(plain: str) -> tuple[str, re.Match[str] | None]:
    """Return what is left for the day, and the time with its zone."""
    if (found := _FIGURES.fullmatch(plain)) is not None:
        year, month, day, hour, minute, second, zone = found.groups()
        plain = f"{year}-{month}-{day}"
        plain += f" {hour}:{minute}:{second or '00'}{zone or ''}" if hour else ""
    time = _TIME.search(plain) or _ZONE_OF_A_DAY.search(plain)
    if time is None:
        return plain, None
    before = _BETWEEN.sub("", plain[: time.start()])
    after = plain[time.end() :].strip(" ,|-")
    if after.isalpha():
        return "", None  # a zone that nobody knows
    return f"{before} {after}".strip(), time


def _past_midnight_s(time: re.Match[str]) -> int | None:
    said = time.groupdict()
    hour, minute, second = (int(said.get(name) or 0) for name in ("hour", "minute", "second"))
    half = said.get("half") or said.get("half_of_hour")
    if half is not None and not 1 <= hour <= 12 and not (half == "p" and 12 < hour < 24):
        return None
    if half is not None and hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    past_s = (hour * 60 + minute) * 60 + second
    return past_s if minute < 60 and second <= 60 and past_s <= _DAY_S else None


def _offset_min(time: re.Match[str], local: datetime) -> int | None:
    """Return the zone's minutes ahead of UTC, None if there is none.

    Raises LookupError or ValueError if it is none that anybody has.
    """
    said = time.groupdict()
    if said["place"] is not None:
        place = _places()[_PLACES.get(said["place"], said["place"])]
        offset = ZoneInfo(place).utcoffset(local)
        return None if offset is None else round(offset.total_seconds() / 60)
    if said["sign"] is None:
        return None if said["zone"] is None else _ZONES_MIN[said["zone"]]
    hours, minutes = int(said["off_h"]), int(said["off_m"] or 0)
    offset_min = hours * 60 + minutes
    if minutes > 59 or offset_min > _MAX_OFFSET_MIN:
        raise ValueError
    return -offset_min if said["sign"] == "-" else offset_min


@cache
def _places() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


def _day(text: str, order: Order) -> datetime | None:
    for form in _FORMS:
        found = form.fullmatch(text)
        if found is None:
            continue
        said = found.groupdict()
        if not _are_no_more(said["weekday"], said["after"]):
            continue
        month = int(said["number"]) if "number" in said else _words().months.get(said["name"], 0)
        return _date(_full_year(said["year"]), month, int(said["day"]))
    readings = _readings(text)
    if order in readings:
        return readings[order]
    if len(set(readings.values())) == 1:
        return next(iter(readings.values()))
    # With points between them and four figures for the year, the day comes first everywhere.
    return readings.get("dmy") if re.search(r"\.\s*\d{4}\b", text) else None


def _readings(text: str) -> dict[Order, datetime]:
    """Return what a date of three numbers could be, by order; its weekday has a say."""
    found = _NUMBERS.fullmatch(text)
    if found is None:
        return {}
    weekday, one, _, two, three, after = found.groups()
    if not _are_no_more(weekday, after):
        return {}
    orders: list[tuple[Order, str, str, str]] = [("dmy", three, two, one), ("mdy", three, one, two)]
    if len(three) == 2:
        orders.append(("ymd", one.rjust(2, "0"), two, three))
    dates = {order: _date(_full_year(y), int(m), int(d)) for order, y, m, d in orders}
    possible = {order: date for order, date in dates.items() if date is not None}
    days = _words().weekdays.get(weekday or after or "", frozenset())
    return {o: date for o, date in possible.items() if date.isoweekday() in days} or possible


def _are_no_more(*names: str | None) -> bool:
    """Tell whether each of these is a day's name or stands for `year`, where it is there."""
    return all(name is None or name in _words().weekdays or name in _YEAR_WORDS for name in names)


def _full_year(figures: str) -> int:
    """Return the year as RFC 5322 4.3 has it."""
    year = int(figures)
    return year + {2: 2000 if year < 50 else 1900, 3: 1900}.get(len(figures), 0)


def _date(year: int, month: int, day: int) -> datetime | None:
    try:
        return datetime(year, month, day) if year in _YEARS else None
    except ValueError:
        return None


@cache
def _words() -> _Words:
    text = (files(__package__) / "calendar_words.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()]
    months = {name: int(n) for what, n, names in rows if what == "month" for name in names.split()}
    weekdays: dict[str, frozenset[int]] = {}
    for what, n, names in rows:
        for name in names.split() if what == "weekday" else ():
            weekdays[name] = weekdays.get(name, frozenset()) | {int(n)}
    return _Words(months, weekdays)
