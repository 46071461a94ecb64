"""Urls that lead to the same page, and those that only look as if they did."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.articles import page
from schemas.links import canonical

STORY = "https://pub.example/news/a-story?id=5"


@pytest.mark.parametrize(
    "url",
    [
        "http://pub.example/news/a-story?id=5",
        "https://www.pub.example/news/a-story?id=5",
        "https://WWW.Pub.Example./news/a-story?id=5",
        "https://pub.example:443/news/a-story?id=5",
        "https://pub.example/news/a-story/?id=5",
        "https://pub.example/news/a%2dstory/index.html?id=5",
        "https://pub.example/news/a-story?id=5#comments",
        "https://pub.example/news/a-story?utm_source=rss&utm_medium=feed&id=5",
        "https://pub.example/news/a-story?id=5&at_medium=RSS&at_campaign=KARANGA",
        "https://pub.example/news/a-story?id=5&amp;utm_source=rss",
        "https://pub.example/news/a-story?FBCLID=IwAR0x&id=5&gclid=y",
        "https://pub.example/news/a-story?id=5&ns_mchannel=rss&CMP=x&ito=1490",
        "https://pub.example/news/a-story?id=5&from=rss",
        "https://pub.example/news/a-story?id=5&PHPSESSID=0a1b2c",
        "https://pub.example/news/a-story;jsessionid=0A1B2C.node1?id=5",
        "https://pub.example/(S(lit3py55t21z5v55vlm25s55))/news/a-story?id=5",
        "https://pub.example/news/a-story?sid=0a1b2c3d4e5f60718293a4b5&id=5",
        "https://pub.example/news/a-story?id=5&_=1698765432101",
        "https://pub.example/news/a-story/amp?id=5",
        "https://amp.pub.example/news/a-story/amp/?id=5",
        "https://pub.example/amp/news/a-story?id=5",
        "https://pub.example/news/a-story?id=5&amp=1",
        "https://pub.example/news/a-story?outputType=amp&id=5",
        "https://pub-example.cdn.ampproject.org/c/s/pub.example/news/a-story?id=5",
        "https://www.google.com/amp/s/pub.example/news/a-story?id=5",
    ],
)
def test_same_page(url: str) -> None:
    assert canonical(url) == canonical(STORY)
    assert page(url) == page(STORY)


@pytest.mark.parametrize(
    "url",
    [
        "https://pub.example/news/a-story?id=6",
        "https://pub.example/news/a-story",
        "https://pub.example/news/A-Story?id=5",  # paths are told apart by their case
        "https://pub.example/news?id=5",
        "https://sport.pub.example/news/a-story?id=5",
        "https://pub.example:8080/news/a-story?id=5",
        "https://pub.example/news/a-story?id=5&page=2",
        "https://pub.example/news/a-story?id=5&from=2026-11-01",  # of a query, not of a reader
        "https://pub.example/news/a-story?id=5&sid=17",
        "https://pub.example/news/a-story?id=5&source=oslo",
        "https://pub.example/news/a-story?id=5#!/oslo",
        "https://other.example/news/a-story?id=5",
        "https://pub.example/news/a%2Fstory?id=5",
    ],
)
def test_another_page(url: str) -> None:
    assert canonical(url) != canonical(STORY)


@given(st.text(max_size=200), st.sampled_from(["", "https://", "http://a.example/", "//"]))
def test_any_url_is_read_and_what_comes_is_as_it_stays(url: str, front: str) -> None:
    assert isinstance(canonical(front + url), str)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.google.com" + "/amp/s/www.google.com" * 50_000,
        "https://a.example/" + "%2" * 50_000,
        "https://a.example/" + ";sid=" * 50_000,
        "https://a.example/?" + "utm_a&" * 50_000,
        "https://" + "a." * 50_000,
    ],
)
def test_no_url_takes_long_to_read(url: str) -> None:
    assert canonical(url).startswith("//")


@pytest.mark.parametrize("url", ["https://[::1", "https://a.example:x/", "mailto:a@b", "", "a b"])
def test_what_is_no_web_address_stays_as_it_is(url: str) -> None:
    assert canonical(url) == url
