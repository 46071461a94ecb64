"""Polite fetching: robots.txt, the throttle and the guard on every hop of a redirect.

- Every hop obeys robots.txt.
- A host gets one request at a time. Two requests are apart by the source's delay or by
  that of robots.txt, whichever is larger. A source's own document goes before pages.
- The sub-resources of a page and a redirect within a host belong to one visit: they wait
  for no turn of their own.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from schemas.observations import FetchProblem
from schemas.sources import Source, host_of, is_on_site
from streams.ingest.fetching.guard import Dial, Resolve, dial, own_endpoint
from streams.ingest.fetching.http import Agent, Http, HttpResponse, retry_after_s
from streams.ingest.fetching.links import absolute
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.fetching.robots import ReadRobots, Robots, RobotsRules
from streams.ingest.fetching.throttle import Precedence, Throttle
from streams.ingest.limits import FETCH_TOTAL_S, MAX_HELD_REDIRECT_S, MAX_HELD_TURN_S, MAX_REDIRECTS
from streams.log.ports import Clock

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_NOT_MODIFIED: Final = 304
_WAIT_STATUSES: Final = frozenset({429, 503})


class Fetched(NamedTuple):
    """A response of 2xx or 304, and the SHA-256 of the robots.txt of the host that gave it."""

    response: HttpResponse
    robots_hash: str


def turn_name(source: str, url: str) -> str:
    """Return the name by which a job finds its turn at a host again.

    That of the source's own url names the job for its document, with all its parts.
    """
    return f"{source}@{url}"


class Polite:
    """Fetches for sources. A process needs exactly one: it remembers when each host was asked."""

    def __init__(
        self,
        agent: Agent,
        resolve: Resolve,
        clock: Clock,
        read_robots: ReadRobots,
        connect: Dial = dial,
    ) -> None:
        self.http = Http(agent, resolve, connect)
        self.robots = Robots(self.http, clock, read_robots)
        self.throttle = Throttle(clock)
        self._clock = clock

    async def get(
        self, source: Source, url: str, *, who: str, headers: Mapping[str, str] | None = None
    ) -> Fetched:
        """Return what is at `url`, following redirects. Raises Unfetched, or HostBusy.

        `who` names the job, so that it finds its turn again. The time spent waiting for
        turns does not count towards FETCH_TOTAL_S.
        """
        left_s = float(FETCH_TOTAL_S)
        held_s: float = MAX_HELD_TURN_S
        is_document = url == source.url or who == turn_name(source.source, source.url)
        visited: set[str] = set()
        for _ in range(MAX_REDIRECTS + 1):
            rules = await self.allowed(source, url)
            host = host_of(url)
            async with contextlib.AsyncExitStack() as stack:
                # A redirect within a host is the same visit. A redirect to another host waits
                # longer for its turn: HostBusy would mean asking the first host again.
                if host not in visited:
                    turn = self.turn(source, url, rules, who, held_s, is_document=is_document)
                    await stack.enter_async_context(turn)
                visited.add(host)
                held_s = MAX_HELD_REDIRECT_S
                response, spent_s = await self._exchange(source, url, headers, left_s)
            left_s = max(left_s - spent_s, 0.0)
            if response.status not in _REDIRECTS:
                return Fetched(self._good(response), rules.hash)
            url = _target(response)
        raise Unfetched(FetchProblem.TOO_MANY_REDIRECTS, f"more than {MAX_REDIRECTS}")

    async def _exchange(
        self, source: Source, url: str, headers: Mapping[str, str] | None, within_s: float
    ) -> tuple[HttpResponse, float]:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        response = await self.http.get(
            url, own=own_endpoint(source), headers=headers, within_s=within_s
        )
        return response, loop.time() - started_s

    async def allowed(self, source: Source, url: str) -> RobotsRules:
        """Return the rules that allow `url`. Raises Unfetched(ROBOTS) if they do not."""
        rules = await self.robots.rules(url, own_endpoint(source))
        if refusal := rules.refusal(url):
            raise Unfetched(FetchProblem.ROBOTS, refusal)
        return rules

    def turn(
        self,
        source: Source,
        url: str,
        rules: RobotsRules,
        who: str,
        held_s: float = MAX_HELD_TURN_S,
        *,
        is_document: bool,
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """Wait for a turn at the host of `url` and hold it. See `Throttle.turn`."""
        delay_s = max(float(source.crawl_delay_s), rules.delay_s)
        goes = _precedence(source, url, is_document=is_document)
        return self.throttle.turn(host_of(url), delay_s, who, goes, held_s)

    def _good(self, response: HttpResponse) -> HttpResponse:
        if 200 <= response.status < 300 or response.status == _NOT_MODIFIED:
            return response
        if response.status in _WAIT_STATUSES:
            pause_s = retry_after_s(response, self._clock.now_ns())
            if pause_s:
                self.throttle.hold(host_of(response.url), pause_s)
        raise Unfetched(FetchProblem.HTTP_STATUS, "", response.status)


def _precedence(source: Source, url: str, *, is_document: bool) -> Precedence:
    if is_document:
        return Precedence.DOCUMENT
    return Precedence.OWN_PAGE if is_on_site(source, url) else Precedence.LINKED_PAGE


def _target(response: HttpResponse) -> str:
    target = absolute(response.url, response.headers.get("location", ""))
    if not target:
        raise Unfetched(FetchProblem.BAD_URL, "a redirect to no web address", response.status)
    return target
