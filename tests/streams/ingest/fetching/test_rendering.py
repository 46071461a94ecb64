"""Rendering with a real Chromium: scripts run, and nothing of it reaches any network."""

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Error as PlaywrightError

from streams.ingest import limits
from streams.ingest.fetching.guard import dial
from streams.ingest.fetching.http import Agent
from streams.ingest.fetching.polite import Polite
from streams.ingest.fetching.rendering import Renderer
from streams.ingest.sources.model import Document
from streams.ingest.sources.reader import read_here
from streams.log.clock import SystemClock
from tests.streams.ingest.fetching.web import Page, Site, fails, html, redirect, site, source

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = pytest.mark.slow
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")

TEXT = "Something happened today in the harbour, and many people saw it happen."


async def numbers(host: str, port: int) -> list[str]:
    return [host]


@pytest.fixture
async def renderer() -> AsyncIterator[Renderer]:
    it = Renderer(Polite(Agent(), numbers, SystemClock(), dial), CHROMIUM)
    yield it
    await it.close()


def script(code: str) -> str:
    return f"<html><body><div id=root></div><script>{code}</script></body></html>"


async def rendered(renderer: Renderer, it: Site, path: str = "/") -> str:
    url = f"{it.url}{path}"
    fetched = await renderer.get(source(url, kind="browser"), url, "job")
    return fetched.response.body.decode()


WRITE = f"document.getElementById('root').innerHTML = '<article><p>{TEXT}</p></article>';"


@needs_chromium
async def test_a_page_is_nothing_before_its_script_has_run(renderer: Renderer) -> None:
    later = f"fetch('/data').then(r => r.text()).then(t => {{ {WRITE.replace(TEXT, TEXT)} }});"
    pages = {"/": html('<div id="root"></div><script src="/a.js"></script>'),
             "/a.js": Page(later.encode(), 200, {"Content-Type": "text/javascript"}),
             "/data": Page(b"ok", 200, {"Content-Type": "text/plain"}),
             "/robots.txt": Page(b"User-agent: *\nAllow: /\n")}  # fmt: skip
    async with site(dict(pages)) as it:
        url = f"{it.url}/"
        fetched = await renderer.get(source(url, kind="browser"), url, "job")
        answer = fetched.response
        document = Document(
            url=url, body=answer.body, media_type=answer.media_type, charset="utf-8"
        )
        (item,) = await read_here("page", document)
        assert TEXT in item.text
        assert sorted(it.paths) == ["/", "/a.js", "/data", "/robots.txt"]
        assert all("everythingmarketbot" in one.headers["user-agent"].lower() for one in it.seen)


@needs_chromium
async def test_nothing_of_a_page_reaches_what_the_guard_forbids(renderer: Renderer) -> None:
    """A honeypot on loopback, which is not the source's place, hears nothing."""
    async with site({"/": html("secret")}) as honeypot:
        port = honeypot.port
        code = f"""
            for (const host of ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}",
                                "2130706433:{port}", "0:{port}"]) {{
                const url = "http://" + host + "/";
                fetch(url).catch(() => {{}});
                fetch(url, {{method: "POST", mode: "no-cors", body: "x"}}).catch(() => {{}});
                new Image().src = url;
                navigator.sendBeacon && navigator.sendBeacon(url, "x");
                try {{ new WebSocket("ws://" + host + "/"); }} catch (e) {{}}
                try {{ new EventSource(url); }} catch (e) {{}}
                try {{ new Worker(URL.createObjectURL(new Blob(
                    ["fetch('" + url + "').catch(() => 0); importScripts('" + url + "')"]))); }}
                catch (e) {{}}
                for (const tag of ["iframe", "script", "video", "embed"]) {{
                    const one = document.createElement(tag);
                    one.src = url;
                    document.body.append(one);
                }}
                for (const rel of ["stylesheet", "prefetch", "preconnect", "dns-prefetch",
                                   "preload", "icon", "prerender"]) {{
                    const one = document.createElement("link");
                    one.rel = rel; one.href = url; one.as = "fetch";
                    document.head.append(one);
                }}
                window.open(url);
            }}
            fetch("/away").catch(() => {{}});
            try {{ new RTCPeerConnection({{iceServers: [{{urls: "stun:127.0.0.1:{port}"}}]}}); }}
            catch (e) {{ document.body.dataset.peers = "none"; }}
            try {{ navigator.serviceWorker.register("/sw.js"); }} catch (e) {{}}
            {WRITE}
        """
        pages = {
            "/": html(script(code)),
            "/away": redirect(f"{honeypot.url}/"),
            "/sw.js": Page(b"", 200, {"Content-Type": "text/javascript"}),
        }
        async with site(dict(pages)) as it:
            text = await rendered(renderer, it)
        assert TEXT in text
        assert 'data-peers="none"' in text
        assert honeypot.connections == 0


@needs_chromium
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "a.example"])
async def test_a_request_that_is_not_caught_has_no_way_out(renderer: Renderer, host: str) -> None:
    """The second wall, with the first one taken away."""
    async with site({"/": html("secret")}) as honeypot:
        browser = await renderer._running()
        page = await (await browser.new_context()).new_page()
        with pytest.raises(PlaywrightError):
            await page.goto(f"http://{host}:{honeypot.port}/")
        assert honeypot.connections == 0


@needs_chromium
async def test_a_browser_that_died_is_started_again(renderer: Renderer) -> None:
    async with site({"/": html(script(WRITE))}) as it:
        assert TEXT in await rendered(renderer, it)
        browser = await renderer._running()
        await browser.close()
        assert TEXT in await rendered(renderer, it)


@needs_chromium
async def test_a_page_cannot_lead_the_browser_elsewhere(renderer: Renderer) -> None:
    async with site({"/": html("secret")}) as honeypot:
        code = f"{WRITE} setTimeout(() => {{ location.href = '{honeypot.url}/'; }}, 0);"
        async with site({"/": html(script(code))}) as it:
            await rendered(renderer, it)
        assert honeypot.connections == 0


@needs_chromium
async def test_what_robots_disallow_is_not_loaded_for_a_page_either(renderer: Renderer) -> None:
    pages = {
        "/": html(script(f"{WRITE} fetch('/private').catch(() => 0);")),
        "/robots.txt": Page(b"User-agent: *\nDisallow: /private\n"),
        "/private": html("x"),
    }
    async with site(dict(pages)) as it:
        assert TEXT in await rendered(renderer, it)
        assert "/private" not in it.paths


@needs_chromium
async def test_a_page_may_ask_for_so_much(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.ingest.fetching.rendering.MAX_BROWSER_REQUESTS", 5)
    code = f"for (let i = 0; i < 50; i++) fetch('/x' + i).catch(() => 0); {WRITE}"
    async with site({"/": html(script(code))}) as it:
        assert TEXT in await rendered(renderer, it)
        assert len([path for path in it.paths if path.startswith("/x")]) == 5


@needs_chromium
async def test_a_page_that_never_rests_is_ended(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.ingest.fetching.rendering.BROWSER_RENDER_S", 4)
    async with site({"/": html(script("while (true) {}"))}) as it:
        with fails("too_slow"):
            await rendered(renderer, it)
    async with site({"/": html(script(WRITE))}) as it:
        monkeypatch.setattr(
            "streams.ingest.fetching.rendering.BROWSER_RENDER_S", limits.BROWSER_RENDER_S
        )
        assert TEXT in await rendered(renderer, it)


@needs_chromium
async def test_a_page_may_become_so_large(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.ingest.fetching.rendering.MAX_FETCH_BYTES", 10_000)
    async with site({"/": html(script("document.body.append('x'.repeat(20000))"))}) as it:
        with fails("too_large"):
            await rendered(renderer, it)


@needs_chromium
async def test_pages_share_no_state(renderer: Renderer) -> None:
    code = f"const old = localStorage.a || 'none'; localStorage.a = 'seen'; {WRITE}"
    code += "document.body.dataset.old = old + document.cookie; document.cookie = 'a=b';"
    async with site({"/": html(script(code))}) as it:
        for _ in range(2):
            assert 'data-old="none"' in await rendered(renderer, it)


async def test_without_a_browser_there_is_a_problem() -> None:
    without = Renderer(Polite(Agent(), numbers, SystemClock(), dial), "/no/such/chromium")
    async with site({"/": html("x")}) as it:
        with fails("no_browser"):
            await rendered(without, it)
    await without.close()
