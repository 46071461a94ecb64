"""The text of a page: the article's own, whole, and nothing of its surroundings."""

import json
import socket

import pytest

from streams.ingest import limits
from streams.ingest.sources import html, rss
from streams.ingest.sources.model import Document
from streams.ingest.sources.plain import of_html

URL = "https://a.example/story"
STORY = "The port of Turku opened its second quay on Monday, two years after the first."
TEASER = "Zeta Bank's head was charged with fraud, and the court hears her on Friday morning."


def text_of(body: str, head: str = "") -> str:
    document = f"<html><head><title>Quay</title>{head}</head><body>{body}</body></html>"
    return html.read_page(Document(url=URL, body=document.encode())).text


def story(count: int = 6) -> str:
    return "".join(f"<p>{STORY} Part {n}.</p>" for n in range(count))


@pytest.mark.parametrize(
    "body",
    [
        f"<article class=card><a href=/x><p>{TEASER}</p></a></article><div>{story()}</div>",
        f"<article class=teaser><p>{TEASER}</p></article><div>{story()}</div>",
        f"<article><h3><a href=/x>Zeta</a></h3><p>{TEASER}</p></article>" * 3 + f"<p>{story()}</p>",
        f"<div class=promos><article><p>{TEASER}</p></article></div><main>{story()}</main>",
        f"<article><p>Read also: <a href=/x>{TEASER}</a></p>{story()}</article>",
        f"<article>{story()}<ul class=related><li><a href=/x>{TEASER}</a></li></ul></article>",
        f"<div>{story()}</div><aside><article><p>{TEASER}</p></article></aside>",
        f"<article>{story()}</article><footer><p>{TEASER}</p></footer>",
        f"<article><figure><figcaption>{TEASER}</figcaption></figure>{story()}</article>",
        f"<main>{story()}</main><nav><p>{TEASER}</p></nav><form><p>{TEASER}</p></form>",
    ],
)
def test_another_storys_teaser_is_no_part_of_it(body: str) -> None:
    text = text_of(body)
    assert text.startswith(STORY) and text.endswith("Part 5.")
    assert "Zeta" not in text


def test_paragraphs_by_line_breaks() -> None:
    text = text_of(
        f"<div>{f'{STORY}<br><br>' * 6}</div><footer><p>All rights reserved.</p></footer>"
    )
    assert text == " ".join([STORY] * 6)


def test_a_live_blog_has_all_its_posts() -> None:
    posts = (
        "Two trains stand still.",
        f"The storm is over, says the office. {STORY}",
        "Ferries sail.",
    )
    body = "".join(
        f"<article><h2>1{n}:00</h2><p>{post}</p></article>" for n, post in enumerate(posts)
    )
    text = text_of(f"<main><h1>Live</h1>{body}</main>")
    assert all(post in text for post in posts)


def test_a_live_blog_of_linked_headlines_is_no_list_of_cards() -> None:
    body = "".join(
        f"<article><h2><a href=/live?post={n}>1{n}:00</a></h2><p>{STORY} Post {n}.</p></article>"
        for n in range(5)
    )
    text = text_of(f"<main>{body}</main>")
    assert [f"Post {n}." in text for n in range(5)] == [True] * 5


def told(**more: object) -> str:
    node = {"@type": "NewsArticle", "articleBody": f"<p>{STORY}</p>" * 9, **more}
    return f'<script type="application/ld+json">{json.dumps(node)}</script>'


def test_json_ld_has_the_text_that_the_elements_lack() -> None:
    assert text_of("<div id=app></div>", told()) == " ".join([STORY] * 9)
    assert text_of(f"<p>{STORY}</p>", told()) == " ".join([STORY] * 9)
    assert text_of(f"<p>{STORY}</p>", told(isAccessibleForFree=False)) == STORY, "not for everyone"


def test_the_text_of_the_elements_comes_before_a_short_articlebody() -> None:
    assert text_of(f"<article>{story(9)}</article>", told(articleBody=TEASER)).endswith("Part 8.")


@pytest.mark.parametrize(
    ("markup", "plain"),
    [
        (
            "The <a href='/f'>Fed</a>’s U.<small>S.</small> <b>chair</b>, A.",
            "The Fed’s U.S. chair, A.",
        ),
        ("<span class=cap>A</span>cme keeps its plant", "Acme keeps its plant"),
        ("<p>One</p><p>two<br>three</p><ul><li>a<li>b</ul>", "One two three a b"),
        ("<table><tr><td>1<td>2</table><h2>Head</h2>text", "1 2 Head text"),
        ("<DIV>a</DIV>b<Em>c</Em>", "a bc"),
        ("a<article\n class=x>b</article>c", "a b c"),
        ("<predicate>a</predicate>b", "ab"),
    ],
)
def test_blanks_stand_between_blocks_and_not_at_inline_tags(markup: str, plain: str) -> None:
    assert of_html(markup) == plain
    item = f"<item><description><![CDATA[{markup}]]></description></item>"
    (read,) = rss.read(Document(url=URL, body=f"<rss><channel>{item}</channel></rss>".encode()))
    assert read.text == plain


def test_inline_tags_leave_no_blank_in_a_page() -> None:
    markup = (
        "The <a href='/f'>Fed</a>’s chair, <b>A. Person</b>, spoke in the U.<small>S.</small> on."
    )
    plain = "The Fed’s chair, A. Person, spoke in the U.S. on."
    assert text_of(f"<article><p>{markup}</p></article>") == plain
    assert f"{plain} {STORY}" in text_of(f"<article><p>{markup}</p>{story()}</article>")


def test_a_text_that_is_a_part_is_not_taken_for_the_whole() -> None:
    """trafilatura reads the first of several elements that each look like an article's."""
    parts = "".join(f"<div class=entry-content>{story(4)}</div>" for _ in range(8))
    assert text_of(f"<main>{parts}</main>").count(STORY) == 32


def test_a_list_is_text_without_marks() -> None:
    text = text_of(f"<article>{story()}<ul><li>Two cranes</li><li>One quay</li></ul></article>")
    assert text.endswith("Part 5. Two cranes One quay")


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    links = "<img src=http://b.example/x><iframe src=//b.example></iframe><a href=http://b.example/>b</a>"
    assert text_of(f"<article>{links}{story()}</article>").endswith("Part 5.")


def test_the_title_is_not_told_again() -> None:
    assert text_of(f"<article><h1>Quay</h1>{story()}</article>").startswith(STORY)


@pytest.mark.parametrize("tags", [limits.MAX_EXTRACTED_TAGS // 2 - 100, limits.MAX_EXTRACTED_TAGS])
def test_a_page_of_very_many_tags_is_read_the_simple_way(tags: int) -> None:
    text = text_of(f"<article>{'<i></i>' * 3}{story()}{'<hr>' * tags}</article>")
    assert text.startswith(STORY) and "Part 5." in text


@pytest.mark.parametrize("depth", [200, 2_000, 20_000])
def test_deep_nesting_hides_no_text(depth: int) -> None:
    assert STORY in text_of("<div>" * depth + story())
