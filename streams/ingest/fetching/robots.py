"""robots.txt by RFC 9309, read by Protego and cached for ROBOTS_LIFE_S.

A missing file (4xx) allows everything. A server that fails to answer (5xx, 429, no answer)
allows nothing, and is asked again after ROBOTS_RETRY_S.
"""

from typing import Final, NamedTuple
from urllib.parse import urlsplit

from protego import Protego

from schemas.chain import digest
from schemas.observations import FetchProblem
from schemas.units import SECOND_NS
from streams.ingest.fetching.guard import Endpoint
from streams.ingest.fetching.http import Http, HttpResponse
from streams.ingest.fetching.links import absolute
from streams.ingest.fetching.locks import Locks
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.limits import (
    MAX_OBEYED_DELAY_S,
    MAX_REDIRECTS,
    MAX_ROBOTS_BYTES,
    MAX_ROBOTS_HOSTS,
    ROBOTS_LIFE_S,
    ROBOTS_RETRY_S,
)
from streams.log.ports import Clock

_TOO_MANY_REQUESTS: Final = 429


class RobotsRules(NamedTuple):
    """The rules of one origin. `hash` is the SHA-256 of the file, empty if none came."""

    hash: str
    parsed: Protego | None
    """None: nothing is allowed."""
    until_ns: int

    def allow(self, url: str, product: str) -> bool:
        """Tell whether the robot `product` may fetch `url`."""
        return self.parsed is not None and self.parsed.can_fetch(url, product)

    def delay_s(self, product: str) -> float:
        """Return the pause between two requests that the origin asks for, within its bound."""
        if self.parsed is None:
            return 0.0
        delay = self.parsed.crawl_delay(product) or 0.0
        rate = self.parsed.request_rate(product)
        if rate is not None:
            delay = max(delay, rate.seconds / rate.requests)
        return min(max(delay, 0.0), float(MAX_OBEYED_DELAY_S))


class Robots:
    """A cache of the rules of origins. It fetches what it does not have."""

    def __init__(self, http: Http, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._known: dict[str, RobotsRules] = {}
        self._asking = Locks()

    async def rules(self, url: str, own: Endpoint | None) -> RobotsRules:
        """Return the rules of `url`'s origin. Raises Unfetched for a forbidden address."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}".lower()
        async with self._asking.of(origin):
            known = self._known.get(origin)
            if known is None or known.until_ns <= self._clock.now_ns():
                known = await self._ask(f"{origin}/robots.txt", own)
                self._known.pop(origin, None)
                self._known[origin] = known
                if len(self._known) > MAX_ROBOTS_HOSTS:
                    del self._known[next(iter(self._known))]
            return known

    async def _ask(self, url: str, own: Endpoint | None) -> RobotsRules:
        try:
            response = await self._fetch(url, own)
        except Unfetched as error:
            if error.problem in (FetchProblem.FORBIDDEN_ADDRESS, FetchProblem.BAD_URL):
                raise
            return self._rules("", None, ROBOTS_RETRY_S)
        if response.status == _TOO_MANY_REQUESTS or response.status >= 500:
            return self._rules("", None, ROBOTS_RETRY_S)
        text = response.body if 200 <= response.status < 300 else b""
        parsed = Protego.parse(text.decode("utf-8", "replace"))
        return self._rules(digest(text), parsed, ROBOTS_LIFE_S)

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

    def _rules(self, text_hash: str, parsed: Protego | None, life_s: float) -> RobotsRules:
        return RobotsRules(text_hash, parsed, self._clock.now_ns() + round(life_s * SECOND_NS))
