"""The formats of feeds, as they are told apart, and where each has title, text and link."""

import calendar
from pathlib import Path

import feedparser
import pytest

from schemas.units import SECOND_NS
from streams.ingest.sources import rss
from streams.ingest.sources.model import Document, Item
from tests.streams.ingest.sources.broken_feeds import ATOM, KINDS, URL, around, entry, item

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
AT = calendar.timegm((2026, 11, 20, 10, 0, 0, 0, 0, 0)) * SECOND_NS


def read(body: str) -> list[Item]:
    return rss.read(Document(url=URL, body=body.encode()))


FORMATS = {
    "RSS 0.90": f'<rdf:RDF {RDF} xmlns="http://my.netscape.com/rdf/simple/0.9/"><channel/>'
    f"{item(1)}</rdf:RDF>",
    "RSS 0.91": f'<rss version="0.91"><channel>{item(1)}</channel></rss>',
    "RSS 0.92": f'<rss version="0.92"><channel>{item(1)}</channel></rss>',
    "RSS 1.0": f'<rdf:RDF {RDF} xmlns="http://purl.org/rss/1.0/"><channel/>{item(1)}</rdf:RDF>',
    "RSS 2.0": f'<rss version="2.0"><channel>{item(1)}</channel></rss>',
    "RSS of no version": f"<rss><channel>{item(1)}</channel></rss>",
    "RSS in a namespace": f'<rss xmlns="http://backend.userland.com/rss2"><channel>{item(1)}'
    "</channel></rss>",
    "RSS in a wrong namespace": f'<rss xmlns="urn:x"><channel>{item(1)}</channel></rss>',
    "RSS with a prefix": '<r:rss xmlns:r="http://backend.userland.com/rss2"><r:channel><r:item>'
    "<r:title>Title 1</r:title><r:link>https://paper.example/1</r:link>"
    "<r:description>Text 1.</r:description></r:item></r:channel></r:rss>",
    "items outside of the channel": f"<rss><channel><title>c</title></channel>{item(1)}</rss>",
    "no channel": f"<rss>{item(1)}</rss>",
    "no root but the channel": f"<channel>{item(1)}</channel>",
    "Atom 0.3": '<feed version="0.3" xmlns="http://purl.org/atom/ns#"><entry><title>Title 1</title>'
    '<link rel="alternate" type="text/html" href="https://paper.example/1"/>'
    "<summary>Text 1.</summary></entry></feed>",
    "Atom 1.0": f'<feed xmlns="{ATOM}">{entry(1)}</feed>',
    "Atom without a namespace": f"<feed>{entry(1)}</feed>",
    "Atom in a wrong namespace": f'<feed xmlns="http://www.w3.org/2005/atom2">{entry(1)}</feed>',
    "Atom with a prefix": f'<a:feed xmlns:a="{ATOM}"><a:entry><a:title>Title 1</a:title>'
    '<a:link href="https://paper.example/1"/><a:summary>Text 1.</a:summary></a:entry></a:feed>',
    "CDF": '<CHANNEL><ITEM HREF="https://paper.example/1"><TITLE>Title 1</TITLE>'
    "<ABSTRACT>Text 1.</ABSTRACT></ITEM></CHANNEL>",
}


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("broken", ["", "<x>&nbsp;</x>"])
def test_every_format(format_: str, broken: str) -> None:
    feed = FORMATS[format_]
    end = feed.rindex("</")
    (one,) = read(feed[:end] + broken + feed[end:])
    assert (one.title, one.text, one.link) == ("Title 1", "Text 1.", "https://paper.example/1")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('<content type="html">&lt;p&gt;A &lt;b&gt;b&lt;/b&gt;&lt;/p&gt;</content>', "A b"),
        ("<content type='text'>A &lt; b</content>", "A < b"),
        ('<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">A <b>b</b></div>'
         "</content>", "A b"),
        ('<content type="text/html" mode="escaped">&lt;i&gt;A&lt;/i&gt;</content>', "A"),
        ('<content src="https://paper.example/1"/>', "Text 1."),
    ],
)  # fmt: skip
def test_texts_of_atom(content: str, text: str) -> None:
    longer = content.replace("A", "A" * 10)
    (one,) = read(f'<feed xmlns="{ATOM}">{entry(1, longer)}</feed>')
    assert one.text == text.replace("A", "A" * 10)


def test_the_content_is_the_text_and_the_description_where_it_is_longer() -> None:
    content = ' xmlns:content="http://purl.org/rss/1.0/modules/content/"'
    for more, text in (
        ("<content:encoded>&lt;p&gt;A long text.&lt;/p&gt;</content:encoded>", "A long text."),
        ("<content:encoded></content:encoded>", "Text 2."),
    ):
        assert read(around(item(2, more=more), content))[1].text == text


@pytest.mark.parametrize(
    ("links", "link"),
    [
        ('<link href="/a"/>', "/a"),
        ('<link rel="self" href="/s"/><link rel="alternate" href="/a"/>', "/a"),
        ('<link rel="alternate" href="/a"/><link rel="enclosure" href="/e.mp3"/>', "/a"),
        ('<link rel="alternate" type="application/xhtml+xml" href="/x"/>', "/x"),
        ('<link rel="alternate" type="text/plain" href="/t"/>', "/t"),
        ('<link rel="self" href="/s"/><link rel="enclosure" href="/e.mp3"/>', ""),
        ('<link href="a" xml:base="https://paper.example/b/"/>', "/b/a"),
    ],
)
def test_links_of_atom(links: str, link: str) -> None:
    (one,) = read(f'<feed xmlns="{ATOM}"><entry><title>T</title>{links}</entry></feed>')
    assert one.link == (f"https://paper.example{link}" if link else "")


@pytest.mark.parametrize(
    ("fields", "link", "guid"),
    [
        ("<guid>https://paper.example/g</guid>", "/g", "https://paper.example/g"),
        ('<guid isPermaLink="false">g</guid>', "", "g"),
        ("<guid>https://paper.example/g</guid><link>/l</link>", "/l", "https://paper.example/g"),
        ('<guid isPermaLink="false">g</guid><link>/l</link>', "/l", "g"),
        ("<link><![CDATA[ /l?a=1&b=2 ]]></link>", "/l?a=1&b=2", ""),
    ],
)
def test_links_and_guids_of_rss(fields: str, link: str, guid: str) -> None:
    (one,) = read(f"<rss><channel><item><title>T</title>{fields}</item></channel></rss>")
    assert one.link == (f"https://paper.example{link}" if link else "")
    assert one.guid == guid


def test_dates_of_each_format() -> None:
    dc = ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
    for more in (
        "<pubDate>Fri, 20 Nov 2026 10:00:00 GMT</pubDate>",
        "<dc:date>2026-11-20T11:00:00+01:00</dc:date>",
    ):
        assert read(around(item(2, more=more), dc))[1].published_ns == AT
    for name in ("published", "updated", "issued", "modified"):
        more = f"<{name}>2026-11-20T10:00:00Z</{name}>"
        (one,) = read(f'<feed xmlns="{ATOM}">{entry(1, more)}</feed>')
        assert one.published_ns == AT, name


@pytest.mark.parametrize("kind", KINDS)
def test_feedparser_never_reads_a_broken_feed_in_its_own_way(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loose(*_: object) -> None:
        raise AssertionError("feedparser fell back on regular expressions")

    monkeypatch.setattr(feedparser.api, "LooseFeedParser", loose)
    body = KINDS[kind].body
    rss.read(Document(url=URL, body=body if isinstance(body, bytes) else body.encode()))
    undeclared = ("<x:y/>", "<x y:z='1'/>", "<x xmlns:y='u'/><y:z/>")
    for broken in undeclared:
        assert len(rss.read(Document(url=URL, body=around(broken).encode()))) == 2
    assert Path(feedparser.api.__file__).read_text().count("= LooseFeedParser(") == 1
