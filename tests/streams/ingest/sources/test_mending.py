"""Broken feeds: what is meant is read, what is hostile is refused, and a fault has a place."""

import re
from collections.abc import AsyncIterator, Callable
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.observations import FetchProblem
from streams.ingest import limits
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.sources import rss
from streams.ingest.sources.feed_check import FeedCheck
from streams.ingest.sources.mending import mended
from streams.ingest.sources.model import Document, Item
from streams.ingest.sources.reader import DocumentReader
from tests.streams.ingest.fetching.web import fails
from tests.streams.ingest.sources.broken_feeds import (
    KINDS,
    TEXTS,
    THREE,
    URL,
    WHOLE,
    Broken,
    around,
    item,
)
from tests.support.drawing import drawn


def read(body: str | bytes, **told: str) -> list[Item]:
    raw = body if isinstance(body, bytes) else body.encode()
    return rss.read(Document(url=URL, body=raw, **told))


def refusal(body: str | bytes) -> Unfetched:
    with pytest.raises(Unfetched) as refused:
        read(body)
    return refused.value


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_feed_is_read_as_it_was_meant(kind: str) -> None:
    broken: Broken = KINDS[kind]
    items = read(broken.body)
    assert tuple(one.title for one in items) == broken.titles
    assert tuple(one.text for one in items) == (broken.texts or tuple(one.text for one in items))
    assert tuple(one.link for one in items) == (broken.links or tuple(one.link for one in items))


def test_what_is_well_formed_is_not_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    def mend(*_: object) -> None:
        raise AssertionError("mended")

    monkeypatch.setattr(rss, "mended", mend)
    items = read(WHOLE)
    assert [one.title for one in items] == list(THREE)
    with pytest.raises(AssertionError, match="mended"):
        read(WHOLE.replace("Text 2.", "&nbsp;"))


# -- the fault has a place -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "problem", "detail"),
    [
        ("", "bad_xml", "line 1: no element found"),
        ("\n\nno feed", "bad_xml", "line 3: syntax error"),
        ("<?xml version='1.0'?>\n\n<rss>\n<channel>\n", "bad_xml", "line 4: the feed breaks off"),
        ("<rss>\n<item>\n<title>cut", "bad_xml", "line 3, item 1: the feed breaks off"),
        ("<rss>\n<item><title>&nbsp;", "bad_xml", "line 2, item 1: the feed breaks off"),
        ("<rss>\n<item>\n<title>" + "<a>" * 200, "bad_xml",
         "line 3, item 1: nested too deeply"),
        ("<note/>", "bad_type", "line 1: not a feed"),
    ],
)  # fmt: skip
def test_a_fault_says_where_it_is(body: str, problem: str, detail: str) -> None:
    error = refusal(body)
    assert (error.problem.value, error.detail) == (problem, detail)


def test_the_fault_is_the_one_that_was_not_mended() -> None:
    """What ends the reading is told, not what was mended before."""
    feed = "<rss>\n" + item(1) + item(2, text="&nbsp;") + "<item>\n<title>" + "<a>" * 200
    assert refusal(feed).detail == "line 5, item 3: nested too deeply"


def test_an_item_that_breaks_off_is_left_for_the_next_time() -> None:
    """Half an article on the log would stand there for the whole one."""
    cut = WHOLE.index("Text 3.") + 4
    assert [one.text for one in read(WHOLE[:cut])] == list(TEXTS[:2])


# -- pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "<!DOCTYPE html><html><head><title>One moment</title></head><body>A robot?</body></html>",
        "<!doctype html>\n<body>One moment",
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">'
        "<HTML><BODY>Access denied & more</BODY></HTML>",
        "<html><body><br>Not found",
        "<html><body>" + WHOLE + "</body></html>",
    ],
)
def test_a_page_in_place_of_a_feed_is_of_the_wrong_type(body: str) -> None:
    with fails("bad_type"):
        read(body, media_type="text/html")


# -- what is hostile -------------------------------------------------------------------------------

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10))


@pytest.mark.parametrize(
    "doctype",
    [
        f"<!DOCTYPE rss [{LAUGHS}]>",
        '<!DOCTYPE rss [<!ENTITY a "&b;"><!ENTITY b "&a;">]>',
        f'<!DOCTYPE rss [<!ENTITY a "{"x" * 10_000}">]>',
        '<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE rss [<!ENTITY a PUBLIC "-//x" "http://127.0.0.1/">]>',
        '<!DOCTYPE rss [<!ENTITY % p SYSTEM "http://127.0.0.1/x.dtd"> %p;]>',
        '<!DOCTYPE rss [<!ENTITY a "<b>">]>',
        '<!DOCTYPE rss [<!ENTITY a "%p;">]>',
        "<!DOCTYPE rss [<!ELEMENT rss ANY>]>",
        '<!DOCTYPE rss [<!ATTLIST rss a CDATA "x">]>',
        '<!DOCTYPE rss SYSTEM "http://127.0.0.1/x.dtd">',
        '<!DOCTYPE rss SYSTEM "file:///etc/passwd" [<!ENTITY a "x">]>',
        '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "x" '
        '[<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        "<!DOCTYPE rss [",
        "<!DOCTYPE rss",
    ],
)
@pytest.mark.parametrize("before", ["", "junk & more", "<?xml version='1.0'?>\n"])
def test_document_types_that_expand_or_name_files_are_refused(doctype: str, before: str) -> None:
    error = refusal(before + doctype + around(item(2, text="&a;&l9;&nbsp;")))
    assert error.problem in (FetchProblem.DTD, FetchProblem.BAD_TYPE, FetchProblem.BAD_XML)


def test_a_document_type_within_the_feed_is_refused_as_well() -> None:
    with fails("dtd"):
        read(around(f"<!DOCTYPE rss [{LAUGHS}]>" + item(2, text="&l9;&nbsp;")))


def test_entities_make_no_large_feed_of_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.ingest.sources.mending.MAX_FETCH_BYTES", 1_000)
    declared = f'<!DOCTYPE rss [<!ENTITY a "{"x" * limits.MAX_XML_ENTITY_CHARS}">]>'
    assert len(read(declared + around(item(2, text="&a;" * 10)))) == 3
    with fails("too_large"):
        read(declared + around(item(2, text="&a;" * 20)))


def test_what_has_too_many_parts_is_not_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.ingest.sources.mending.MAX_MENDED_PARTS", 50)
    assert len(read(around(item(2, text="&lt;p&gt;" * 50 + "&nbsp;")))) == 3, "these are good"
    with fails("bad_xml"):
        read(around(item(2, text="&" * 50)))
    with fails("bad_xml"):
        read(around(item(2, text="<br>" * 50)))
    with fails("bad_xml"):
        read(around(item(2, text="<a " + "b " * 50 + ">")))


def test_of_very_many_items_the_first_are_mended() -> None:
    found = read(around("".join(item(n, text="&nbsp;x") for n in range(1_000))))
    assert len(found) == limits.MAX_FEED_ITEMS


LONG = 1_000_000
HEAD = "<rss><channel><item><title>&nbsp;"
LINEAR: dict[str, Callable[[int], str]] = {
    "sections left open": lambda n: HEAD + "<![CDATA[" * (n // 9),
    "sections left open in items": lambda n: HEAD + "<item><a><![CDATA[" * (n // 18),
    "comments left open": lambda n: HEAD + "<!--" * (n // 4),
    "instructions left open": lambda n: HEAD + "<?" * (n // 2),
    "declarations left open": lambda n: HEAD + "<!" * (n // 2),
    "quotes left open": lambda n: HEAD + "<a b=\"" * (n // 6),
    "quotes left open in one tag": lambda n: HEAD + "<a " + "b='" * (n // 3),
    "quotes in turn": lambda n: HEAD + "<a " + "b='\" c=\"' " * (n // 10),
    "a quote that never ends": lambda n: HEAD + '<a b="' + "x= " * (n // 3),
    "blanks in a tag": lambda n: HEAD + "<a" + " " * n,
    "blanks behind an equals sign": lambda n: HEAD + "<a b=" + " " * n,
    "blanks in an end tag": lambda n: HEAD + "</" + " " * n,
    "names": lambda n: HEAD + "<" + "a" * n,
    "names with prefixes": lambda n: HEAD + "<" + "a:" * (n // 2),
    "references": lambda n: HEAD + "&" * n,
    "numbers": lambda n: HEAD + "&#1" * (n // 3),
    "one number": lambda n: HEAD + "&#" + "1" * n,
    "entities": lambda n: '<!DOCTYPE rss [' + '<!ENTITY a "b">' * (n // 15),
    "entities left open": lambda n: "<!DOCTYPE rss [" + '<!ENTITY a "' * (n // 12),
    "comments in a document type": lambda n: "<!DOCTYPE rss [" + "<!--" * (n // 4),
    "document types": lambda n: "<!DOCTYPE rss [" * (n // 15),
    "blanks in a document type": lambda n: "<!DOCTYPE rss" + " " * n,
    "less than": lambda n: HEAD + "<" * n,
    "end tags": lambda n: HEAD + "</a" * (n // 3),
    "namespaces": lambda n: HEAD + "".join(f"<a:b{k} xmlns:a{k}='' />" for k in range(n // 25)),
    "prefixes": lambda n: HEAD + "".join(f"<a{k}:b/>" for k in range(n // 11)),
    "prefixes and items": lambda n: "<rss>" + "".join(
        f"<item><title>&nbsp;x</title><a{k}:b/></item>" for k in range(n // 40)) + "</rss>",
}  # fmt: skip


@pytest.fixture
async def reader() -> AsyncIterator[DocumentReader]:
    it = DocumentReader(wall_s=100)
    yield it
    await it.close()


@pytest.mark.parametrize("kind", LINEAR)
async def test_no_text_takes_the_time_of_its_square(reader: DocumentReader, kind: str) -> None:
    """The kernel ends a child that takes READ_S: squares of a million take hours."""
    whole = Document(url=URL, body=WHOLE.encode())
    await reader.read("rss", whole)
    child = reader.pid
    try:
        await reader.read("rss", Document(url=URL, body=LINEAR[kind](LONG).encode()))
    except Unfetched as error:
        assert error.problem is not FetchProblem.TOO_LARGE, error.detail
    assert len(await reader.read("rss", whole)) == 3
    assert reader.pid == child


# -- whatever comes ------------------------------------------------------------------------------

PARTS = st.sampled_from(
    ["<rss>", "</rss>", "<channel>", "</channel>", "<item>", "</item>", "<entry", "<title>",
     "</title>", "<link href=x", "/>", ">", "<", "&", "&nbsp;", "&#55357;", "&#56842;", "&#x0;",
     "&lt;", "&gt;", "]]>", "<![CDATA[", "<!--", "-->", "--", "<?x", "?>", "<p>", "</p>", "<br>",
     ' a="', "' b='", '"', "'", "=", " xmlns:c='u'", ' xmlns:d=""', "<c:d>", "<e:f g:h='i'/>",
     "</c:d>", "text", " ", "\n", "\x0b", "é", "\ufffe", "<!DOCTYPE rss [<!ENTITY z '&#38;y'>]>",
     "&z;", "<é>", "<a:b:c>", "xml:lang='en'", " xmlns='u'", " xmlns:xml='u'", "<!x>", "</",
     " xmlns:g='http://www.w3.org/2000/xmlns/'", " a=b a=c", "<xml:a>", "<xmlns:a>"]
)  # fmt: skip


@drawn(400)
@given(st.lists(PARTS, max_size=40).map("".join))
def test_what_was_mended_is_well_formed(text: str) -> None:
    try:
        better = mended("<rss>" + text)
    except Unfetched:
        return
    assert better is not None
    FeedCheck().run(better.encode())
    expat.ParserCreate(namespace_separator=" ").Parse(better.encode(), True)
    assert mended(better) is not None, "what was mended breaks off nowhere"
    assert re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", better) is None
