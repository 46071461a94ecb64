"""Sitemaps: news and plain ones, indexes, gzip, and what is hostile."""

import calendar
import gzip

import pytest

from schemas.units import SECOND_NS
from streams.ingest import limits
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.sources import sitemap
from streams.ingest.sources.model import Document, Item, Reading
from tests.streams.ingest.fetching.web import fails

URL = "https://paper.example/sitemaps/news.xml"
ROOM = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
NEWS = 'xmlns:news="https://www.google.com/schemas/sitemap-news/0.9"'
IMAGE = 'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"'
PROLOG = '<?xml version="1.0" encoding="UTF-8"?>\n'


def at(*when: int) -> int:
    return calendar.timegm((*when, 0, 0, 0)[:6]) * SECOND_NS


def document(body: str | bytes, **told: str) -> Document:
    raw = body if isinstance(body, bytes) else body.encode()
    return Document(url=URL, body=raw, **told)


def urls(*entries: str) -> str:
    return f"{PROLOG}<urlset {ROOM} {NEWS} {IMAGE}>{''.join(entries)}</urlset>"


def page(n: int, lastmod: str = "", more: str = "") -> str:
    dated = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    return f"<url><loc>https://paper.example/{n}</loc>{dated}{more}</url>\n"


def news(title: str, date: str, name: str = "news") -> str:
    return (
        f"<{name}:news><{name}:publication><{name}:name>The paper</{name}:name>"
        f"<{name}:language>en</{name}:language></{name}:publication>"
        f"<{name}:publication_date>{date}</{name}:publication_date>"
        f"<{name}:title>{title}</{name}:title></{name}:news>"
    )


def index(*entries: str) -> str:
    return f"{PROLOG}<sitemapindex {ROOM}>{''.join(entries)}</sitemapindex>"


def part(name: str, lastmod: str = "") -> str:
    dated = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    return f"<sitemap><loc>https://paper.example/{name}.xml</loc>{dated}</sitemap>"


def links(items: list[Item]) -> list[str]:
    return [item.link.removeprefix("https://paper.example/") for item in items]


def test_a_news_sitemap() -> None:
    more = news("Rain &amp; <![CDATA[more]]>", "2026-11-20T12:00:00+02:00")
    image = "<image:image><image:loc>https://paper.example/a.jpg</image:loc></image:image>"
    (item,) = sitemap.read(document(urls(page(1, "2026-11-21", image + more))))
    assert item == Item(
        guid="https://paper.example/1",
        link="https://paper.example/1",
        title="Rain & more",
        text="",
        language="en",
        published_ns=at(2026, 11, 20, 10),
    )


def test_a_plain_sitemap_newest_first() -> None:
    body = urls(page(1), page(2, "2026-11-20"), page(3, "2026-11-22T10:00:00Z"), page(4))
    found = sitemap.read(document(body))
    assert links(found) == ["3", "2", "1", "4"]
    assert [item.published_ns for item in found[:2]] == [at(2026, 11, 22, 10), at(2026, 11, 20)]
    assert {item.title for item in found} == {""}


def test_of_very_many_pages_the_newest_are_read() -> None:
    many = [page(n, f"2026-{1 + n % 12:02}-{1 + n // 12 % 28:02}") for n in range(5_000)]
    found = sitemap.read(document(urls(*many, page(7_777, "2026-12-31"))))
    assert len(found) == limits.MAX_FEED_ITEMS
    assert links(found)[0] == "7777"


def test_prefixes_are_the_publisher_s() -> None:
    body = urls(page(1, "", news("T", "2026-11-20", "n"))).replace("xmlns:news", "xmlns:n")
    body = body.replace("<url>", "<x:url>").replace("</url>", "</x:url>")
    body = body.replace("<loc>", "<x:loc>").replace("</loc>", "</x:loc>")
    (item,) = sitemap.read(document(body))
    assert (item.title, item.published_ns) == ("T", at(2026, 11, 20))


@pytest.mark.parametrize("loc", ["", "javascript:x()", "http://[::1", "ftp://paper.example/"])
def test_what_cannot_be_followed_is_left_out(loc: str) -> None:
    assert sitemap.read(document(urls(f"<url><loc>{loc}</loc></url>"))) == []
    assert sitemap.read(document(urls("<url><lastmod>2026-11-20</lastmod></url>"))) == []


def test_an_index_gives_its_newest_parts() -> None:
    names = [f"p{n}" for n in range(40)]
    body = index(
        part("old"), *(part(one, f"2026-11-{n % 28 + 1:02}") for n, one in enumerate(names))
    )
    found = sitemap.read_parts(document(body))
    assert links(found) == ["p27.xml", "p26.xml", "p25.xml"]
    assert len(found) == limits.MAX_SITEMAP_PARTS
    assert links(sitemap.read_parts(document(index(*map(part, names))))) == [
        "p0.xml", "p1.xml", "p2.xml",
    ]  # fmt: skip


def test_a_sitemap_has_no_parts_and_an_index_no_pages() -> None:
    assert sitemap.read_parts(document(urls(page(1)))) == []
    with fails("bad_type"):
        sitemap.read(document(index(part("a"))))


@pytest.mark.parametrize(
    "media_type", ["application/x-gzip", "application/gzip", "application/octet-stream",
                   "text/xml", ""],
)  # fmt: skip
def test_gzip(media_type: str) -> None:
    body = gzip.compress(urls(page(1)).encode())
    assert links(sitemap.read(document(body, media_type=media_type))) == ["1"]
    text = urls(page(1)).encode()
    members = gzip.compress(text[:100]) + gzip.compress(text[100:])
    assert links(sitemap.read(document(members))) == ["1"]


def test_gzip_that_is_none_or_too_large() -> None:
    with fails("too_large"):
        sitemap.read(document(gzip.compress(bytes(limits.MAX_FETCH_BYTES + 1))))
    with fails("too_large"):
        sitemap.read(document(gzip.compress(bytes(limits.MAX_FETCH_BYTES // 2)) * 3))
    with fails("bad_type"):
        sitemap.read(document(b"\x1f\x8b\x08nothing"))


@pytest.mark.parametrize(
    ("body", "problem", "detail"),
    [
        ("", "bad_xml", "line 1: no element found"),
        (PROLOG + "<urlset>\n<url><loc>x</loc>\n<url>", "bad_xml",
         "line 4, item 1: no element found"),
        (urls("\n", page(1), page(2, more="<x>&nbsp;</x>")), "bad_xml",
         "line 4, item 2: undefined entity"),
        ("<html><body/></html>", "bad_type", "line 1: not a sitemap"),
        ("<rss/>", "bad_type", "line 1: not a sitemap"),
        ("<!DOCTYPE urlset [<!ENTITY a 'b'>]><urlset/>", "dtd",
         "line 1: the sitemap declares a document type"),
        ("<urlset><url>" + "<a>" * 200, "bad_xml", "line 1, item 1: nested too deeply"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("reading", [sitemap.read, sitemap.read_parts])
def test_a_fault_says_where_it_is(reading: Reading, body: str, problem: str, detail: str) -> None:
    with pytest.raises(Unfetched) as refused:
        reading(document(body))
    assert (refused.value.problem.value, refused.value.detail) == (problem, detail)


def test_what_is_of_another_type() -> None:
    with fails("bad_type"):
        sitemap.read(document(urls(page(1)), media_type="image/png"))
