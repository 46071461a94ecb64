"""Charsets: what a body is in, whatever its header, its declaration and its mark say."""

import codecs
from typing import Final, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ingest.fetching.problems import Unfetched
from streams.ingest.sources import rss
from streams.ingest.sources.charsets import decode
from streams.ingest.sources.model import Document
from tests.streams.ingest.fetching.web import fails
from tests.support.drawing import drawn

PRICES: Final = "L’été coûte 5 €"
RUSSIAN: Final = "Министр уходит в отставку"
GREEK: Final = "Ο υπουργός παραιτείται"
JAPANESE: Final = "大臣が辞任した"
CHINESE: Final = "部长辞职了"
KOREAN: Final = "장관이 사임했다"


class Case(NamedTuple):
    what: str
    text: str
    is_in: str
    claimed: str = ""
    declared: str = ""

    def body(self) -> bytes:
        head = f'<?xml version="1.0" encoding="{self.declared}"?>' if self.declared else ""
        return f"{head}<p>{self.text}</p>".encode(self.is_in)


CASES: Final = (
    # nothing is said
    Case("UTF-8", PRICES, "utf-8"),
    Case("what Western writers type", PRICES, "cp1252"),
    Case("UTF-16 without a mark", PRICES, "utf-16-le"),
    Case("the other one", PRICES, "utf-16-be"),
    # what is said is so
    Case("header", RUSSIAN, "cp1251", "windows-1251"),
    Case("declaration", RUSSIAN, "koi8-r", declared="KOI8-R"),
    Case("header over declaration", RUSSIAN, "cp1251", "windows-1251", "koi8-r"),
    Case("UTF-16 by the header, without a mark", PRICES, "utf-16-le", "utf-16"),
    # the mark knows better
    Case("mark over header", PRICES, "utf-8-sig", "iso-8859-1"),
    Case("mark of UTF-16 over header", PRICES, "utf-16", "utf-8"),
    Case("mark over declaration", PRICES, "utf-8-sig", declared="windows-1251"),
    # UTF-8 knows better
    Case("a server's default over UTF-8", PRICES, "utf-8", "ISO-8859-1", "utf-8"),
    Case("the same without a declaration", PRICES, "utf-8", "ISO-8859-1"),
    Case("ASCII said of UTF-8", PRICES, "utf-8", "us-ascii"),
    Case("declared latin-1", PRICES, "utf-8", declared="iso-8859-1"),
    Case("UTF-8 in Russian, said to be windows-1251", RUSSIAN, "utf-8", "windows-1251"),
    Case("UTF-8 in Chinese, said to be gb2312", CHINESE, "utf-8", "gb2312"),
    Case("UTF-8 in Japanese, said to be Shift_JIS", JAPANESE, "utf-8", "Shift_JIS"),
    Case("UTF-16 said of UTF-8", PRICES, "utf-8", "utf-16"),
    Case("UTF-16 declared in UTF-8", PRICES, "utf-8", declared="utf-16"),
    # UTF-8 is said in vain
    Case("declared UTF-8, in fact windows-1252", PRICES, "cp1252", declared="utf-8"),
    Case("the header says so, too", PRICES, "cp1252", "utf-8", "utf-8"),
    Case("one letter in a long text", "x" * 500 + "é", "cp1252", "utf-8"),
    Case("the declaration is right, not the header", RUSSIAN, "cp1251", "utf-8", "windows-1251"),
    # names
    Case("said twice", PRICES, "utf-8", "UTF-8,UTF-8"),
    Case("two, the first counts", RUSSIAN, "cp1251", "windows-1251, koi8-r"),
    Case("two, the first is nonsense", RUSSIAN, "koi8-r", "nonsense; koi8-r"),
    Case("in quotation marks", RUSSIAN, "cp1251", "'windows-1251'"),
    Case("a name that nobody knows", PRICES, "utf-8", "utf8mb4"),
    Case("one that is declared", PRICES, "utf-8", declared="utf8mb4"),
    Case("nobody knows it, and it is not UTF-8", PRICES, "cp1252", declared="wincp"),
    Case("nobody knows the header's, the declaration helps", RUSSIAN, "koi8-r", "x", "koi8-r"),
    # labels that mean more than they say
    Case("latin-1 is windows-1252", PRICES, "cp1252", "latin1"),
    Case("latin-5 is windows-1254", "İstanbul’da €", "cp1254", "iso-8859-9"),
    Case("gb2312 is gb18030", "镕 朱镕基", "gb18030", "gb2312"),
    Case("Shift_JIS is windows-31j", "①高﨑", "cp932", "x-sjis"),
    Case("EUC-KR is windows-949", "똠방각하", "cp949", "ks_c_5601-1987"),
    Case("TIS-620 is windows-874", "ราคา €", "cp874", "tis-620"),
    Case("Big5 is that of Hong Kong", "啲嘢", "big5hkscs", "big5"),
    Case("a label that Python does not know", GREEK, "iso8859-7", "sun_eu_greek"),
    Case("a label with a colon", GREEK, "iso8859-7", declared="ISO_8859-7:1987"),
    Case("Japanese, in escapes", JAPANESE, "iso2022_jp", "iso-2022-jp"),
    Case("Korean", KOREAN, "euc_kr", declared="euc-kr"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_text_is_read_as_it_was_written(case: Case) -> None:
    assert f"<p>{case.text}</p>" in decode(case.body(), case.claimed)


@pytest.mark.parametrize(
    "head",
    ['<meta charset="windows-1251">', "<meta charset=windows-1251>",
     '<meta http-equiv=a content="text/html; charset=windows-1251">',
     f'<title>{"t" * 2_000}</title><meta charset="cp1251">'],
)  # fmt: skip
def test_a_page_declares_its_charset(head: str) -> None:
    assert RUSSIAN in decode(f"<head>{head}</head>{RUSSIAN}".encode("cp1251"), "")


@pytest.mark.parametrize(
    ("body", "claimed"),
    [
        (bytes(range(128, 256)), "utf-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0\x08\6\0\0\0", ""),
        (RUSSIAN.encode("cp1251"), "shift_jis"),
        (b"x", "utf-7"),
        (b"x", "unicode_escape"),
        (b"x", "rot13"),
        (b"x", "zlib"),
        (b"x", "idna"),
        (b'<?xml version="1.0" encoding="hz"?>', ""),
        (codecs.BOM_UTF16_LE + b"\0\xd8" * 50, ""),
        (codecs.BOM_UTF8 + PRICES.encode("cp1252"), "cp1252"),
    ],
)
def test_what_is_no_text_or_in_no_charset_that_is_taken(body: bytes, claimed: str) -> None:
    with fails("bad_charset"):
        decode(body, claimed)


def test_a_few_wrong_bytes_in_utf_8_are_borne() -> None:
    text = f"{PRICES} " * 30
    assert decode(text.encode() + b"\xff", "utf-8") == f"{text}\ufffd"
    assert decode(text.encode()[:-3], "iso-8859-1") == f"{text[:-2]}\ufffd"


@drawn(200)
@given(
    body=st.one_of(st.binary(max_size=200), st.text(max_size=99).map(str.encode)),
    claimed=st.sampled_from(
        ["", "utf-8", "utf-16", "gbk", "x", "utf-8,utf-8", "\0", "ü", "iso-2022-jp"]
    ),
)  # fmt: skip
def test_any_bytes_are_a_text_or_a_problem(body: bytes, claimed: str) -> None:
    try:
        text = decode(body, claimed)
    except Unfetched as error:
        assert error.problem.value == "bad_charset"
    else:
        assert len(text) <= len(body)
        text.encode("utf-8")


@drawn(100)
@given(
    st.text(
        st.characters(codec="utf-8", min_codepoint=32, exclude_characters="\ufffd"), max_size=50
    ),
    st.sampled_from(CASES),
)
def test_text_in_utf_8_is_read_whatever_is_said(text: str, case: Case) -> None:
    if not text.isascii():
        assert decode(f"<p>{text}".encode(), case.claimed) == f"<p>{text}"


def test_a_feed_in_a_charset_that_it_does_not_declare() -> None:
    text = "<rss><channel><item><title>Le ministère a présenté</title></item></channel></rss>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode("cp1252")
    (item,) = rss.read(Document(url="https://a.example/feed", body=body))
    assert item.title == "Le ministère a présenté"
