"""Sources: where articles come from, as a signed decision states it (EM-64)."""

import re
from typing import Final, Literal

import msgspec

from schemas.limits import (
    MAX_CRAWL_DELAY_S,
    MAX_EXCERPT_CHARS,
    MAX_KEEP_RAW_DAYS,
    MAX_NAME_CHARS,
    MAX_POLL_INTERVAL_S,
    MAX_SELECTOR_CHARS,
    MAX_URL_CHARS,
    MIN_CRAWL_DELAY_S,
    MIN_POLL_INTERVAL_S,
)
from schemas.signatures import is_public_key
from schemas.subjects import is_source
from schemas.texts import is_line
from schemas.units import WEIGHT_ONE_BP

SourceKind = Literal["rss", "html", "browser", "push", "sitemap"]
"""`rss` also reads Atom and JSON Feed; `browser` is `html` whose pages need a script to run; `push`
sends. `sitemap` is for sites without a feed: the pages that a sitemap lists are fetched."""

LOOPBACK_HOSTS: Final = ("127.0.0.1", "::1", "localhost")


class Source(msgspec.Struct, kw_only=True, frozen=True):
    """One source, with all that fetching it and believing it takes.

    `trust_bp` weighs what it says. `link_selector` is the CSS selector of the links to
    articles on an `html` or `browser` page; without one the page itself is the article.
    `follow_links` fetches the pages that a feed's items link to. A `paywalled` source's
    pages are not fetched, only what its feed or sitemap itself says; a `restricted` one is never
    fetched at all. `excerpt_chars` of the text stand on the log; raw bytes are kept, in an
    object store, if `keep_raw_days` is above 0; all leave after MAX_KEEP_RAW_DAYS.
    `allow_loopback` is for test venues: the url's host must then be this machine's. `push_key`
    signs what a `push` source sends.
    """

    source: str
    name: str
    kind: SourceKind
    url: str = ""
    trust_bp: int = 5_000
    crawl_delay_s: int = 30
    poll_interval_s: int = 300
    follow_links: bool = False
    link_selector: str = ""
    excerpt_chars: int = 1_000
    keep_raw_days: int = 0
    paywalled: bool = False
    restricted: bool = False
    allow_loopback: bool = False
    push_key: str = ""
    active: bool = True


_URL = re.compile(
    r"https?://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?#][!-~]*)?"
)
"""Narrower than RFC 3986: no user names, and nothing but ASCII (a host's IDNA form).

A library's reading of urls changes with its version, and a decision's outcome may not.
"""


def host_of(url: str) -> str:
    """Return the host that `url` names, lower case and without brackets; empty if it is none."""
    match = _URL.fullmatch(url)
    return match["host"].strip("[]").lower() if match else ""


def is_on_site(source: Source, url: str) -> bool:
    """Tell whether `url` is on the host of the source's own, or on one below it."""
    host, own = host_of(url), host_of(source.url)
    return bool(own) and (host == own or host.endswith(f".{own}"))


def url_problem(url: str) -> str | None:
    """Return why `url` is none that is ever fetched, or None. It looks up no address."""
    if len(url) > MAX_URL_CHARS:
        return f"longer than {MAX_URL_CHARS} characters"
    match = _URL.fullmatch(url)
    if match is None:
        return "not http(s)://host[:port]/path in printable ASCII without a user name"
    if match["port"] is not None and not 1 <= int(match["port"]) <= 65_535:
        return "its port is outside 1..65535"
    return None


def problem(source: Source) -> str | None:
    """Return what is wrong with `source`, or None."""
    if not is_source(source.source):
        return "its id is not 2 to 32 of a-z, 0-9, _ and -, a letter first"
    if not is_line(source.name, MAX_NAME_CHARS):
        return f"its name is not 1..{MAX_NAME_CHARS} printable characters"
    for field, low, high in (
        ("trust_bp", 0, WEIGHT_ONE_BP),
        ("crawl_delay_s", 0 if source.allow_loopback else MIN_CRAWL_DELAY_S, MAX_CRAWL_DELAY_S),
        ("poll_interval_s", 1 if source.allow_loopback else MIN_POLL_INTERVAL_S,
         MAX_POLL_INTERVAL_S),
        ("excerpt_chars", 0, MAX_EXCERPT_CHARS),
        ("keep_raw_days", 0, MAX_KEEP_RAW_DAYS),
    ):  # fmt: skip
        if not low <= getattr(source, field) <= high:
            return f"{field} is outside {low}..{high}"
    if source.link_selector and not is_line(source.link_selector, MAX_SELECTOR_CHARS):
        return f"link_selector is not up to {MAX_SELECTOR_CHARS} printable characters"
    return _push_problem(source) if source.kind == "push" else _fetch_problem(source)


def _push_problem(source: Source) -> str | None:
    if not is_public_key(source.push_key):
        return "a push source needs the public nkey that signs what it sends"
    if source.url and url_problem(source.url):
        return f"url: {url_problem(source.url)}"
    return None


def _fetch_problem(source: Source) -> str | None:
    wrong = url_problem(source.url)
    if wrong is not None:
        return f"url: {wrong}"
    if source.push_key:
        return "only a push source has a push_key"
    if source.allow_loopback and host_of(source.url) not in LOOPBACK_HOSTS:
        return "allow_loopback is for a url on this machine only"
    return None
