"""robots.txt by RFC 9309: the rules that hold for one robot, and whether they allow a url.

A group is a run of user-agent lines and the rules below it; only allow and disallow end the run.
All groups that name a robot count together; those of `*` count where none does. Of the rules that
match, the one of most octets decides, percent-encoded as the RFC has it, and allow decides a tie.
The RFC is silent where people err, so there we read as google/robotstxt does: a byte order mark, a
missing colon, known typos. Decision 0075 says in what we do not.

Who wrote the file also chooses the urls that are asked about, so both steps are bounded.
Reading keeps nothing of groups for others. Plain rules stand in a table by their octets; the
octets of all wildcard rules together are bounded, and so is what one url can cost.
"""

import codecs
import math
import re
import string
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from schemas.limits import MAX_URL_CHARS
from schemas.observations import FetchProblem
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.limits import (
    MAX_OBEYED_DELAY_S,
    MAX_ROBOTS_BYTES,
    MAX_ROBOTS_RULES,
    MAX_ROBOTS_WILDCARD_OCTETS,
)

_UTF_16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UNESCAPED: Final = (string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()*+,;=").encode()
"""Octets that an address may have unescaped by RFC 3986; the others are three in it."""
_TOKEN: Final = re.compile(rb"[A-Za-z_-]*")
_USER_AGENT: Final = frozenset({b"user-agent", b"useragent", b"user agent"})
_ALLOW: Final = frozenset({b"allow"})
_DISALLOW: Final = frozenset(
    {b"disallow", b"dissallow", b"dissalow", b"disalow", b"diasllow", b"disallaw"}
)
_CRAWL_DELAY: Final = frozenset({b"crawl-delay", b"crawldelay", b"crawl delay"})
_REQUEST_RATE: Final = frozenset({b"request-rate", b"request rate"})
_MAX_NUMBER_OCTETS: Final = 20
_RATE: Final = re.compile(rb"(\d{1,9})/(\d{1,9})([smhd]?)(?:\s.*)?", re.IGNORECASE)
_UNIT_S: Final = {b"": 1, b"s": 1, b"m": 60, b"h": 3_600, b"d": 86_400}


class WildcardRule(msgspec.Struct, frozen=True, array_like=True):
    """A rule with `*` or a final `$`: the octets between its wildcards, percent-decoded."""

    octets: int
    """Length of the whole rule, percent-encoded, by which rules that match are compared."""
    allows: bool
    parts: list[bytes]
    whole: bool
    """Whether the rule ends in `$`: the path must end where the rule does."""

    def matches(self, path: bytes) -> bool:
        """Tell whether the rule matches the beginning of `path`, or all of it."""
        first, *others = self.parts
        if not path.startswith(first):
            return False
        at = len(first)
        last = others.pop() if others and self.whole else None
        for part in others:
            at = path.find(part, at)
            if at < 0:
                return False
            at += len(part)
        if last is None:
            return not self.whole or at == len(path)
        return len(path) - len(last) >= at and path.endswith(last)


class Allowance(msgspec.Struct, frozen=True):
    """What a robots.txt says to one robot."""

    prefixes: dict[bytes, bool] = {}
    """Whether a path that begins with these octets is allowed."""
    wildcards: list[WildcardRule] = []
    """Those of most octets first, and among equals those that allow."""
    delay_s: float = 0.0
    """The pause between two requests that is asked for, at most MAX_OBEYED_DELAY_S."""

    def allows(self, url: str) -> bool:
        """Tell whether the robot may fetch `url`."""
        path = _path(url)
        if path == b"/robots.txt":
            return True
        length, allowed = self._longest_prefix(path)
        for rule in self.wildcards:
            if rule.octets < length:
                break
            if rule.matches(path):
                return rule.allows or (rule.octets == length and allowed)
        return allowed

    def _longest_prefix(self, path: bytes) -> tuple[int, bool]:
        for length in range(len(path), 0, -1):
            allowed = self.prefixes.get(path[:length])
            if allowed is not None:
                return _octets(path[:length]), allowed
        return 0, True


def read_robots(body: bytes, product: str) -> Allowance:
    """Return what `body` says to the robot `product`, of which letters, `_` and `-` count.

    What is beyond MAX_ROBOTS_BYTES is ignored. Raises Unfetched for rules beyond their bounds.
    """
    ours, everyone = _Collected(), _Collected()
    name = _token(product.encode("utf-8", "replace"))
    current: list[_Collected] = []
    is_naming = False
    is_named = False
    for field, value in _lines(_within_bound(body).lstrip(codecs.BOM_UTF8)):
        if field in _USER_AGENT:
            if not is_naming:
                current, is_naming = [], True
            found = _named(value, name, ours, everyone)
            is_named = is_named or found is ours
            if found is not None and found not in current:
                current.append(found)
        elif field in _ALLOW or field in _DISALLOW:
            is_naming = False
            for rules in current:
                rules.add(value, allows=field in _ALLOW)
        elif field in _CRAWL_DELAY or field in _REQUEST_RATE:
            delay_s = _delay_s(value) if field in _CRAWL_DELAY else _rate_s(value)
            for rules in current:
                rules.delay_s = min(max(rules.delay_s, delay_s), float(MAX_OBEYED_DELAY_S))
    return (ours if is_named else everyone).allowance()


class _Collected:
    """The rules of the groups that name one robot, as they are read."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self._prefixes: dict[bytes, bool] = {}
        self._wildcards: list[WildcardRule] = []
        self._octets = 0
        self._too_much = ""

    def add(self, pattern: bytes, *, allows: bool) -> None:
        """Keep one rule. An empty one, and one longer than any url, matches nothing."""
        if self._too_much:
            return
        whole = pattern.endswith(b"$")
        collapsed = re.sub(rb"\*+", b"*", pattern[:-1] if whole else pattern)
        parts = [unquote_to_bytes(part) for part in collapsed.split(b"*")]
        literal = sum(map(len, parts))
        if not pattern or literal > MAX_URL_CHARS:
            return
        if len(parts) == 1 and not whole:
            self._prefixes[parts[0]] = allows or self._prefixes.get(parts[0], False)
        else:
            octets = sum(map(_octets, parts)) + pattern.count(b"*") + whole
            self._wildcards.append(WildcardRule(octets, allows, parts, whole))
            self._octets += literal + len(parts)
        if len(self._prefixes) + len(self._wildcards) > MAX_ROBOTS_RULES:
            self._too_much = f"more than {MAX_ROBOTS_RULES} rules"
        if self._octets > MAX_ROBOTS_WILDCARD_OCTETS:
            self._too_much = f"more than {MAX_ROBOTS_WILDCARD_OCTETS} octets with wildcards"

    def allowance(self) -> Allowance:
        """Return the rules in the order of matching. Raises Unfetched when they are too many."""
        if self._too_much:
            raise Unfetched(FetchProblem.ROBOTS, self._too_much)
        self._wildcards.sort(key=lambda rule: (-rule.octets, not rule.allows))
        return Allowance(self._prefixes, self._wildcards, self.delay_s)


def _within_bound(body: bytes) -> bytes:
    """Return the whole lines within MAX_ROBOTS_BYTES: half an allow would allow too much.

    What begins with a mark of UTF-16 is returned in UTF-8.
    """
    kept = body[:MAX_ROBOTS_BYTES]
    if kept.startswith(_UTF_16_MARKS):
        kept = kept.decode("utf-16", "replace").encode()
    if len(body) < MAX_ROBOTS_BYTES:
        return kept
    return kept[: max(kept.rfind(b"\n"), kept.rfind(b"\r")) + 1]


def _lines(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield field, in lower case, and value of each line that has both a field and a separator."""
    for line in body.splitlines():
        said = line.partition(b"#")[0].strip()
        field, colon, value = said.partition(b":")
        if colon:
            yield field.strip().lower(), value.strip()
        elif len(words := said.split(maxsplit=2)) == 2:
            yield words[0].lower(), words[1]


def _named(value: bytes, name: bytes, ours: _Collected, everyone: _Collected) -> _Collected | None:
    """Return whose rules follow a user-agent line: ours, everyone's, or none that concern us."""
    if value[:1] == b"*" and (len(value) == 1 or value[1:2].isspace()):
        return everyone
    return ours if name and _token(value) == name else None


def _token(value: bytes) -> bytes:
    """Return the product token with which `value` begins, in lower case; empty if there is none."""
    found = _TOKEN.match(value)
    return found[0].lower() if found else b""


def _delay_s(value: bytes) -> float:
    try:
        delay_s = float(value[:_MAX_NUMBER_OCTETS])
    except ValueError:
        return 0.0
    return delay_s if math.isfinite(delay_s) else 0.0


def _rate_s(value: bytes) -> float:
    rate = _RATE.fullmatch(value)
    if rate is None or not int(rate[1]):
        return 0.0
    return int(rate[2]) * _UNIT_S[rate[3].lower()] / int(rate[1])


def _octets(decoded: bytes) -> int:
    """Return the length of `decoded` when it is percent-encoded (RFC 9309, 2.2.2)."""
    return len(decoded) + 2 * len(decoded.translate(None, _UNESCAPED))


def _path(url: str) -> bytes:
    """Return path and query of `url`, percent-decoded once, as rules are."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if "?" in url.partition("#")[0] else ""
    return unquote_to_bytes(f"{parts.path or '/'}{query}".encode("utf-8", "replace"))
