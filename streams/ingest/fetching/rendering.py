"""Rendering: a page after its scripts have run, in a Chromium without network of its own.

- Every request of the page is caught and answered through the guarded client, so the guard
  and robots.txt hold for each part of it.
- A request that is not caught goes nowhere: names resolve to nothing, and Chromium's proxy
  is a port on which nobody listens.
- Pages share no state. Only what makes text is loaded: no images, fonts, media or styles.
- Chromium runs in its sandbox, and as a user of its own where we are root (`chromium.py`).
"""

import asyncio
import contextlib
import shutil
from typing import Final

import structlog
from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    Request,
    Route,
    WebSocketRoute,
    async_playwright,
)
from playwright.async_api import Error as PlaywrightError

from schemas.observations import FetchProblem
from schemas.sources import Source
from streams.ingest.fetching.chromium import ChromiumStart, start_problem
from streams.ingest.fetching.guard import own_endpoint
from streams.ingest.fetching.http import HttpResponse
from streams.ingest.fetching.links import absolute
from streams.ingest.fetching.polite import Fetched, Polite
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.limits import (
    BROWSER_RENDER_S,
    MAX_BROWSER_REQUESTS,
    MAX_FETCH_BYTES,
    MAX_REDIRECTS,
)

_ARGUMENTS: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--dns-prefetch-disable",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=http://127.0.0.1:9",
    # Without this, Chromium would reach loopback addresses without the proxy.
    "--proxy-bypass-list=<-loopback>",
)
_LOADED: Final = frozenset({"document", "script", "xhr", "fetch"})
_NO_PEERS: Final = """
for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "WebTransport"])
    Object.defineProperty(window, name, { value: undefined });
"""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_QUIET_S: Final = 0.5
"""A page that has asked for nothing for this long counts as rendered."""
_PASSED_ON: Final = ("content-type", "access-control-allow-origin")

log = structlog.get_logger(__name__)


class Renderer:
    """Owns one Chromium, the program at `chromium`, and starts it when it is first needed.

    Where the kernel refuses its sandbox it starts only if `sandboxed` is False.
    """

    def __init__(self, polite: Polite, chromium: str, *, sandboxed: bool = True) -> None:
        self.problem = ""
        """Why Chromium did not start the last time, empty if it did."""
        self._polite = polite
        self._chromium = chromium
        self._sandboxed = sandboxed
        self._start: ChromiumStart | None = None
        self._starting = asyncio.Lock()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    async def get(self, source: Source, url: str, who: str) -> Fetched:
        """Return the page at `url` as its scripts have left it. Raises Unfetched or HostBusy."""
        # The page itself is fetched politely first: most failures happen here, without Chromium.
        fetched = await self._polite.get(source, url, who=who)
        browser = await self._running()
        try:
            async with asyncio.timeout(BROWSER_RENDER_S):
                html = await self._rendered(browser, source, fetched.response)
        except TimeoutError as error:
            raise Unfetched(FetchProblem.TOO_SLOW, "not rendered in time") from error
        except PlaywrightError as error:
            raise Unfetched(FetchProblem.RENDER_FAILED, "the page broke the browser") from error
        body = html.encode("utf-8", "replace")
        if len(body) > MAX_FETCH_BYTES:
            raise Unfetched(FetchProblem.TOO_LARGE, "rendered too large", fetched.response.status)
        headers = {"content-type": "text/html; charset=utf-8"}
        return Fetched(fetched.response._replace(headers=headers, body=body), fetched.robots_hash)

    async def _rendered(self, browser: Browser, source: Source, response: HttpResponse) -> str:
        context = await browser.new_context(
            user_agent=self._polite.http.agent.user_agent,
            accept_downloads=False,
            service_workers="block",
        )
        try:
            visit = _Visit(self._polite, source, response)
            page = await visit.prepare(context)
            await page.goto(response.url, wait_until="load", timeout=BROWSER_RENDER_S * 1_000)
            await visit.quiet()
            return await page.content()
        finally:
            with contextlib.suppress(PlaywrightError):
                await context.close()

    async def _running(self) -> Browser:
        async with self._starting:
            if self._browser is None or not self._browser.is_connected():
                await self._stop()
                self._browser = await self._launched()
                self.problem = ""
            return self._browser

    async def _launched(self) -> Browser:
        if shutil.which(self._chromium) is None:
            raise Unfetched(FetchProblem.NO_BROWSER, "no Chromium here")
        try:
            self._start = ChromiumStart(self._chromium)
            self._playwright = await async_playwright().start()
            return await self._playwright.chromium.launch(
                executable_path=self._start.program,
                env=self._start.environment,
                headless=True,
                chromium_sandbox=self._sandboxed,
                args=list(_ARGUMENTS),
            )
        except (PlaywrightError, OSError) as error:
            self.problem = start_problem(str(error))
            log.warning("no browser", error=type(error).__name__, reason=self.problem)
            raise Unfetched(FetchProblem.NO_BROWSER, self.problem) from error

    async def _stop(self) -> None:
        browser, self._browser = self._browser, None
        playwright, self._playwright = self._playwright, None
        with contextlib.suppress(PlaywrightError):
            if browser is not None:
                await browser.close()
        if playwright is not None:
            await playwright.stop()
        start, self._start = self._start, None
        if start is not None:
            start.close()

    async def close(self) -> None:
        """End Chromium."""
        async with self._starting:
            await self._stop()


class _Visit:
    """One page and all of its requests."""

    def __init__(self, polite: Polite, source: Source, response: HttpResponse) -> None:
        self._polite = polite
        self._source = source
        self._answer: HttpResponse | None = response
        self._left = MAX_BROWSER_REQUESTS
        self._left_bytes = MAX_FETCH_BYTES
        self._open = 0
        self._changed = asyncio.Event()

    async def prepare(self, context: BrowserContext) -> Page:
        """Return a page whose requests all come to us."""
        await context.add_init_script(_NO_PEERS)
        await context.route("**/*", self._route)
        await context.route_web_socket("**/*", _hang_up)
        return await context.new_page()

    async def quiet(self) -> None:
        """Wait until the page has asked for nothing for a while."""
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(_QUIET_S):
                    await self._changed.wait()
            except TimeoutError:
                if not self._open:
                    return

    async def _route(self, route: Route, request: Request) -> None:
        self._open += 1
        self._changed.set()
        # The page may be gone by the time its response comes.
        with contextlib.suppress(PlaywrightError):
            try:
                response = await self._answered(request)
            except Unfetched:
                await route.abort()
            else:
                headers = {
                    name: response.headers[name] for name in _PASSED_ON if name in response.headers
                }
                await route.fulfill(status=response.status, headers=headers, body=response.body)
        self._open -= 1
        self._changed.set()

    async def _answered(self, request: Request) -> HttpResponse:
        """Return the response to one of the page's requests. Raises Unfetched to refuse it."""
        if request.is_navigation_request() and request.frame.parent_frame is None:
            response, self._answer = self._answer, None
            if response is None or request.url != response.url:
                raise Unfetched(FetchProblem.BAD_URL, "the page leads elsewhere")
            return response
        if request.method != "GET" or request.resource_type not in _LOADED:
            raise Unfetched(FetchProblem.BAD_TYPE, "not loaded")
        self._left -= 1
        if self._left < 0:
            raise Unfetched(FetchProblem.TOO_LARGE, "the page asks for too much")
        return await self._part(request.url)

    async def _part(self, url: str) -> HttpResponse:
        """Get a part of the page: guarded and allowed by robots.txt on every hop, not throttled."""
        url = absolute(url, url)
        for _ in range(MAX_REDIRECTS + 1):
            await self._polite.allowed(self._source, url)
            response = await self._polite.http.get(
                url,
                own=own_endpoint(self._source),
                max_bytes=max(self._left_bytes, 0),
                within_s=BROWSER_RENDER_S,
            )
            self._left_bytes -= len(response.body)
            if response.status not in _REDIRECTS:
                return response
            url = absolute(url, response.headers.get("location", ""))
        raise Unfetched(FetchProblem.TOO_MANY_REDIRECTS)


async def _hang_up(socket: WebSocketRoute) -> None:
    await socket.close()
