"""When a page was published: the best that it says, and never the date of another story."""

import json

import pytest

from streams.ingest import limits
from streams.ingest.sources import html
from streams.ingest.sources.dates import moment
from streams.ingest.sources.model import Document

URL = "https://a.example/2026/quay?from=feed"
TITLE = "Turku opens its second quay"
STORY = "<p>The port of Turku opened its second quay on Monday, two years after the first one.</p>"


def published(
    head: str = "", body: str = "", title: str = "Turku opens its second quay"
) -> int | None:
    page = f"<html><head><title>{title} | The Paper</title>{head}</head><body>{body}</body></html>"
    document = Document(url=URL, body=(page if STORY in page else page + STORY * 4).encode())
    return html.read_page(document).published_ns


LD = '<script type="application/ld+json">'


def ld(*nodes: object) -> str:
    return "".join(f"{LD}{json.dumps(node)}</script>" for node in nodes)


def news(date: str, **more: object) -> dict[str, object]:
    return {"@type": "NewsArticle", "datePublished": date, **more}


def meta(name: str, content: str, kind: str = "property") -> str:
    return f'<meta {kind}="{name}" content="{content}">'


def pub(date: str) -> str:
    return meta("article:published_time", date)


def dated(date: str) -> str:
    return meta("date", date, "name")


def time(date: str) -> str:
    return f'<time datetime="{date}">then</time>'


DAY = "2026-11-29T10:00:00+01:00"
OTHER = "2019-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "head",
    [
        ld(news(DAY)) + pub(OTHER),
        ld({"@graph": [{"@type": "WebPage", "datePublished": OTHER}, news(DAY)]}),
        ld({"@type": "WebPage", "datePublished": OTHER, "mainEntity": news(DAY)}),
        ld([news(DAY), news(OTHER)]),
        ld(news(OTHER, url="https://a.example/old"), news(DAY, url="http://www.a.example/2026/quay/")),
        ld(news(OTHER, headline="An older story of the port"), news(DAY, headline=f"{TITLE}!")),
        ld(news(DAY, mentions=news(OTHER), isPartOf={"datePublished": OTHER})),
        ld(news(DAY, hasPart=[news(OTHER)]), {"@type": "ItemList", "itemListElement": news(OTHER)}),
        ld({"@type": ["Article", "NewsArticle"], "datePublished": DAY}),
        ld({"@type": "https://schema.org/ReportageNewsArticle", "datePublished": [DAY]}),
        ld({"@type": "LiveBlogPosting", "datePublished": DAY, "liveBlogUpdate": [news(OTHER)]}),
        ld(news("soon")) + pub(DAY),
        pub(DAY) + ld({"@type": "WebPage", "datePublished": OTHER}),
        meta("PubDate", DAY, "name") + dated(OTHER),
        meta("datePublished", DAY, "itemprop"),
        LD + '{"@type":"NewsArticle","datePublished":"' + DAY + '",}</script>',
        LD + '<!-- {"@type":"Article","a":"\n","datePublished":"' + DAY + '"} --></script>',
    ],
)  # fmt: skip
def test_the_articles_own_date_comes_first(head: str) -> None:
    assert published(head, time(OTHER)) == moment(DAY)


@pytest.mark.parametrize(
    ("body", "date"),
    [
        (f"<h1>Q</h1>{time(DAY)}{STORY * 4}", DAY),
        (f"<a href=/x>{time(OTHER)}</a><h1>Q</h1>{time(DAY)}{STORY * 4}{time(OTHER)}", DAY),
        (f"{time(OTHER)}<h1>Q</h1>{time(DAY)}{STORY * 4}", DAY),
        (f"<nav>{time(OTHER)}</nav><aside>{time(OTHER)}</aside>{time(DAY)}{STORY * 4}", DAY),
        (f"<header>{time(DAY)}</header>{STORY * 4}", DAY),
        (f"{STORY * 4}<p>Read also: {time(OTHER)}</p>", None),
        (f"<article>{STORY * 4}<ul><li><a href=/x>{time(OTHER)}</a></ul></article>", None),
        (f"{time('00:00')}{STORY * 4}", None),
    ],
)
def test_a_time_counts_at_the_head_of_the_text(body: str, date: str | None) -> None:
    assert published(body=body) == moment(date)


@pytest.mark.parametrize(
    ("head", "date"),
    [
        # the same moment, with its zone, stands elsewhere
        (dated("2026-11-29T10:00:00") + ld(news(DAY)), DAY),
        (ld(news("2026-11-29T10:00:00")) + pub(DAY), DAY),
        (ld(news("2026-11-29 10:00")) + pub("2026-11-29T09:00:20Z"), "2026-11-29T09:00:20Z"),
        (ld(news("2026-11-29")) + pub(DAY), DAY),
        (ld(news("2026-11-29T18:00")) + pub("2026-11-29T18:00+09:00"), "2026-11-29T09:00Z"),
        # a change says in which zone the page writes
        (ld(news("2026-11-29T10:00:00", dateModified="2026-11-29T12:07:00+01:00")), DAY),
        (ld(news("2026-11-29T10:00")) + meta("og:updated_time", "2026-11-29T12:07:00+01:00"), DAY),
        # another moment is not taken for it
        (ld(news("2026-11-29T10:00:00")) + pub("2026-11-27T10:00+01:00"), "2026-11-29T10:00Z"),
        (ld(news("2026-11-29T10:00:00")) + pub("2026-11-29T12:07+01:00"), "2026-11-29T10:00Z"),
        (ld(news("2026-11-29")) + pub("2026-11-28T10:00:00+01:00"), "2026-11-29"),
        (dated("2026-11-29T10:00:00"), "2026-11-29T10:00Z"),
        # numbers are read in the order that another date tells
        (dated("03/04/2026"), None),
        (dated("03/04/2026") + meta("dc.date", "29/03/2026", "name"), "2026-04-03"),
    ],
)  # fmt: skip
def test_what_a_date_lacks_is_taken_from_what_else_the_page_says(head: str, date: str) -> None:
    assert published(head) == moment(date)


@pytest.mark.parametrize(
    "script",
    [
        "[" * 50_000,
        '{"@graph":' * 20_000 + "{}" + "}" * 20_000,
        json.dumps([{"@type": "WebPage"}] * (limits.MAX_JSON_LD_NODES + 1) + [news(OTHER)]),
        json.dumps(news(OTHER, filler="x" * limits.MAX_JSON_LD_CHARS)),
        '{"datePublished":"2019-01-01","x":{"datePublished":"2019-01-02"},}',
        '{"@type":"NewsArticle","datePublished":true}',
        "9" * 5_000,
        "null",
        "",
    ],
)
def test_json_ld_that_is_too_much_or_none_is_passed_over(script: str) -> None:
    head = f"{LD}{script}</script>"
    assert published(head + dated(DAY)) == moment(DAY)
