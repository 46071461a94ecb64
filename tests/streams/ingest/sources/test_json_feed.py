"""JSON Feed."""

import json
from typing import Any

import pytest

from streams.ingest import limits
from streams.ingest.sources import rss
from streams.ingest.sources.model import Document, Item
from tests.streams.ingest.fetching.web import fails

URL = "https://paper.example/news/feed.json"


def read(body: str, media_type: str = "application/feed+json") -> list[Item]:
    return rss.read(Document(url=URL, body=body.encode(), media_type=media_type))


def feed(*items: Any, version: str = "https://jsonfeed.org/version/1.1", **more: Any) -> str:
    return json.dumps({"version": version, "title": "The paper", "items": items, **more})


@pytest.mark.parametrize(
    "media_type", ["application/feed+json", "application/json", "text/plain", "text/html", ""]
)
@pytest.mark.parametrize("mark", ["", "\ufeff", "\n "])
def test_an_item(media_type: str, mark: str) -> None:
    entry = {
        "id": 7,
        "url": "/7#top",
        "title": "Rain & <b>more</b>",
        "content_html": "<p>It <i>rained</i>.</p>",
        "content_text": "not this",
        "summary": "nor this",
        "date_published": "2026-11-20T10:00:00Z",
    }
    (item,) = read(mark + feed(entry, language="en-GB"), media_type)
    assert item == Item(
        guid="7",
        link="https://paper.example/7",
        title="Rain & <b>more</b>",
        text="It rained.",
        language="en-GB",
        published_ns=1_795_168_800_000_000_000,
    )


@pytest.mark.parametrize(
    ("entry", "text", "link"),
    [
        ({"content_text": "A < b"}, "A < b", ""),
        ({"content_html": "", "content_text": "A"}, "A", ""),
        ({"summary": "S", "external_url": "https://b.example/"}, "S", "https://b.example/"),
        ({"url": "javascript:x()", "summary": "S"}, "S", ""),
        (
            {"url": 5, "summary": ["S"], "title": "T", "tags": {}},
            "",
            "https://paper.example/news/5",
        ),
    ],
)
def test_what_an_item_may_be(entry: dict[str, Any], text: str, link: str) -> None:
    (item,) = read(feed(entry))
    assert (item.text, item.link) == (text, link)


def test_what_is_no_item_is_left_out() -> None:
    assert read(feed("x", None, {}, {"id": "1"}, ["title"])) == []
    assert read(json.dumps({"version": "https://jsonfeed.org/version/1"})) == []


def test_of_very_many_items_the_first_are_read() -> None:
    found = read(feed(*({"title": f"T{n}"} for n in range(1_000))))
    assert [item.title for item in found] == [f"T{n}" for n in range(limits.MAX_FEED_ITEMS)]


@pytest.mark.parametrize(
    "body", ["{", '{"version": 2}', '{"items": []}', "{}", '{"a":' * 5_000, '{"a": NaN}',
             feed(version="https://other.example/")],
)  # fmt: skip
def test_what_is_no_json_feed(body: str) -> None:
    with fails("bad_type"):
        read(body)
