"""One exchange: bounds of bytes and time, encodings, headers."""

import gzip
import tracemalloc
import zlib

import pytest

from schemas.units import SECOND_NS
from streams.ingest.fetching.guard import Endpoint
from streams.ingest.fetching.http import Agent, Http, HttpResponse, retry_after_s
from streams.ingest.limits import MAX_OBEYED_DELAY_S
from tests.streams.ingest.fetching.test_guard import _numbers
from tests.streams.ingest.fetching.web import Page, Wires, fails, html, site, zipped

URL = "http://a.example/"


async def got(page: Page, **how: object) -> HttpResponse:
    wires = Wires({"a.example/": page})
    return await Http(Agent(), wires.resolve, wires.dial).get(URL, **how)  # type: ignore[arg-type]


async def test_who_we_are_is_said() -> None:
    async with site({"/": html("x")}) as it:
        agent = Agent(user_agent="TestBot/1 (+mailto:a@b.example)", sender="a@b.example")
        own = Endpoint("127.0.0.1", it.port)
        await Http(agent, _numbers).get(f"{it.url}/", own=own, headers={"If-None-Match": '"1"'})
        (seen,) = it.seen
    assert seen.headers["user-agent"] == "TestBot/1 (+mailto:a@b.example)"
    assert seen.headers["from"] == "a@b.example"
    assert seen.headers["if-none-match"] == '"1"'
    assert "cookie" not in seen.headers
    assert agent.product == "TestBot"


async def test_a_gzipped_body_is_unpacked() -> None:
    assert (await got(zipped(b"hello" * 1000))).body == b"hello" * 1000


async def test_a_bomb_does_not_go_off() -> None:
    bomb = zipped(b"\0" * 50_000_000)
    assert len(bomb.body) < 60_000
    tracemalloc.start()
    try:
        with fails("too_large"):
            await got(bomb, max_bytes=1_000_000)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10_000_000


@pytest.mark.parametrize(
    "encoding",
    ["UTF-8", "utf8", "identity", "none", "", "binary", "8bit", "iso-8859-1", "UTF-8, none"],
)
async def test_an_encoding_that_is_none_counts_as_none(encoding: str) -> None:
    assert (await got(Page(b"<rss/>", 200, {"Content-Encoding": encoding}))).body == b"<rss/>"


async def test_an_answer_without_a_body_is_not_cut_off() -> None:
    page = Page(b"", 304, {"Content-Encoding": "gzip"})
    assert (await got(page)).body == b""


async def test_what_follows_the_last_member_is_not_waited_for() -> None:
    page = Page(gzip.compress(b"x") + b"junk" * 500_000, 200, {"Content-Encoding": "gzip"})
    assert (await got(page, max_bytes=10)).body == b"x"


async def test_bombs_within_bombs_are_not_taken() -> None:
    page = Page(gzip.compress(gzip.compress(b"x")), 200, {"Content-Encoding": "gzip, gzip"})
    with fails("bad_type"):
        await got(page)


@pytest.mark.parametrize("size", [0, 1, 999, 1_000])
async def test_a_body_up_to_the_bound(size: int) -> None:
    assert len((await got(Page(b"x" * size), max_bytes=1_000)).body) == size


async def test_a_body_beyond_the_bound() -> None:
    with fails("too_large"):
        await got(Page(b"x" * 1_001), max_bytes=1_000)
    assert (await got(Page(b"x" * 1_001), max_bytes=1_000, cut=True)).body == b"x" * 1_000


@pytest.mark.parametrize(
    "page",
    [
        Page(b"not gzip at all", 200, {"Content-Encoding": "gzip"}),
        Page(zlib.compress(b"x" * 99), 200, {"Content-Encoding": "gzip"}),
        Page(gzip.compress(b"x" * 99), 200, {"Content-Encoding": "deflate"}),
        Page(b"x", 200, {"Content-Encoding": "br"}),
    ],
)
async def test_a_body_that_is_not_as_its_encoding_says(page: Page) -> None:
    with fails("bad_type"):
        await got(page)


async def test_a_body_that_breaks_off() -> None:
    with fails("unreachable"):
        await got(Page(b"x" * 1_000, cut=True))
    whole = gzip.compress(bytes(range(256)) * 50)
    with fails("unreachable"):
        await got(Page(whole[: len(whole) // 2], 200, {"Content-Encoding": "gzip"}))


async def test_an_answer_that_does_not_come() -> None:
    with fails("too_slow"):
        await got(Page(b"x", stalls_s=60), within_s=0.05)


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nA" + b"a" * 200_000]
)
async def test_what_is_no_http(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Page, "encoded", lambda self: answer)
    with fails("unreachable"):
        await got(Page())


async def test_errors_are_answers_too() -> None:
    assert (await got(Page(b"gone", 410))).status == 410


def answer(**headers: str) -> HttpResponse:
    return HttpResponse(
        URL, 429, {name.replace("_", "-"): value for name, value in headers.items()}, b""
    )


NOW_NS = 1_795_168_800 * SECOND_NS  # Fri, 20 Nov 2026 10:00:00 GMT


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [("120", 120), ("0", 0), ("-5", 0), ("9" * 50, MAX_OBEYED_DELAY_S), ("soon", 0), ("", 0),
     ("Fri, 20 Nov 2026 10:01:00 GMT", 60), ("Fri, 20 Nov 2020 10:01:00 GMT", 0),
     ("Fri, 20 Nov 2099 10:01:00 GMT", MAX_OBEYED_DELAY_S), ("\u0661\u0662", 0)],
)  # fmt: skip
def test_retry_after(text: str, wait_s: float) -> None:
    assert retry_after_s(answer(retry_after=text), NOW_NS) == wait_s


def test_types_and_charsets() -> None:
    one = answer(content_type='Text/HTML; charset="ISO-8859-1"')
    assert (one.media_type, one.charset) == ("text/html", "ISO-8859-1")
    assert (answer().media_type, answer().charset) == ("", "")
    assert answer(content_type="text/xml; charset=UTF-8,UTF-8").charset == "UTF-8,UTF-8"


@pytest.mark.parametrize(
    ("text", "media_type"),
    [("text/html, application/rss+xml", "application/rss+xml"), ("text/xml, nonsense", "text/xml"),
     ("text/html; charset=utf-8, text/html; charset=utf-8", "text/html"), ("nonsense", ""),
     ("*/*", ""), ("text/xml;", "text/xml"), ("text/xml; a=b; c", "text/xml"), ("text/", ""),
     (";charset=utf-8", ""), ("application/octet-stream", "application/octet-stream")],
)  # fmt: skip
def test_the_last_of_several_types_counts(text: str, media_type: str) -> None:
    assert answer(content_type=text).media_type == media_type


async def test_two_headers_of_a_type_are_one_with_both(monkeypatch: pytest.MonkeyPatch) -> None:
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=UTF-8\r\n"
    told = f"{head}Content-Type: application/rss+xml\r\nETag: 1\r\nETag: 2\r\n\r\n"
    monkeypatch.setattr(Page, "encoded", lambda self: told.encode())
    response = await got(Page())
    assert response.media_type == "application/rss+xml"
    assert response.charset.startswith("UTF-8")
    assert response.headers["etag"] == "1"
