"""Source kinds: what they make of documents, good, odd and hostile."""

import calendar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.articles import snapshot_id
from schemas.limits import MAX_TITLE_CHARS
from schemas.texts import is_text
from schemas.units import SECOND_NS
from streams.ingest import limits
from streams.ingest.fetching.links import absolute
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.sources import KINDS, READINGS, html, rss
from streams.ingest.sources.model import Document, Item
from streams.ingest.sources.plain import language, of_html
from tests.streams.ingest.fetching.web import fails
from tests.support.drawing import drawn

URL = "https://a.example/news/feed"


def at(*when: int) -> int:
    return calendar.timegm((*when, 0, 0, 0)[:6]) * SECOND_NS


def read(text: str | bytes, **told: str) -> list[Item]:
    body = text if isinstance(text, bytes) else text.encode()
    return rss.read(Document(url=URL, body=body, **told))


def channel(items: str, head: str = "") -> str:
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{items}</channel></rss>'


def page(text: str, **told: str) -> Item:
    return html.read_page(Document(url=URL, body=text.encode(), **told))


PARAGRAPH = "<p>Something happened today in the harbour, and many people saw it happen.</p>"


# -- feeds -------------------------------------------------------------------------------------


def test_rss() -> None:
    (item,) = read(
        channel(
            "<item><title>Tom &amp; Jerry &lt;b&gt;win&lt;/b&gt;</title><link>/a?b=1#top</link>"
            "<guid>tag:1</guid><pubDate>Fri, 20 Nov 2026 12:00:00 +0200</pubDate>"
            "<description>&lt;p&gt;They &lt;i&gt;won&lt;/i&gt;&lt;/p&gt;"
            "&lt;script&gt;x()&lt;/script&gt;</description>"
            "</item>",
            "<language>en-gb</language>",
        )
    )
    assert item == Item(
        guid="tag:1",
        link="https://a.example/a?b=1",
        title="Tom & Jerry win",
        text="They won",
        language="en-gb",
        published_ns=at(2026, 11, 20, 10),
    )


def test_atom() -> None:
    (item,) = read(
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>T</title><id>urn:1</id>'
        '<link rel="alternate" href="https://b.example/x"/><updated>2026-11-20T10:00:00Z</updated>'
        "<summary>short</summary><content type='html'>&lt;p&gt;the long text&lt;/p&gt;</content>"
        "</entry></feed>"
    )
    assert (item.link, item.text, item.published_ns) == (
        "https://b.example/x",
        "the long text",
        at(2026, 11, 20, 10),
    )


def test_rss_1_0() -> None:
    (item,) = read(
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns="http://purl.org/rss/1.0/"><channel><title>c</title></channel>'
        "<item><title>T</title><link>https://b.example/x</link></item></rdf:RDF>"
    )
    assert (item.title, item.link) == ("T", "https://b.example/x")


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "http://u:p@b.example/",
             "ftp://b.example/", "http://[::1", "x" * 3_000, "mailto:a@b.example"],
)  # fmt: skip
def test_links_that_are_none_are_dropped(link: str) -> None:
    (item,) = read(channel(f"<item><title>T</title><link>{link}</link></item>"))
    assert item.link in ("", "https://a.example/news/x")
    assert ":" not in item.link.removeprefix("https://")


def test_names_in_links_are_brought_into_ascii() -> None:
    assert absolute(URL, "http://bücher.example/straße?q=ü") == (
        "http://xn--bcher-kva.example/stra%C3%9Fe?q=%C3%BC"
    )


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Fri, 99 Nov 2026 99:99:99 GMT", "9" * 40, "0001-01-01T00:00:00Z",
             "9999-12-31T23:59:59Z", "-1", "1969-12-31T00:00:00Z"],
)  # fmt: skip
def test_bad_dates_are_none(date: str) -> None:
    (item,) = read(channel(f"<item><title>T</title><pubDate>{date}</pubDate></item>"))
    assert item.published_ns is None


def test_a_date_in_the_future_is_kept_as_claimed() -> None:
    (item,) = read(channel("<item><title>T</title><pubDate>2090-01-01T00:00:00Z</pubDate></item>"))
    assert item.published_ns == at(2090, 1, 1)


def test_of_very_many_items_the_first_are_read() -> None:
    items = "".join(f"<item><title>T{n}</title></item>" for n in range(10_000))
    found = read(channel(items))
    assert [item.title for item in found] == [f"T{n}" for n in range(limits.MAX_FEED_ITEMS)]


def test_items_that_say_nothing_are_none() -> None:
    assert read(channel("<item><link>https://b.example/x</link></item>")) == []


def test_long_titles_are_cut() -> None:
    (item,) = read(channel(f"<item><title>{'x' * 1_000}</title></item>"))
    assert item.title == "x" * MAX_TITLE_CHARS


BOMB = (
    '<!DOCTYPE rss [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    "<rss><channel><item><title>&b;</title></item></channel></rss>"
)


@pytest.mark.parametrize(
    "body",
    [
        BOMB.encode(),
        b'<?xml version="1.0" encoding="utf-8"?>' + BOMB.encode(),
        b"\xef\xbb\xbf" + BOMB.encode(),
        BOMB.encode("utf-16"),
        BOMB.encode("utf-16-le"),
        BOMB.encode("utf-16-be"),
        b"   \n" + BOMB.encode(),
        b'<!DOCTYPE rss SYSTEM "http://127.0.0.1/x.dtd"><rss/>',
        b'<!DOCTYPE rss PUBLIC "-//x" "file:///etc/passwd"><rss/>',
    ],
)
def test_document_types_are_refused(body: bytes) -> None:
    with fails("dtd"):
        read(body)


@pytest.mark.parametrize(
    "text",
    ["", "<rss>", "no xml", "<rss>" + "<a>" * 200 + "</a>" * 200 + "</rss>", "<rss>&nbsp;",
     "<rss><item><title>T</titl"],
)  # fmt: skip
def test_what_is_not_well_formed_and_breaks_off(text: str) -> None:
    with fails("bad_xml"):
        read(text)


@pytest.mark.parametrize(
    "text", ["<rss><channel></rss>", "<rss>&nbsp;</rss>", "<rss a=1></rss>", "<rss>\0</rss>",
             "<rss><x:y/></rss", "<rss/>"],
)  # fmt: skip
def test_a_feed_of_no_items_is_read_whether_it_is_well_formed_or_not(text: str) -> None:
    assert read(text) == []


BLOCKED = "<html><head><title>Wait</title></head><body>Prove that you are a person.</body></html>"


@pytest.mark.parametrize(
    "text",
    ["<html><body/></html>", "<svg/>", f"<!DOCTYPE html>{BLOCKED}", f"<!doctype html>\n{BLOCKED}",
     f"  <!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'>{BLOCKED}", f"<HTML lang=en>{BLOCKED}",
     f'<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0" "x">{BLOCKED}'],
)  # fmt: skip
@pytest.mark.parametrize("media_type", ["", "text/html", "application/rss+xml"])
def test_what_is_no_feed(text: str, media_type: str) -> None:
    with fails("bad_type"):
        read(text, media_type=media_type)


TOLD = "<item><title>T</title></item>"


@pytest.mark.parametrize(
    "media_type",
    ["application/rss+xml", "application/xml", "text/xml", "text/x-xml", "text/rss",
     "application/x-rss+xml", "application/x-rss", "application/atom", "application/rdf+xml",
     "text/html", "text/plain", "application/octet-stream", "binary/octet-stream",
     "application/x-gzip", "application/force-download", "unknown/unknown", ""],
)  # fmt: skip
def test_types_that_feeds_are_sent_as(media_type: str) -> None:
    (item,) = read(channel(TOLD), media_type=media_type)
    assert item.title == "T"


@pytest.mark.parametrize(
    "media_type", ["image/png", "application/pdf", "audio/mpeg", "video/mp4", "application/zip"]
)
def test_types_that_no_feed_is_sent_as(media_type: str) -> None:
    with fails("bad_type"):
        read(channel(TOLD), media_type=media_type)


# -- pages -----------------------------------------------------------------------------------------


def test_a_page() -> None:
    item = page(
        '<html lang="en-US"><head><title>Paper - T</title>'
        '<meta property="og:title" content="T  &amp; more">'
        '<meta property="article:published_time" content="2026-11-20T10:00:00+00:00"></head>'
        f"<body><nav><p>{'Menu ' * 30}</p></nav><article><h1>H</h1>{PARAGRAPH}"
        "<script>var x = 1;</script><p>And <b>more</b>.</p></article></body></html>"
    )
    assert item.title == "T & more"
    assert item.text == (
        "Something happened today in the harbour, and many people saw it happen. And more."
    )
    assert (item.language, item.published_ns) == ("en-US", at(2026, 11, 20, 10))
    assert (item.link, item.guid) == (URL, snapshot_id(item.title, item.text))


@pytest.mark.parametrize(
    ("head", "published_ns"),
    [
        ('<script type="application/ld+json">{"@graph":[{"x":1},{"datePublished":'
         '"2026-11-20T10:00:00Z"}]}</script>', at(2026, 11, 20, 10)),
        ('<script type="application/ld+json">{broken</script>', None),
        ('<script type="application/ld+json">' + "[" * 50_000 + "</script>", None),
        ('<time datetime="2026-11-20">x</time>', at(2026, 11, 20)),
        ('<time datetime="soon">x</time>', None),
        ("", None),
    ],
)  # fmt: skip
def test_when_a_page_was_published(head: str, published_ns: int | None) -> None:
    assert page(f"{head}<article>{PARAGRAPH}</article>").published_ns == published_ns


@pytest.mark.parametrize(
    "text",
    ["", "<p>short</p>", "<script>" + "x" * 1_000 + "</script>", "<div id=root></div>",
     f"<body><noscript>{PARAGRAPH * 3}</noscript>"],
)  # fmt: skip
def test_a_page_that_shows_nothing(text: str) -> None:
    with fails("no_text"):
        page(text)


def test_a_page_of_no_paragraphs_is_read_whole() -> None:
    assert "harbour" in page(f"<body><footer>x</footer><div>{PARAGRAPH[3:-4]}</div>").text


def test_an_index() -> None:
    body = (
        b'<html lang=en><base href="/b/"><a href="x">No</a><div class=l><a href="c#d"> One <b>1</b>'
        b'</a><h2><a href="https://c.example/2">Two</a></h2><a href="javascript:x()">Bad</a>'
        b'<a href="c">One again</a></div>'
    )
    document = Document(url=URL, body=body, selector=".l a")
    assert [(item.link, item.title) for item in html.read(document)] == [
        ("https://a.example/b/c", "One 1"),
        ("https://c.example/2", "Two"),
    ]


@pytest.mark.parametrize("selector", [".none", "((", ":::", "a[", "\\"])
def test_an_index_without_links(selector: str) -> None:
    with fails("no_text"):
        html.read(Document(url=URL, body=b"<a href=x>y</a>", selector=selector))


def test_a_page_of_another_type() -> None:
    with fails("bad_type"):
        page("x", media_type="application/pdf")


# -- texts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "plain"),
    [("a  b\n c", "a b c"), ("a &lt; b", "a < b"), ("<p>a</p><p>b</p>", "a b"),
     ("x\u202ey", "x\ufffdy"), ("x\0y", "x\ufffdy"), ("<style>p{}</style>x", "x"), ("", "")],
)  # fmt: skip
def test_plain_text(text: str, plain: str) -> None:
    assert of_html(text) == plain


@pytest.mark.parametrize(
    ("text", "tag"),
    [("en", "en"), ("en_GB", "en-GB"), ("zh-Hant-TW", "zh-Hant-TW"), ("", ""), (None, ""),
     ("english language", ""), ("x" * 40, ""), ("e", "")],
)  # fmt: skip
def test_languages(text: str | None, tag: str) -> None:
    assert language(text) == tag


# -- whatever comes --------------------------------------------------------------------------------

MARKUP = st.lists(
    st.sampled_from(
        ["<rss>", "<channel>", "<item>", "<title>", "</title>", "</item>", "</channel>", "</rss>",
         "<feed>", "<entry>", "<link href='x'/>", "<pubDate>", "&amp;", "&#0;", "&x;", "<![CDATA[",
         "]]>", "<!--", "-->", "<?xml version='1.0'?>", "<p>", "</p>", "<article>", "<a href=y>",
         "<table>", "<svg>", "<math>", "<template>", "<base href='//x'>", "<title/>", "\0",
         "\ud7ff", "text and more text", "<meta charset=utf-16>", "xmlns='x'", "<x:y>", "<"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@pytest.mark.parametrize("name", sorted(READINGS))
@drawn(150)
@given(
    body=st.one_of(
        st.binary(max_size=300), MARKUP.map(str.encode), MARKUP.map(channel).map(str.encode)
    ),
    claimed=st.sampled_from(["", "utf-8", "utf-16", "latin-1", "gbk", "x"]),
    selector=st.sampled_from(["", "a", "p"]),
)
def test_a_reading_gives_items_or_a_problem(
    name: str, body: bytes, claimed: str, selector: str
) -> None:
    document = Document(url=URL, body=body, charset=claimed, selector=selector)
    try:
        items = READINGS[name](document)
    except Unfetched:
        return
    assert len(items) <= limits.MAX_FEED_ITEMS
    for item in items:
        assert is_text(item.title, MAX_TITLE_CHARS)
        assert is_text(item.text, limits.MAX_ITEM_CHARS)
        assert item.link == "" or absolute(item.link, item.link) == item.link
        assert item.published_ns is None or 0 <= item.published_ns < 2**63


def test_every_kind_has_its_reading() -> None:
    assert {kind.reading for kind in KINDS.values()} <= READINGS.keys()
    assert all(name == kind.kind for name, kind in KINDS.items())
