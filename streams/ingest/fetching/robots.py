"""Which urls an origin's robots.txt allows us, by RFC 9309; remembered for ROBOTS_LIFE_S.

A missing file (4xx) allows everything. A server that fails to answer (5xx, 429, no answer), and a
file that cannot be read within its bounds, allow nothing; they are asked again after
ROBOTS_RETRY_S. `robots_file.py` reads a file, in the child process of `sources/reader.py`.
"""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from schemas.chain import digest
from schemas.observations import FetchProblem
from schemas.units import SECOND_NS
from streams.ingest.fetching.guard import Endpoint
from streams.ingest.fetching.http import Http, HttpResponse
from streams.ingest.fetching.links import absolute
from streams.ingest.fetching.locks import Locks
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.fetching.robots_file import Allowance
from streams.ingest.limits import (
    MAX_REDIRECTS,
    MAX_REMEMBERED_ROBOTS_RULES,
    MAX_ROBOTS_BYTES,
    MAX_ROBOTS_HOSTS,
    ROBOTS_LIFE_S,
    ROBOTS_RETRY_S,
)
from streams.log.ports import Clock

_TOO_MANY_REQUESTS: Final = 429


ReadRobots = Callable[[bytes, str], Awaitable[Allowance]]
"""Read a robots.txt for the named robot. Raises Unfetched."""


class RobotsRules(NamedTuple):
    """What one origin allows us. `hash` is the SHA-256 of its file, empty if none came."""

    hash: str
    allowance: Allowance | None
    """None: nothing may be fetched."""
    problem: str
    """Why nothing may be fetched, in our own words."""
    until_ns: int

    def refusal(self, url: str) -> str:
        """Return why `url` may not be fetched, empty if it may."""
        if self.allowance is None:
            return f"unreadable: {self.problem}"
        return "" if self.allowance.allows(url) else "disallowed"

    @property
    def delay_s(self) -> float:
        """The pause between two requests that the origin asks for, within its bound."""
        return 0.0 if self.allowance is None else self.allowance.delay_s

    @property
    def size(self) -> int:
        """How many rules are remembered."""
        said = self.allowance
        return 0 if said is None else len(said.prefixes) + len(said.wildcards)


class Robots:
    """A cache of the rules of origins. It fetches what it does not have."""

    def __init__(self, http: Http, clock: Clock, read: ReadRobots) -> None:
        self._http = http
        self._clock = clock
        self._read = read
        self._known: dict[str, RobotsRules] = {}
        self._size = 0
        self._asking = Locks()

    async def rules(self, url: str, own: Endpoint | None) -> RobotsRules:
        """Return the rules of `url`'s origin. Raises Unfetched for a forbidden address."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}".lower()
        async with self._asking.of(origin):
            known = self._known.get(origin)
            if known is None or known.until_ns <= self._clock.now_ns():
                known = await self._ask(f"{origin}/robots.txt", own)
                self._remember(origin, known)
            return known

    def _remember(self, origin: str, rules: RobotsRules) -> None:
        self._forget(origin)
        self._known[origin] = rules
        self._size += rules.size
        while len(self._known) > MAX_ROBOTS_HOSTS or self._size > MAX_REMEMBERED_ROBOTS_RULES:
            self._forget(next(iter(self._known)))

    def _forget(self, origin: str) -> None:
        if origin in self._known:
            self._size -= self._known.pop(origin).size

    async def _ask(self, url: str, own: Endpoint | None) -> RobotsRules:
        try:
            response = await self._fetch(url, own)
            if response.status == _TOO_MANY_REQUESTS or response.status >= 500:
                return self._nothing("", f"HTTP {response.status}")
            body = response.body if 200 <= response.status < 300 else b""
        except Unfetched as error:
            if error.problem in (FetchProblem.FORBIDDEN_ADDRESS, FetchProblem.BAD_URL):
                raise
            return self._nothing("", str(error))
        body_hash = digest(body)
        try:
            found = await self._read(body, self._http.agent.product) if body else Allowance()
        except Unfetched as error:
            return self._nothing(body_hash, error.detail)
        return RobotsRules(body_hash, found, "", self._in(ROBOTS_LIFE_S))

    async def _fetch(self, url: str, own: Endpoint | None) -> HttpResponse:
        """Follow redirects as RFC 9309 asks. Too many of them count as a missing file."""
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._http.get(url, own=own, max_bytes=MAX_ROBOTS_BYTES, cut=True)
            if response.status not in (301, 302, 303, 307, 308):
                break
            target = absolute(url, response.headers.get("location", ""))
            if not target:
                break
            url = target
        return response

    def _nothing(self, body_hash: str, problem: str) -> RobotsRules:
        return RobotsRules(body_hash, None, problem, self._in(ROBOTS_RETRY_S))

    def _in(self, seconds: float) -> int:
        return self._clock.now_ns() + round(seconds * SECOND_NS)
