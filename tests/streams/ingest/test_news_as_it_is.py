"""What real feeds, pages, robots files and texts are like: one entry for each kind of oddity.

The kinds come from the bug trackers of feed readers, from pages of real publishers and from
published lists. What ought to be read is read here, and what it means is what people take it for.
"""

import calendar
import json
from typing import Any, Final, NamedTuple

import pytest

from schemas.articles import notice
from schemas.jobs import FetchSource
from schemas.observations import ArticleObserved
from schemas.units import SECOND_NS
from streams.ingest.fetching.http import Agent, Http, HttpResponse
from streams.ingest.fetching.robots_file import read_robots
from streams.ingest.measuring.names import Names
from streams.ingest.measuring.tokens import sentences
from streams.ingest.sources import READINGS
from streams.ingest.sources.model import Document, Item
from tests.engines.reality.test_tellings import OPEN
from tests.engines.reality.venue import RealityVenue
from tests.simulated.virtual_time import simulate
from tests.streams.ingest.fetching.web import Page, Wires, fails, source
from tests.streams.ingest.fetching.world import FetchWorld
from tests.streams.ingest.measuring.world import KEYWORDS, SENTIMENT
from tests.streams.ingest.sources.broken_feeds import KINDS

URL: Final = "https://quay.example/feed"


def read(reading: str, body: str | bytes, content_type: str = "") -> list[Item]:
    """Read a document that came with a header, or with none."""
    headers = {"content-type": content_type} if content_type else {}
    data = body if isinstance(body, bytes) else body.encode()
    response = HttpResponse(URL, 200, headers, data)
    return READINGS[reading](
        Document(url=URL, body=data, media_type=response.media_type, charset=response.charset)
    )


def utc(*when: int) -> int:
    """Return a time in UTC, from the year down, in ns since 1970."""
    return calendar.timegm((*when, 0, 0, 0)[:6]) * SECOND_NS


# -- feeds -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_feed_is_read_from_the_bytes_that_came(kind: str) -> None:
    given = KINDS[kind]
    assert tuple(one.title for one in read("rss", given.body)) == given.titles


PIER: Final = "Les pêcheurs du très vieux port réclament là-bas une criée à l’été."
"""Its apostrophe is in UTF-8 and in no Latin-1."""


def french(text: str = PIER, encoding: str = "UTF-8") -> str:
    return (
        f'<?xml version="1.0" encoding="{encoding}"?><rss version="2.0"><channel><title>Q</title>'
        f"<item><title>Port</title><description>{text}</description></item></channel></rss>"
    )


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(french(), "text/xml; charset=ISO-8859-1", id="a header of Latin-1"),
        pytest.param(french(), "text/xml; charset=utf-8,utf-8", id="a charset given twice"),
        pytest.param(french(), "text/xml; charset=utf-8; charset=utf-8", id="a charset in two"),
        pytest.param(french(encoding="utf8mb3"), "", id="a charset that is none"),
        pytest.param(french(encoding="UTF-16"), "", id="a charset that it is not in"),
        pytest.param(french(), "application/octet-stream", id="the type of a download"),
        pytest.param(french(), "text/xml, application/rss+xml", id="two types"),
    ],
)
def test_a_feed_whose_labels_err_is_read(body: str, content_type: str) -> None:
    (item,) = read("rss", body, content_type)
    assert item.text == PIER


def test_latin_1_that_says_utf_8_is_read() -> None:
    text = PIER.replace("’", "'")
    (item,) = read("rss", french(text).encode("latin-1"))
    assert item.text == text


def one_item(inner: str) -> Item:
    (item,) = read(
        "rss",
        '<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" '
        'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>Quay</title>'
        f"<item><title>Ferry line</title><link>/1</link>{inner}</item></channel></rss>",
    )
    return item


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        pytest.param("Sat, 14 Mar 2026 07:05:00", utc(2026, 3, 14, 7, 5), id="no zone"),
        pytest.param("2026/03/14 07:05:59", utc(2026, 3, 14, 7, 5, 59), id="slashes"),
        pytest.param("2026-03-14 07:05:00 UTC", utc(2026, 3, 14, 7, 5), id="zone as a word"),
        pytest.param("Mar 14, 2026", utc(2026, 3, 14), id="month first"),
    ],
)
def test_a_date_of_a_feed_is_what_people_take_it_for(said: str, meant: int) -> None:
    assert one_item(f"<pubDate>{said}</pubDate>").published_ns == meant


def test_a_caption_is_no_text_where_there_is_one() -> None:
    item = one_item(
        "<description>The line to Turku opens in May.</description>"
        "<media:content url='https://quay.example/x.jpg'/>"
        "<media:description>A ferry of another line that burnt and sank twenty years ago, with "
        "heavy loss of life. Photo: Agency</media:description>"
    )
    assert item.text == "The line to Turku opens in May."


def test_a_caption_is_the_text_where_there_is_nothing_else() -> None:
    caption = "<media:description>A ferry at the pier.</media:description>"
    assert one_item(caption).text == "A ferry at the pier."


def test_a_drop_cap_is_part_of_its_word() -> None:
    cap = "<![CDATA[<p><span class=cap>B</span>olt keeps its yard in Oslo.</p>]]>"
    assert one_item(f"<description>{cap}</description>").text == "Bolt keeps its yard in Oslo."


@pytest.mark.parametrize("content_type", ["text/html", "text/html; charset=utf-8", ""])
def test_a_page_where_a_feed_was_is_no_feed(content_type: str) -> None:
    page = (
        "<!DOCTYPE html><html><head><title>One moment</title></head><body>Checking.</body></html>"
    )
    with fails("bad_type"):
        read("rss", page, content_type)


def test_an_encoding_that_is_a_charset_is_none() -> None:
    body = french().encode()
    told = {"Content-Encoding": "UTF-8", "Content-Type": "application/rss+xml"}
    wires = Wires({"quay.example/feed": Page(body, 200, told)})
    got: list[bytes] = []

    async def ask() -> None:
        response = await Http(Agent(), wires.resolve, wires.dial).get("http://quay.example/feed")
        got.append(response.body)

    simulate(ask())
    assert got == [body]


# -- pages -------------------------------------------------------------------------------

STORY: Final = [
    f"The pilots' union said on Monday that the stoppage at the quay is over after {days} days. "
    f"Tug number {days} has left the inner basin with two barges."
    for days in range(4, 10)
]
PARAGRAPHS: Final = "".join(f"<p>{one}</p>" for one in STORY)


def page(body: str, head: str = "", language: str = "en") -> Item:
    (item,) = read(
        "page",
        f'<html lang="{language}"><head><meta charset="utf-8"><title>Stoppage over</title>{head}'
        f"</head><body>{body}</body></html>",
        "text/html; charset=utf-8",
    )
    return item


def linked(**fields: str) -> str:
    data = json.dumps({"@type": "NewsArticle", **fields})
    return f'<script type="application/ld+json">{data}</script>'


def test_the_text_of_a_page_is_not_the_teaser_before_it() -> None:
    teaser = "<p>Zeta Bank's treasurer arrested over forged letters of credit, police say.</p>"
    item = page(f'<article class="card"><a href="/x">{teaser}</a></article><div>{PARAGRAPHS}</div>')
    assert "pilots' union" in item.text
    assert "Zeta" not in item.text


def test_paragraphs_may_be_parted_by_breaks() -> None:
    footer = "<footer><p>Copyright 2026 Quay Post. All rights reserved by us.</p></footer>"
    item = page(f"<div id=text>{'<br><br>'.join(STORY)}</div>{footer}")
    assert all(one in item.text for one in STORY)
    assert "rights reserved" not in item.text


def test_all_posts_of_a_live_page_are_its_text() -> None:
    posts = (
        "A man was killed when a crane fell, the coast guard says.",
        "No ferries run.",
        "The bridge is closed to high vehicles until noon; drivers are asked to go round by the "
        "ring road, and the port has sent its workers home for the day.",
    )
    articles = "".join(
        f"<article><h2>1{n}:00</h2><p>{one}</p></article>" for n, one in enumerate(posts)
    )
    text = page(f"<main><h1>Gale, as it happens</h1>{articles}</main>").text
    assert [one for one in posts if one not in text] == []


def test_a_page_that_scripts_fill_may_carry_its_text_beside_it() -> None:
    item = page('<div id="app"></div>', linked(articleBody=" ".join(STORY)))
    assert STORY[0] in item.text


def test_inline_tags_make_no_blanks() -> None:
    item = page(
        "<article><p>The <a href='/f'>Fed</a>’s chair, <b>B. Person</b>, was in the "
        "U.<small>S.</small> on Friday to speak about banks and rates.</p></article>"
    )
    assert item.text.startswith("The Fed’s chair, B. Person, was in the U.S. on Friday")


def test_the_date_of_a_page_is_not_that_of_a_story_beside_it() -> None:
    beside = '<p>Read also: <time datetime="2018-02-03">3 February 2018</time></p>'
    item = page(
        f"<article>{PARAGRAPHS}{beside}</article>",
        linked(datePublished="2026-03-14T08:05:00+01:00"),
    )
    assert item.published_ns == utc(2026, 3, 14, 7, 5)


def test_a_date_with_a_zone_goes_before_one_without() -> None:
    bare = '<meta name="date" content="2026-03-14T08:05:00">'
    zoned = linked(datePublished="2026-03-14T08:05:00+01:00")
    item = page(f"<article>{PARAGRAPHS}</article>", bare + zoned, "de")
    assert item.published_ns == utc(2026, 3, 14, 7, 5)


# -- robots.txt --------------------------------------------------------------------------

OURS: Final = Agent().product


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\ufeffUser-agent: *\nDisallow: /\n", id="byte order mark"),
        pytest.param(f"User-agent: {OURS}/0.1\nDisallow: /\n", id="our name with a version"),
        pytest.param(
            f"User-agent: {OURS} (+https://quay.example)\nDisallow: /\n", id="our name, an address"
        ),
        pytest.param(
            f"User-agent: {OURS}\nCrawl-delay: 9\nUser-agent: AnyBot\nDisallow: /\n",
            id="crawl-delay between two names",
        ),
    ],
)
def test_a_robots_txt_that_forbids_is_obeyed(text: str) -> None:
    assert not read_robots(text.encode(), OURS).allows(URL)


# -- names -------------------------------------------------------------------------------


class Naming(NamedTuple):
    """A market's name, a title, and whether the title names it."""

    name: str
    title: str
    names: bool
    aliases: tuple[str, ...] = ()


NAMINGS: Final = (
    Naming("McDonald's", "McDonald’s raises prices", True),
    Naming("COVID-19", "Covid-19 wave hits", True),
    Naming("United States", "U.S.-led talks stall", True, ("U.S.",)),
    Naming("Apple", "An apple a day, orchards say", False),
    Naming("Apple", "Apple’s new plant opens", True),
    Naming("Beyonce\u0301", "Beyoncé sells out", True),
    Naming("Beyoncé", "Beyonce\u0301 sells out", True),
    Naming("OPEC", "Opec cuts output", True),
    Naming("AT&T", "The court fined AT&T.", True),
    Naming("AT&T", "AT&T’s network is down", True),
)


@pytest.mark.parametrize("given", NAMINGS, ids=[f"{one.name}: {one.title}" for one in NAMINGS])
def test_a_name_is_found_as_people_write_it(given: Naming) -> None:
    names = Names()
    names.put("MARKET-1", given.name, given.aliases)
    assert bool(names.of(given.title, "").mentions) is given.names


# -- tone --------------------------------------------------------------------------------


def side(text: str) -> int:
    """Return whether quick_score would take `text` for good (1), bad (-1) or neither (0)."""
    said = sentences(text)
    base = 4 * SENTIMENT.of(said) + 3 * KEYWORDS.of(said).score_bp
    return (base > 0) - (base < 0)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Unemployment falls to record low.", 1),
        ("Losses narrow at Acme.", 1),
        ("Acme denies it is bankrupt.", 1),
        ("Acme fails to win approval.", -1),
        ("EU lifts sanctions on Acme.", 1),
        ("Interest rate decision due Thursday.", 0),
        ("Gross domestic product was flat.", 0),
    ],
)
def test_a_short_sentence_has_its_sign(text: str, wanted: int) -> None:
    assert side(text) == wanted


def test_a_curly_apostrophe_negates_as_a_straight_one_does() -> None:
    assert side("The plan isn’t good.") == side("The plan isn't good.") == -1


# -- stories that are nearly alike -------------------------------------------------------

REST: Final = (
    "Shares of the shipyard hardly moved in the first hour of trading in Oslo. The ruling had been "
    "expected since spring. The yard employs 900 people."
)
NEARLY_BP: Final = 9_700
"""How alike such texts are measured to be, whose difference is a word or two."""


def told(venue: RealityVenue, title: str, text: str, like: int | None = None) -> Any:
    """Have `venue` hear an article as it is measured; return its events."""
    said = [*sentences(title), *sentences(text)]
    return venue.measure(
        sentiment_bp=SENTIMENT.of(said),
        keywords_bp=KEYWORDS.of(said).score_bp,
        neighbours=venue.neighbour(like, NEARLY_BP) if like is not None else [],
        notice=notice(title),
    )


def test_the_opposite_in_nearly_the_same_words_is_no_duplicate() -> None:
    venue = RealityVenue(OPEN)
    opened, *_ = told(venue, "Bolt wins patent case", f"A court ruled that Bolt was right. {REST}")
    before_e2 = venue.score_e2()
    joined, *_ = told(
        venue,
        "Bolt loses patent case",
        f"A court ruled that Bolt was wrong. {REST}",
        opened.article,
    )
    assert type(joined).__name__ == "ArticleGrouped"
    assert venue.score_e2() <= before_e2


def test_a_correction_takes_back_what_its_story_moved() -> None:
    venue = RealityVenue(OPEN)
    opened, *_ = told(venue, "Bolt profit rises 10%", f"Bolt said its profit rose 10%. {REST}")
    assert venue.score_e2() > 5_000
    told(
        venue,
        "CORRECTED-Bolt profit falls 10%",
        f"(Corrects to say profit fell, not rose) Bolt said its profit fell 10%. {REST}",
        opened.article,
    )
    assert venue.score_e2() < 5_000


# -- polls of one feed -------------------------------------------------------------------


def polled(*bodies: str) -> list[int]:
    """Return how many articles each poll of a feed brought."""
    counts: list[int] = []

    async def work() -> None:
        world = FetchWorld(source(URL))
        for number, body in enumerate(bodies):
            world.web[URL] = Page(body.encode())
            await world.do(FetchSource(source="wire", due_ns=world.clock.now_ns() * bool(number)))
            articles = sum(isinstance(one, ArticleObserved) for one in await world.seen())
            counts.append(articles - sum(counts))

    simulate(work())
    return counts


def listing(
    query: str = "",
    guid: str = "quay-{}",
    texts: str = "What tug {} did today.",
    titles: str = "Tug {} and what it did",
) -> str:
    """Return a feed of three stories, whose links carry `query`."""
    items = "".join(
        f"<item><title>{titles.format(number)}</title><guid>{guid.format(number)}</guid>"
        f"<link>https://quay.example/{number}{query}</link>"
        f"<description>{texts.format(number)}</description></item>"
        for number in range(3)
    )
    return f"<rss version='2.0'><channel>{items}</channel></rss>"


EMPTY: Final = "<rss version='2.0'><channel></channel></rss>"


OTHERS: Final = listing(
    "?lang=no", "slep-{}", "Hva slep {} gjorde i dag.", "Slep {} og hva det gjorde"
)
CORRECTED: Final = listing(texts="Corrected: what tug {} did.")


@pytest.mark.parametrize(
    ("bodies", "new"),
    [
        pytest.param([listing(f"?cid={n}") for n in range(3)], [3, 0, 0], id="tracking"),
        pytest.param(
            [listing("?utm_source=rss", f"r{n}-{{}}") for n in range(3)],
            [3, 0, 0],
            id="random guid",
        ),
        pytest.param([listing(), EMPTY, listing()], [3, 0, 0], id="empty once"),
        pytest.param([listing(), OTHERS, listing(), OTHERS], [3, 3, 0, 0], id="two in turn"),
        pytest.param([listing(), CORRECTED, EMPTY, CORRECTED], [3, 3, 0, 0], id="new text, once"),
    ],
)
def test_polls_bring_each_article_once(bodies: list[str], new: list[int]) -> None:
    assert polled(*bodies) == new
