"""Captions: taken for the text of an item only where there is nothing else."""

import pytest

from streams.ingest import limits
from streams.ingest.sources import rss
from streams.ingest.sources.model import Document, Item
from tests.streams.ingest.sources.broken_feeds import ATOM, URL, around, entry, item

MEDIA = ' xmlns:media="http://search.yahoo.com/mrss/"'
ITUNES = ' xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
WRECK = "The wreck of another airline's plane, after a crash ten years ago. Photo: Agency"


def read(body: str) -> list[Item]:
    return rss.read(Document(url=URL, body=body.encode()))


@pytest.mark.parametrize(
    "caption",
    [
        f"<media:description>{WRECK}</media:description>",
        f'<media:description type="plain" x=">">{WRECK}</media:description >',
        f'<media:content url="/"><media:description>{WRECK}</media:description></media:content>',
        f"<itunes:summary>{WRECK}</itunes:summary><itunes:subtitle>{WRECK}</itunes:subtitle>",
    ],
)
@pytest.mark.parametrize("broken", ["", "&nbsp;"])
def test_a_caption_is_not_the_text(caption: str, broken: str) -> None:
    for second in (
        item(2, more=caption),
        item(2).replace("<description>", caption + "<description>"),
    ):
        feed = around(second + f"<x>{broken}</x>", MEDIA + ITUNES)
        assert [one.text for one in read(feed)] == ["Text 1.", "Text 2.", "Text 3."]


@pytest.mark.parametrize("name", ["media:description", "itunes:summary", "itunes:subtitle"])
@pytest.mark.parametrize(
    "description",
    [
        "",
        "<description/>",
        "<description> </description>",
        "<description>&lt;img src='a.jpg'&gt;</description>",
    ],
)
def test_a_caption_is_the_text_where_there_is_no_other(name: str, description: str) -> None:
    caption = f"<{name}>A dog &amp;amp; a cat</{name}>"
    feed = around(f"<item><title>Title 2</title>{description}{caption}</item>", MEDIA + ITUNES)
    assert read(feed)[1].text == "A dog & a cat"


def test_captions_are_known_by_their_namespace() -> None:
    caption = f"<m:description>{WRECK}</m:description>"
    named = ' xmlns:m="http://search.yahoo.com/mrss"'
    assert read(around(item(2, more=caption), named))[1].text == "Text 2."
    other = ' xmlns:media="urn:other"'
    caption = f"<media:description>{WRECK}</media:description>"
    assert read(around(item(2, more=caption), other))[1].text == "Text 2."


def test_captions_in_atom() -> None:
    caption = f"<media:title>x</media:title><media:description>{WRECK}</media:description>"
    group = f"<media:group>{caption}</media:group>"
    feed = f'<feed xmlns="{ATOM}"{MEDIA}>{entry(1, group)}</feed>'
    assert [(one.title, one.text) for one in read(feed)] == [("Title 1", "Text 1.")]


def test_an_empty_caption_and_one_behind_the_last_item() -> None:
    many = "".join(item(n, more="<media:description/>") for n in range(limits.MAX_FEED_ITEMS + 5))
    found = read(around(many + "<media:description>x</media:description>", MEDIA))
    assert len(found) == limits.MAX_FEED_ITEMS
    assert found[-1].text.startswith("Text ")
