"""What the world says: feeds, pages, robots.txt and the model's answers, in bounded time."""

import asyncio
import time
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.articles import snapshot_id
from schemas.codec import encode
from schemas.errors import MalformedMessage
from schemas.observations import FetchProblem
from schemas.units import WEIGHT_ONE_BP
from streams.ingest.asking.answers import read_answer
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.fetching.robots_file import read_robots
from streams.ingest.limits import MAX_OBEYED_DELAY_S, MAX_RATIONALE_CHARS, MAX_SUMMARY_CHARS
from streams.ingest.sources import READINGS
from streams.ingest.sources.charsets import decode
from streams.ingest.sources.model import Document
from tests.fuzz.budget import examples
from tests.fuzz.junk import MAX_BYTES, bent, dumped, near
from tests.streams.ingest.asking.scripted import document
from tests.support.news import Item, News

WITHIN_S: Final = 5.0
GIVEN: Final = {"a" * 16: "a" * 64, "b" * 16: "b" * 64}
PARTS: Final = (
    b"<item>",
    b"</item>",
    b"<![CDATA[",
    b"]]>",
    b"<!DOCTYPE x [<!ENTITY a 'b'>]>",
    b"&a;",
    b"&#0;",
    b"&#x10ffff;",
    b"<script>",
    b"<!--",
    b"<base href='http://[::1'>",
    b"<title>",
    b"<p>" * 200,
    b"<a href='javascript:x'>",
    b"<link>http://[</link>",
    b"<pubDate>31 Feb 99999 99:99</pubDate>",
    b"\xff\xfe",
    b"\x00",
    b"\xed\xa0\x80",
    b"<?xml version='1.0' encoding='utf-7'?>",
    b"<meta charset='x-unknown'>",
)
ROBOTS: Final = (
    b"User-agent: *\nDisallow: /a\nCrawl-delay: 5\nRequest-rate: 1/10\nAllow: /*.html$\n"
)
ROBOTS_LINES: Final = st.lists(
    st.sampled_from(
        (
            "User-agent: *",
            "User-agent: EverythingMarket",
            "Disallow: " + "*a" * 40,
            "Disallow: /%ff%zz",
            "Crawl-delay: 1e400",
            "Crawl-delay: -1",
            "Crawl-delay: nan",
            "Request-rate: 0/0",
            "Request-rate: 1/0",
            "Visit-time: 9999-x",
            "Sitemap: http://[",
        )
    )
    | st.text(max_size=30),
    max_size=8,
).map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass"))


def pages() -> tuple[bytes, ...]:
    """Return a good feed and a good page."""
    world = News(80)
    world.feed("/feed", [Item("Rain", "It rains.", minutes_ago=None), Item("Sun", "<b>It</b>")])
    world.page("/page", "Rain in Oslo", ["It rains in Oslo, and many people saw it happen."] * 3)
    return tuple(world.documents[path].body for path in ("/feed", "/page"))


@st.composite
def hostile(draw: st.DrawFn) -> bytes:
    """Draw a good document into which hostile parts were put."""
    whole = bytearray(draw(st.sampled_from(pages())))
    for part in draw(st.lists(st.sampled_from(PARTS), max_size=5)):
        at = draw(st.integers(0, len(whole)))
        whole[at:at] = part
    return bytes(whole)


DOCUMENTS = hostile() | hostile().flatmap(bent) | st.binary(max_size=MAX_BYTES)
CHARSETS = st.sampled_from(("", "utf-8", "utf-16", "latin-1", "shift_jis", "rot13", "hex", "\0"))


@pytest.mark.parametrize("reading", READINGS)
def test_a_document_is_read_or_refused(reading: str) -> None:
    @examples(80)
    @given(body=DOCUMENTS, charset=CHARSETS, selector=st.sampled_from(("", "a", "a[", "::x")))
    def read(body: bytes, charset: str, selector: str) -> None:
        began = time.monotonic()
        told = Document(url="https://a.example/x", body=body, charset=charset, selector=selector)
        try:
            items = READINGS[reading](told)
        except Unfetched as error:
            assert encode(str(error)), "what is said of it can stand on the log"
        else:
            for item in items:
                encode(item)
                snapshot_id(item.title, item.text)
        assert time.monotonic() - began < WITHIN_S

    read()


@examples(80)
@given(body=st.binary(max_size=MAX_BYTES), charset=st.text(max_size=20) | CHARSETS)
def test_any_bytes_become_text_unless_nobody_knows_the_charset(body: bytes, charset: str) -> None:
    try:
        decode(body, charset).encode()
    except Unfetched as error:
        assert error.problem is FetchProblem.BAD_CHARSET


@examples(150)
@given(
    text=ROBOTS_LINES | bent(ROBOTS) | st.binary(max_size=MAX_BYTES),
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
)
def test_any_robots_file_says_yes_or_no_and_a_pause(text: bytes, path: str) -> None:
    began = time.monotonic()
    rules = read_robots(text, "EverythingMarket")
    assert rules.allows(f"https://a.example/{path}") in (True, False)
    assert 0 <= rules.delay_s <= MAX_OBEYED_DELAY_S
    assert time.monotonic() - began < WITHIN_S


@examples(200)
@given(data=near((dumped(document(list(GIVEN))),)))
def test_an_answer_is_within_its_bounds_or_none(data: bytes) -> None:
    try:
        answer = read_answer(data.decode("utf-8", "replace"), GIVEN)
    except MalformedMessage:
        return
    assert -10_000 <= answer.impact_e2 <= 10_000
    assert 0 <= answer.confidence_bp <= WEIGHT_ONE_BP
    assert 0 < len(answer.summary) <= MAX_SUMMARY_CHARS
    assert 0 < len(answer.rationale) <= MAX_RATIONALE_CHARS
    assert set(answer.snapshot_ids) <= set(GIVEN.values())
    encode(answer)


async def test_the_reader_process_survives_what_it_reads() -> None:
    """The process that reads hostile documents answers each in time, and the next one too."""
    from streams.ingest.sources.reader import DocumentReader

    reader = DocumentReader()
    try:
        for part in PARTS:
            async with asyncio.timeout(30):
                for body in (part * 50, pages()[0] + part, pages()[1][:200] + part):
                    try:
                        await reader.read("rss", Document(url="https://a.example/", body=body))
                    except Unfetched:
                        continue
        good = await reader.read("rss", Document(url="https://a.example/", body=pages()[0]))
        assert [item.title for item in good] == ["Rain", "Sun"]
    finally:
        await reader.close()
