"""Dates as they are written: read, or none; never another one."""

from datetime import UTC, datetime

import pytest
from babel.dates import get_month_names
from hypothesis import given
from hypothesis import strategies as st

from schemas.units import SECOND_NS
from streams.ingest.sources import rss
from streams.ingest.sources.dates import Order, moment, order_of, read_date
from streams.ingest.sources.model import Document
from tests.support.drawing import drawn

READ = """
2026-06-29T10:00 = 2026-06-29T10:00:00Z
2026-06-29T10:00 = Mon, 29 Jun 2026 10:00:00
2026-06-29T15:07 = 2026/06/29 15:07:41
2026-06-29T15:07 = 2026/06/29 15:07
2026-06-29T10:00 = 2026-06-29 10:00:00 UTC
2026-06-29T00:00 = Jun 29, 2026
2026-06-29T20:07 = June 29, 2026 3:07 PM EST
2026-06-29T10:00 = June 29th, 2026 at 10:00 am
2026-06-29T10:00 = June 29, 2026 10am
2026-06-29T10:00 = Mon, 29 Jun 26 10:00 GMT
2026-06-29T08:00 = Mon, 29 Jun 2026 10:00 +0200
2026-06-29T09:00 = Tue, 29 Jun 2026 10:00:00 GMT+0100
2026-06-29T08:00 = Mon Jun 29 2026 10:00:00 GMT+0200 (Central European Summer Time)
2026-06-29T10:00 = Mon Jun 29 10:00:00 2026
2026-06-29T10:00 = Mon Jun 29 10:00:00 UTC 2026
2026-06-29T14:00 = Mon Jun 29 10:00:00 EDT 2026
2026-06-29T10:00 = 2026-06-29 T 10 : 00 : 00 Z
2026-06-29T10:00 = 2026 - 06 - 29 10:00
2026-06-29T10:00 = 1782727200
2026-06-29T10:00 = 1782727200000
2026-06-29T00:00 = 20260629
2026-06-29T10:00 = 20260629T100000Z
2026-06-29T10:00 = 20260629100000
2026-06-29T15:07 = 29. Juni 2026, 15:07 Uhr
2026-06-29T15:07 = 29 juin 2026 à 15h07
2026-06-29T15:07 = Lundi 29 juin 2026 - 15:07
2026-06-29T08:00 = Mo, 29 Jun 2026 10:00:00 +0200
2026-06-29T00:00 = 29 de junio de 2026
2026-06-29T10:00 = 29 июня 2026 г. 10:00
2026-06-29T10:00 = 29 июня 2026, 10:00
2026-06-29T10:00 = 29.06.2026 10:00
2026-06-29T00:00 = 29.06.2026
2026-04-03T00:00 = 03.04.2026
2026-06-29T10:00 = 06/29/2026 10:00:00 AM
2026-06-29T10:00 = 29/06/2026 10:00
2026-04-04T00:00 = 04/04/2026
2026-06-29T00:00 = 06/29/26
2026-06-29T15:07 = 2026年6月29日 15:07
2026-06-29T15:07 = 2026年6月29日(月) 15時07分
2026-06-29T15:07 = 2026年06月29日 15时07分41秒
2026-06-29T15:07 = 2026년 6월 29일 15:07
2026-06-29T15:07 = 2026. 6. 29. 15:07
2026-06-29T08:00 = 2026-06-29T10:00:00.123+02:00
2026-06-29T08:00 = 2026-06-29T10:00:00+0200
2026-06-29T08:00 = 2026-06-29T10:00:00+02
2026-06-29T08:00 = 2026-06-29T10:00:00+02:00[Europe/Berlin]
2026-06-30T00:00 = 2026-06-29T24:00:00Z
2026-06-29T10:00 = 2026-06-29T10:00Z
2026-06-29T00:00 = 2026-06-29Z
2026-06-28T22:00 = 2026-06-29+02:00
2026-06-29T08:00 = 2026-06-29 10:00:00 +0200 CEST
2026-06-29T08:00 = 2026-06-29 10:00:00 CEST
2026-06-29T08:00 = 2026-06-29 10:00:00 (CEST)
2026-06-29T10:00 = 10:00 29.06.2026
2026-06-29T10:00 = 10:00, 29 June 2026
2026-06-29T10:00 = Mon, 29-Jun-2026 10:00:00 GMT
2026-06-29T10:00 = 29/Jun/2026:10:00:00 +0000
2026-06-29T10:00 = 29-Jun-26 10:00
2026-06-29T22:00 = 2026-06-29 10:00 PM
2026-06-29T15:07 = 2026-06-29 15:07 PM
2026-06-29T10:00 = Mon,29 Jun 2026 10:00:00 GMT
2026-06-29T14:00 = Monday, June 29, 2026 10:00 a.m. EDT
2026-09-03T00:00 = Sept. 3, 2026
2026-09-03T00:00 = 3 sept 2026
2026-03-29T00:00 = mar 29 2026
2026-03-31T00:00 = mar. 31 mars 2026
2026-08-12T00:00 = 12 août 2026
2026-06-29T00:00 = 2026-Jun-29
2026-06-29T10:00 = 2026 June 29 10:00
2026-06-29T10:01 = Mon, 29 Jun 2026 10:00:60 GMT
2026-06-29T10:00 = Mon, 29 Jun 2026 09:59:60 GMT
2026-04-03T00:00 = Friday, 03/04/2026
2026-03-04T00:00 = Wed, 03/04/2026
2026-06-29T15:07 = June 29, 2026 - 15:07
2026-06-29T15:07 = June 29, 2026 | 15:07
2026-06-29T10:00 = Mon, 29 Jun 126 10:00
2026-06-29T09:00 = 29 Jun 2026 10:00 UTC+1
2026-06-29T09:00 = 29 Jun 2026 10:00 UTC+01:00
2026-06-29T10:00 = Mon, 29 June 2026 10:00:00 -0000
2026-06-29T10:00 = 2026-06-29T10:00:00,5Z
2026-06-29T10:00 = 2026-06-29t10:00:00z
2026-06-29T10:00 = 29 Ιουνίου 2026 10:00
2026-06-29T10:00 = 29 haziran 2026 10:00
2026-06-29T00:00 = 29 ΙΟΥΝΙΟΥ 2026
2026-06-29T08:00 = Mon, 29 Jun 2026 10:00:00 +0200 (CEST)
2026-06-29T00:00 = 29 Haziran 2026 Pazartesi
2026-06-29T10:00 = 2026-06-29T10:00:00+00:00Z
2026-06-29T08:00 = 2026-06-29T10:00:00 Europe/Berlin
2026-06-29T08:00 = 2026-06-29T10:00:00[Europe/Berlin]
2026-11-29T09:00 = Sun, 29 Nov 2026 10:00:00 Europe/Berlin
2026-06-29T17:00 = Mon, 29 June 2026 10:00:00 PT
2026-11-29T15:00 = November 29, 2026 10:00 AM ET
2026-06-29T14:00 = 2026-06-29 10:00:00 America/New_York
2026-06-29T23:23 = 2026-06-29 오후 11:23:17
2026-06-29T03:07 = 2026年6月29日 午前3時07分
2020-04-11T07:51 = Sat, 11 04 2020 08:51:49 +0100
2026-06-29T17:00 = Mon, 29 Jun 2026 10:00:00 MST -0700
2026-06-29T17:00 = Mon, 29 Jun 2026 10:00:00 -0700 GMT
2026-06-29T08:05 = 29 juin 2026, 8h05
2026-06-29T15:07 = 29 de junio de 2026, 15:07 h
"""
"""A moment in UTC, and a text that says it."""

NONE = """
Mon, 29 Jun 2026 10:00:00 XT
Mon, 29 Jun 2026 10:00:00 Pazartesi
2026-06-29T10:00:00 Nowhere/Land
2026-06-29 10:00:00 ../../etc/passwd
03 04 2026 10:00
30.10.23
2026-06-29T10:00:00+15:00
03/04/2026
03-04-2026
29/06/26
Mon, 29 Jun 2026 10:00:00 IST
Mon, 29 Jun 2026 10:00:00 BST
2026-06
June 2026
29 June
yesterday
10:00
Mon, 31 Jun 2026 10:00
2026-02-30
2026-06-29T25:00
2026-06-29 15:07 AM
Mon, 29 Jun 2026 10:00:00 +25:00
Monday, 03/04/2026
listopad 3 2026
29.06.26
before 29 June 2026
2026-13-01
"""


def utc(text: str, order: Order = "") -> str:
    at_ns = moment(text, order)
    assert at_ns is not None, text
    return f"{datetime.fromtimestamp(at_ns // SECOND_NS, UTC):%Y-%m-%dT%H:%M}"


@pytest.mark.parametrize("line", READ.strip().splitlines())
def test_a_date_is_read(line: str) -> None:
    when, _, text = line.partition(" = ")
    assert utc(text) == when
    assert utc(f" \n{text.upper()}\t") == when, "in capitals too"


@pytest.mark.parametrize("text", ["", None, "2026-06-29" + " " * 100, *NONE.strip().splitlines()])
def test_what_lacks_a_part_or_could_be_two_is_none(text: str | None) -> None:
    assert moment(text) is None


@pytest.mark.parametrize(
    ("text", "timed", "offset_min"),
    [
        ("2026-06-29", False, None),
        ("2026-06-29Z", False, 0),
        ("2026-06-29 00:00", True, None),
        ("Mon, 29 Jun 2026 10:00:00 CEST", True, 120),
        ("2026-06-29T10:00:00-05:30", True, -330),
        ("1782727200", True, 0),
    ],
)
def test_it_says_whether_time_and_zone_were_written(
    text: str, timed: bool, offset_min: int | None
) -> None:
    found = read_date(text)
    assert found is not None
    assert (found.timed, found.offset_min) == (timed, offset_min)


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["03/04/2026", "29/06/2026 10:00"], "dmy"),
        (["03/04/2026", "06/29/2026 10:00"], "mdy"),
        (["03/04/2026", "Fri 03/04/2026"], "dmy"),
        (["29/06/26", "26/06/29", "30/06/29", "31/12/29"], ""),
        (["26/06/29", "99/06/29"], "ymd"),
        (["03/04/2026"], ""),
        (["29/06/2026", "06/29/2026"], ""),
        (["June 29, 2026", "nothing"], ""),
        ([], ""),
    ],
)
def test_dates_of_numbers_tell_each_others_order(texts: list[str], order: str) -> None:
    assert order_of(texts) == order


def test_an_order_decides() -> None:
    assert utc("03/04/2026", "dmy") == "2026-04-03T00:00"
    assert utc("03/04/2026", "mdy") == "2026-03-04T00:00"
    assert utc("29/06/26", "dmy") == "2026-06-29T00:00"
    assert utc("29/06/2026", "mdy") == "2026-06-29T00:00", "it cannot be that"


def feed_dates(*dates: str) -> list[int | None]:
    items = "".join(f"<item><title>T</title><pubDate>{one}</pubDate></item>" for one in dates)
    body = f"<rss><channel>{items}</channel></rss>".encode()
    return [one.published_ns for one in rss.read(Document(url="https://a.example/", body=body))]


def test_a_feeds_other_dates_decide_and_nothing_else_does() -> None:
    assert feed_dates("03/04/2026 10:00") == [None]
    assert feed_dates("03/04/2026 10:00", "29/06/2026 10:00") == [
        moment("2026-04-03T10:00Z"),
        moment("2026-06-29T10:00Z"),
    ]


def test_what_feedparser_guesses_at_is_read_or_none() -> None:
    """It took the first for the first of this month, the second for midnight."""
    assert feed_dates("2026/06/29 15:07:41", "2026-06-29 10:00:00 UTC", "03-04-19") == [
        moment("2026-06-29T15:07:41Z"),
        moment("2026-06-29T10:00:00Z"),
        None,
    ]


LANGUAGES = [
    "en", "de", "fr", "es", "pt", "it", "nl", "da", "sv", "nb", "fi", "pl", "cs",
    "sk", "sl", "hr", "hu", "ro", "bg", "ru", "uk", "el", "tr", "id", "lt",
]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_months_are_read_by_their_names_or_not_at_all(language: str) -> None:
    """CLDR's names, as babel has them: those that are two months are none (`listopad`)."""
    read = 0
    for width in ("wide", "abbreviated"):
        for context in ("format", "stand-alone"):
            for month, name in get_month_names(width, context, language).items():
                found = moment(f"29 {name} 2027")
                assert found in (None, moment(f"2027-{month:02}-29")), name
                read += found is not None
    assert read >= 44 - 22 * (language in {"cs", "hr", "pl"})


@drawn(200)
@given(
    st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2262, 1, 1)),
    st.sampled_from(
        ["%Y-%m-%dT%H:%M:%S", "%a, %d %b %Y %H:%M:%S", "%d %B %Y, %H:%M:%S",
         "%B %d, %Y %I:%M:%S %p", "%Y/%m/%d %H:%M:%S", "%Y%m%d%H%M%S",
         "%a %b %d %H:%M:%S %Y", "%d.%m.%Y %H:%M:%S"]
    ),
    st.sampled_from([("", 0), (" +0200", 120), (" GMT-05:30", -330), (" PDT", -420), ("Z", 0)]),
)  # fmt: skip
def test_what_is_written_is_what_is_read(when: datetime, form: str, zone: tuple[str, int]) -> None:
    name, offset_min = zone if not form.endswith(("%p", "%Y")) else ("", 0)
    past = when.replace(tzinfo=UTC, microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)
    at_ns = (past.days * 86_400 + past.seconds - offset_min * 60) * SECOND_NS
    text = when.strftime(form.replace("%Y", f"{when.year:04}")) + name
    assert moment(text) == (at_ns if 0 <= at_ns < 2**63 else None)


@given(
    st.text(alphabet=st.characters(), max_size=40)
    | st.text("0123456789/-:. TZjunMar,", max_size=40)
)
def test_no_text_breaks_it(text: str) -> None:
    found = moment(text)
    assert found is None or 0 <= found < 2**63
