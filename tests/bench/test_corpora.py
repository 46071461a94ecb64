"""`bench_corpora` counts what it says: on folders of a few documents that are laid out here."""

import gzip
import json
import sys
from pathlib import Path

import pytest

from tests.bench import bench_corpora
from tests.bench.corpora.feeds import FeedText
from tests.bench.corpora.pages import f_score
from tests.bench.corpora.reading import Bounds
from tests.bench.corpora.robots import checks

FEED = "<rss version='2.0'><channel><item><title>One</title></item></channel></rss>"
STORY = "The ferries were in the harbour all day, and nobody knew when they would leave again."
PAGE = (
    "<html><head><title>Ferries</title><script type='application/ld+json'>"
    '{"@type":"NewsArticle","datePublished":"2026-03-14T08:05:00+01:00"}</script></head>'
    f"<body><article><p>{STORY}</p></article></body></html>"
)
CHECKS = r"""
TEST(RobotsUnittest, ID_Plain) {
  const absl::string_view robotstxt =
      "user-agent: FooBot\n"  // a comment
      "disallow: /x\n";
  EXPECT_FALSE(IsUserAgentAllowed(robotstxt, "FooBot", "http://foo.bar/x"));
  EXPECT_FALSE(
      IsUserAgentAllowed(robotstxt, "FooBot", "http://foo.bar/"));
  EXPECT_TRUE(IsUserAgentAllowed(robotstxt, "FooBot", absl::StrCat("http://foo.bar", "/y")));
}
TEST(RobotsUnittest, GoogleOnly_IndexHTMLisDirectory) {
  EXPECT_TRUE(IsUserAgentAllowed("user-agent: *\ndisallow: /\n", "FooBot",
                                 "http://foo.bar/allowed-slash/"));
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with a document or two of each project."""
    files = {
        "feedparser/tests/good.xml": FEED,
        "feedparser/tests/typed.xml": f"<!--\nHeader: Content-type: image/png\n-->{FEED}",
        "feedparser/tests/nothing.xml": "<!-- nothing -->",
        "miniflux/internal/reader/rss/parser_test.go": f"data := `{FEED}`\nother := `{{}}`\n",
        "robotstxt/robots_test.cc": CHECKS,
        "trafilatura/tests/eval/ferries.html": PAGE,
        "trafilatura/tests/evaldata.json": json.dumps(
            {
                "https://quay.example/ferries": {
                    "file": "ferries.html",
                    "with": ["in the harbour", "not there"],
                    "without": ["all day", "nor here"],
                }
            }
        ),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _lay_out_fundus(tmp_path / "fundus/tests/resources/parser/test_data/no")
    return tmp_path


def _lay_out_fundus(country: Path) -> None:
    country.mkdir(parents=True)
    (country / "Quay_2026_03_14.html.gz").write_bytes(gzip.compress(PAGE.encode()))
    url, day = "https://quay.example/1", "2026-03-14 09:00:00"
    meta = {"Quay_2026_03_14.html.gz": {"url": url, "crawl_date": day}}
    (country / "meta.info").write_text(json.dumps(meta))
    body = {"summary": [], "sections": [{"headline": [], "paragraphs": [STORY]}]}
    want = {"V1": {"publishing_date": "2026-03-14 08:05:30+01:00", "body": body}}
    (country / "Quay.json").write_text(json.dumps(want))


def test_its_tables_count_what_is_in_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_corpora", str(folder), "--list"])
    bench_corpora.main()
    told = capsys.readouterr().out
    assert "| feedparser | 3 | 3 | 1 | 1 | 1 | bad_type 1 | 1 of 1 |" in told
    assert "| miniflux | 1 | 1 | 1 | 1 | 0 | - | 0 of 0 |" in told
    assert "feedparser typed.xml: bad_type" in told
    assert "| trafilatura | 1 | 1 | 0 | 0.500 | 0.500 | 0.500 |" in told
    assert "| fundus | 1 | 1 | 1.000 | 0 |" in told
    assert "| fundus | 1 | 1 | 0 | 0 | 0 |" in told  # the date is half a minute off
    assert "| google/robotstxt | 3 | 1 | 2 | 1 | 1 |" in told
    assert "| ID_Plain | FooBot | http://foo.bar/ | not | **yes** |" in told


def test_a_sample_is_spread_and_ends_in_time() -> None:
    assert list(Bounds(3, 60).sample(range(9))) == [0, 3, 6]
    assert list(Bounds(3, -1).sample(range(9))) == []


def test_words_count_as_often_as_they_are_there() -> None:
    assert f_score("a a b", "a b b") == pytest.approx(2 / 3)
    assert f_score("", "a") == 0.0
    assert f_score("港の船", "港と船") == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("text", "ought"),
    [
        ("<rss><channel/></rss>", ""),
        ('<!DOCTYPE rss [<!ENTITY nbsp "&#160;">]><rss/>', ""),
        ("<html></html>", "no feed"),
        ('<!DOCTYPE rss [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><rss >', "hostile DTD"),
        ('<!DOCTYPE rss [<!ENTITY c SYSTEM "file:///etc/passwd">]><rss >', "hostile DTD"),
        ('<!DOCTYPE rss [<!ENTITY % c PUBLIC "x" "y">%c;]><rss >', ""),
    ],
)
def test_what_ought_to_be_refused_is_known(text: str, ought: str) -> None:
    assert FeedText("a", text.encode()).ought == ought


def test_checks_are_read_with_their_strings() -> None:
    (first, _, third), left = checks(CHECKS)
    assert (first.body, first.agent) == (b"user-agent: FooBot\ndisallow: /x\n", "FooBot")
    assert (first.url, first.allowed) == ("http://foo.bar/x", False)
    assert third.unbacked
    assert left == 1
