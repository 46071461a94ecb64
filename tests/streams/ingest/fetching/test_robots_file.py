"""robots.txt: who is meant, which rule decides, and what a hostile file can cost."""

from typing import Final, NamedTuple

import pytest

from schemas.limits import MAX_URL_CHARS
from streams.ingest import limits
from streams.ingest.fetching.http import Agent
from streams.ingest.fetching.robots_file import Allowance, read_robots
from tests.streams.ingest.fetching.web import fails

US: Final = Agent().product
SITE: Final = "https://pub.example"


def rules(text: str | bytes) -> Allowance:
    return read_robots(text.encode() if isinstance(text, str) else text, US)


def allows(text: str | bytes, path: str = "/news") -> bool:
    return rules(text).allows(f"{SITE}{path}")


class Case(NamedTuple):
    what: str
    text: str | bytes
    allowed: str = ""
    """Paths that may be fetched, between blanks."""
    refused: str = ""


# -- who is meant ------------------------------------------------------------------------------

GROUPS: Final = (
    Case("a byte order mark", b"\xef\xbb\xbfUser-agent: *\nDisallow: /\n", "", "/ /feed"),
    Case("half of one", b"\xef\xbbUser-agent: *\nDisallow: /\n", "", "/feed"),
    Case("a mark, then our name", f"\ufeffUser-agent: {US}\nDisallow: /\n", "", "/feed"),
    Case("a mark of UTF-16", "\ufeffUser-agent: *\r\nDisallow: /a\r\n".encode("utf-16-le"),
         "/b", "/a"),
    Case("the other one", "\ufeffUser-agent: *\nDisallow: /é\n".encode("utf-16-be"),
         "/e", "/%C3%A9"),
    Case("a mark that is none", b"\xef\x11\xbfUser-agent: *\nDisallow: /\n", "/feed"),
    Case("a mark further down", b"User-agent: *\n\xef\xbb\xbfDisallow: /\n", "/feed"),
    Case("our version and address",
         "User-agent: EverythingMarketBot/1.0 (+http://a.example/bot)\nDisallow: /\n", "", "/feed"),
    Case("our version alone", f"User-agent: {US}/2\nDisallow: /\n", "", "/feed"),
    Case("our name and more words", f"User-agent: {US} and friends\nDisallow: /\n", "", "/feed"),
    Case("our name, the second of two on a line",
         f"User-agent: Other, {US}\nDisallow: /\n", "/feed"),
    Case("our name within a browser's",
         f"User-agent: Mozilla/5.0 (compatible; {US}/1)\nDisallow: /\n", "/feed"),
    Case("a name beyond ASCII", "User-agent: ツ\nDisallow: /\n", "/feed"),
    Case("our name in another case", "USER-AGENT: everythingMARKETbot\nDISALLOW: /\n", "", "/feed"),
    Case("a name that begins like ours", "User-agent: EverythingMarketBotNews\nDisallow: /\n",
         "/feed"),
    Case("a name that is part of ours", "User-agent: Market\nUser-agent: Bot\nDisallow: /\n",
         "/feed"),
    Case("a delay between two names",
         f"User-agent: {US}\nCrawl-delay: 5\nUser-agent: Other\nDisallow: /\n", "", "/feed"),
    Case("a delay before the first name and behind the last",
         f"Crawl-delay: 5\nUser-agent: Other\nUser-agent: {US}\nCrawl-delay: 9\nDisallow: /\n", "",
         "/feed"),
    Case("a pace between everyone and us",
         f"User-agent: *\nRequest-rate: 1/5\nUser-agent: {US}\nDisallow: /\n", "", "/feed"),
    Case("what is no line at all between two names",
         f"User-agent: {US}\nthis is no rule\n<br>\nUser-agent: Other\nDisallow: /\n", "", "/feed"),
    Case("an empty rule ends the names",
         f"User-agent: {US}\nDisallow:\nUser-agent: Other\nDisallow: /\n", "/feed"),
    Case("a sitemap between two names",
         f"User-agent: {US}\nSitemap: https://pub.example/s\nUser-agent: Other\nDisallow: /\n",
         "", "/feed"),
    Case("an unknown line between two names",
         f"User-agent: {US}\nNoindex: /x\n\nUser-agent: Other\nDisallow: /\n", "", "/feed"),
    Case("groups for the same name count together",
         f"User-agent: {US}\nDisallow: /a\nUser-agent: B\nDisallow: /b\n"
         f"User-agent: {US}\nDisallow: /c\n", "/b", "/a /c"),
    Case("a group for us puts everyone's aside",
         f"User-agent: *\nDisallow: /\nUser-agent: {US}\nDisallow: /a\n", "/b", "/a"),
    Case("so does an empty one", f"User-agent: *\nDisallow: /\nUser-agent: {US}\nDisallow:\n", "/"),
    Case("a star with words behind it", "User-agent: * all robots\nDisallow: /\n", "", "/feed"),
    Case("rules above the first name", "Disallow: /\nUser-agent: *\nDisallow: /a\n", "/b", "/a"),
    Case("a name that is empty ends a group", "User-agent: *\nDisallow: /a\nUser-agent:\n"
         "Disallow: /\n", "/b", "/a"),
)  # fmt: skip


# -- how lines are read ------------------------------------------------------------------------

LINES: Final = (
    Case("carriage returns", "User-agent: *\rDisallow: /a\rDisallow: /b\r", "/c", "/a /b"),
    Case("mixed ends", "User-agent: *\r\nDisallow: /a\n\rDisallow: /b", "/c", "/a /b"),
    Case("only CR and LF end a line", "User-agent: *\nDisallow: /a\u2028Disallow: /b\n", "/a /b"),
    Case("comments", "# User-agent: x\nUser-agent: * # all\nDisallow: /a#b\n# Allow: /a\n", "/b",
         "/a /a#c"),
    Case("a missing colon", "user-agent *\ndisallow /a\n", "/b", "/a"),
    Case("words without a colon are no rule", "User-agent: *\nDisallow /a /b\n", "/a /b"),
    Case("blanks and tabs", "  User-agent\t:\t*  \n\tDisallow :  /a \n", "/b", "/a"),
    Case("known typos", "Useragent: *\nDisalow: /a\nDissallow: /b\n", "/c", "/a /b"),
    Case("each typo", "User agent: *\nDissalow: /a\nDiasllow: /b\nDisallaw: /c\n", "/d",
         "/a /b /c"),
    Case("no typo of allow", "User-agent: *\nDisallow: /\nAlow: /a\n", "", "/a"),
    Case("longer words are no rule", "User-agent: *\nDisallowed: /\nUser-agents: *\n", "/a"),
    Case("no end at the end", "User-agent: *\nDisallow: /a", "/b", "/a"),
    Case("empty lines within a group", f"User-agent: {US}\n\n\nDisallow: /a\n\nDisallow: /b", "/c",
         "/a /b"),
    Case("other words are no rule", "User-agent: *\nNot-allowed: /\n", "/a"),
    Case("a page instead of a file", "<!doctype html><p>User-agent: *</p><p>Disallow: /</p>", "/"),
    Case("nothing", "", "/"),
)  # fmt: skip


# -- which rule decides ------------------------------------------------------------------------

PRECEDENCE: Final = (
    Case("the longest", "User-agent: *\nDisallow: /a\nAllow: /a/b\nDisallow: /a/b/c\n",
         "/ /a/b /a/b/d", "/a /a/x /a/b/c/d"),
    Case("in any order", "User-agent: *\nDisallow: /a/b/c\nAllow: /a/b\nDisallow: /a\n",
         "/a/b", "/a /a/b/c"),
    Case("allow wins a tie", "User-agent: *\nDisallow: /a\nAllow: /a\n", "/a"),
    Case("with wildcards too", "User-agent: *\nDisallow: /*x\nAllow: /*a\nDisallow: /b\n"
         "Allow: /b*\n", "/xa /ax /b", "/x"),
    Case("wildcards count as octets", "User-agent: *\nAllow: /page\nDisallow: /*.htm\n", "/page",
         "/page.htm"),
    Case("a tie of a plain rule and one with a wildcard",
         "User-agent: *\nAllow: /ab\nDisallow: /a*\n", "/ab", "/ac"),
    Case("a letter beyond ASCII is as many octets as its escapes",
         "User-agent: *\nDisallow: /ツ/\nAllow: /*/aaaa\n", "/b/aaaa", "/ツ/aaaa /%E3%83%84/aaaa"),
    Case("an escaped letter is one", "User-agent: *\nDisallow: /%62%62\nAllow: /*bb\n", "/bb"),
    Case("an index is not its folder", "User-agent: *\nAllow: /a/index.html\nDisallow: /\n",
         "/a/index.html", "/a/ /a/index.htm"),
    Case("empty rules match nothing", "User-agent: *\nDisallow:\nAllow:\n", "/"),
    Case("paths have a case", "User-agent: *\nDisallow: /A\n", "/a", "/A"),
    Case("robots.txt itself", "User-agent: *\nDisallow: /\n", "/robots.txt", "/robots.txt?a"),
    Case("the query belongs to the path", "User-agent: *\nDisallow: /a?id=1\nDisallow: /*?x=\n",
         "/a /a?id=2 /x=", "/a?id=1 /a?id=12 /b?x="),
)  # fmt: skip


# -- wildcards and escapes ---------------------------------------------------------------------

PATTERNS: Final = (
    Case("an end", "User-agent: *\nDisallow: /a$\n", "/ /a/ /ab", "/a"),
    Case("the root alone", "User-agent: *\nAllow: /$\nDisallow: /\n", "/", "/a"),
    Case("a suffix", "User-agent: *\nDisallow: /*.php$\n", "/a.php5 /php", "/a.php /b/a.php"),
    Case("a suffix that also stands before the end", "User-agent: *\nDisallow: /*a$\n", "/ab",
         "/aba /a"),
    Case("a middle", "User-agent: *\nDisallow: /a/*/c\n", "/a/c /b/a/b/c", "/a/b/c /a//c /a/b/cd"),
    Case("parts do not overlap", "User-agent: *\nDisallow: /ab*ba$\n", "/aba", "/abba /abxba"),
    Case("many stars are one", "User-agent: *\nDisallow: /a***b\n", "/a", "/ab /axb"),
    Case("a star at the end", "User-agent: *\nDisallow: /a*\n", "/b", "/a /ab"),
    Case("a dollar inside", "User-agent: *\nDisallow: /a$b\n", "/a", "/a$b"),
    Case("escaped specials", "User-agent: *\nDisallow: /a%2A\nDisallow: /b%24\n",
         "/ax /b", "/a* /a%2ax /b$ /b%24x"),
    Case("escapes of letters", "User-agent: *\nDisallow: /%62%61z\n", "/b", "/baz /%62az"),
    Case("escapes in either case", "User-agent: *\nDisallow: /%e3%83%84\n", "/", "/%E3%83%84 /ツ"),
    Case("letters without escape", "User-agent: *\nDisallow: /ツ\n", "/", "/%E3%83%84 /ツ"),
    Case("broken escapes", "User-agent: *\nDisallow: /%zz%f\n", "/", "/%zz%f"),
    Case("a query that holds an address",
         "User-agent: *\nDisallow: /a?b=http://c.example\n", "/a",
         "/a?b=http%3A%2F%2Fc.example /a?b=http://c.example"),
    Case("parameters and a fragment", "User-agent: *\nDisallow: /a;b\n", "/a /#/a;b", "/a;b#c"),
)  # fmt: skip

CASES: Final = (*GROUPS, *LINES, *PRECEDENCE, *PATTERNS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_file_says_who_may_fetch_what(case: Case) -> None:
    said = rules(case.text)
    assert [path for path in case.allowed.split() if not said.allows(f"{SITE}{path}")] == []
    assert [path for path in case.refused.split() if said.allows(f"{SITE}{path}")] == []


def test_an_address_without_a_path_is_the_root() -> None:
    assert not rules("User-agent: *\nDisallow: /$\n").allows(SITE)
    assert not rules("User-agent: *\nDisallow: /?a\n").allows(f"{SITE}?a")


@pytest.mark.parametrize(
    ("line", "delay_s"),
    [("Crawl-delay: 5", 5), ("crawl-delay:0.5", 0.5), ("Crawl-delay: nan", 0),
     ("Crawl-delay: -1", 0), ("Crawl-delay: soon", 0), ("Crawl-delay: 1e300", 3_600),
     ("Crawl-delay: inf", 0), (f"Crawl-delay: {'9' * 100_000}", 3_600),
     ("Request-rate: 1/5", 5), ("Request-rate: 2/1m 0600-0845", 30), ("Request-rate: 0/5", 0),
     ("Request-rate: 1/9999d", 3_600), ("Request-rate: x", 0)],
)  # fmt: skip
def test_the_pause_that_is_asked_for(line: str, delay_s: float) -> None:
    assert rules(f"User-agent: *\n{line}\n").delay_s == delay_s
    assert rules(f"User-agent: Other\n{line}\n").delay_s == 0


# -- what a hostile file can cost --------------------------------------------------------------


def test_rules_for_others_are_not_kept() -> None:
    names = "".join(f"User-agent: bot{chr(97 + n % 26)}\n" for n in range(3_000))
    others = names + "".join(f"Disallow: /{n}\n" for n in range(3_000))
    said = rules(others + "User-agent: *\nDisallow: /mine\n")
    assert said == Allowance({b"/mine": False})


def test_a_name_said_often_has_its_rules_once() -> None:
    text = "User-agent: *\n" * 10_000 + "Disallow: /a\n" * 10_000 + "Disallow: /*b\n"
    said = rules(text)
    assert said.prefixes == {b"/a": False}
    assert len(said.wildcards) == 1


def test_what_is_beyond_the_bound_is_ignored() -> None:
    def padded(text: bytes) -> bytes:
        return text + b"#" * (limits.MAX_ROBOTS_BYTES - len(text) - 9) + b"\n"

    assert not allows(padded(b"User-agent: *\nDisallow: /news\n") + b"Allow: /news\n" * 9)
    assert allows(padded(b"User-agent: *\n") + b"#" * 9 + b"\nDisallow: /news\n")


def test_half_a_line_at_the_bound_is_no_rule_in_utf_16_either() -> None:
    text = "\ufeffUser-agent: *\nDisallow: /\n"
    padded = text + "#" * (limits.MAX_ROBOTS_BYTES // 2 - len(text) - 9) + "\n"
    cut = (padded + "Allow: /public/alone\n").encode("utf-16-le")[: limits.MAX_ROBOTS_BYTES]
    assert cut.decode("utf-16-le").endswith("\nAllow: /")
    assert not allows(cut)


def test_half_a_line_at_the_bound_is_no_rule() -> None:
    text = b"User-agent: *\nDisallow: /\n"
    padded = text + b"#" * (limits.MAX_ROBOTS_BYTES - len(text) - 9) + b"\n"
    cut = (padded + b"Allow: /public/alone\n")[: limits.MAX_ROBOTS_BYTES]
    assert cut.endswith(b"\nAllow: /")
    assert not allows(cut)


def test_too_many_rules_are_unreadable() -> None:
    most = "".join(f"Disallow: /{n}\n" for n in range(limits.MAX_ROBOTS_RULES))
    assert not allows(f"User-agent: *\n{most}", "/7")
    with fails("robots"):
        allows(f"User-agent: *\n{most}Disallow: /x\n")
    # everyone's rules do not matter to whom a group names
    assert allows(f"User-agent: *\n{most}Disallow: /x\nUser-agent: {US}\nAllow: /\n", "/7")


def test_too_many_octets_with_wildcards_are_unreadable() -> None:
    count = limits.MAX_ROBOTS_WILDCARD_OCTETS // 64
    with fails("robots"):
        allows("User-agent: *\n" + f"Disallow: /*{'a' * 64}\n" * count)


def test_a_rule_longer_than_any_url_matches_nothing() -> None:
    long = "a" * (MAX_URL_CHARS + 1)
    said = rules(f"User-agent: *\nDisallow: /{long}\nAllow: /*{long}\nDisallow: {'*' * 9_999}a\n")
    assert not said.prefixes
    assert [rule.parts for rule in said.wildcards] == [[b"", b"a"]]


def test_matching_looks_at_each_octet_of_the_path_once_a_part() -> None:
    """Stars upon stars: a matcher that goes back would not end."""
    path = "/" + "a" * (MAX_URL_CHARS - 100)
    assert allows("User-agent: *\nDisallow: /" + "*a" * 200 + "b\n", path)
    assert not allows("User-agent: *\nDisallow: /" + "*a" * 200 + "\n", path)
