"""Rendering with a real Chromium: scripts run, and nothing of it reaches any network."""

import contextlib
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from playwright.async_api import Error as PlaywrightError

from schemas.observations import FetchProblem
from streams.ingest import limits
from streams.ingest.fetching import unprivileged
from streams.ingest.fetching.chromium import UNSANDBOXED
from streams.ingest.fetching.guard import dial
from streams.ingest.fetching.http import Agent
from streams.ingest.fetching.polite import Polite
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.fetching.rendering import Renderer
from streams.ingest.sources.model import Document
from streams.ingest.sources.reader import read_here
from streams.log.clock import SystemClock
from tests.streams.ingest.fetching.web import (
    Page,
    Site,
    fails,
    html,
    redirect,
    robots_read_here,
    site,
    source,
)
from tests.support.chromium import IS_ROOT, IS_SANDBOX_REFUSED, UNPRIVILEGED

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = pytest.mark.slow
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")

TEXT = "Something happened today in the harbour, and many people saw it happen."


async def numbers(host: str, port: int) -> list[str]:
    return [host]


@pytest.fixture
async def renderer() -> AsyncIterator[Renderer]:
    it = new_renderer()
    yield it
    await it.close()


def new_renderer(chromium: str = CHROMIUM, *, sandboxed: bool = not IS_SANDBOX_REFUSED) -> Renderer:
    polite = Polite(Agent(), numbers, SystemClock(), robots_read_here, dial)
    return Renderer(polite, chromium, sandboxed=sandboxed)


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
    without = new_renderer("/no/such/chromium")
    async with site({"/": html("x")}) as it:
        with fails("no_browser"):
            await rendered(without, it)
    await without.close()


# -- as whom Chromium runs ---------------------------------------------------------------------

needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can give a process another user")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter: those above pytest's own are only ours."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


class Running(NamedTuple):
    """One process of Chromium, as the kernel shows it."""

    command: list[str]
    environment: dict[str, str]
    status: dict[str, str]


def chromiums() -> list[Running]:
    """Return the processes of Chromium that we started: launcher and driver are none."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            if "chrom" not in Path(one.exe()).name:
                continue
            lines = Path(f"/proc/{one.pid}/status").read_text().splitlines()
            status = {
                name: value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            found.append(Running(one.cmdline(), one.environ(), status))
    return found


@needs_chromium
@needs_root
async def test_started_as_root_chromium_has_a_user_of_its_own(renderer: Renderer) -> None:
    async with site({"/": html(script(WRITE))}) as it:
        assert TEXT in await rendered(renderer, it)
    processes = chromiums()
    (uid,) = {uid for one in processes for uid in one.status["Uid"].split()}
    assert uid not in {"0", str(pwd.getpwnam("nobody").pw_uid)}
    assert {gid for one in processes for gid in one.status["Gid"].split()} == {uid}
    assert {one.status["Groups"] for one in processes} == {""}


@needs_chromium
@pytest.mark.skipif(IS_SANDBOX_REFUSED, reason="this kernel refuses Chromium's sandbox")
async def test_pages_are_rendered_in_the_sandbox(renderer: Renderer) -> None:
    """In a process namespace of their own, under a filter of system calls."""
    browser = await renderer._running()
    page = await (await browser.new_context()).new_page()
    await page.set_content(f"<p>{TEXT}</p>")
    processes = chromiums()
    assert not [one for one in processes if "--no-sandbox" in one.command]
    pages = [one for one in processes if "--type=renderer" in one.command]
    assert pages
    assert {one.status["Seccomp"] for one in pages} == {"2"}
    assert all(len(one.status["NSpid"].split()) > 1 for one in pages)


@needs_chromium
async def test_chromium_knows_nothing_of_our_environment(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    async with site({"/": html(script(WRITE))}) as it:
        assert TEXT in await rendered(renderer, it)
    processes = chromiums()
    assert processes
    assert "secret" not in str(processes)


@needs_root
def test_that_user_cannot_read_what_is_ours(open_folder: Path) -> None:
    """The launcher gives the profile away, and nothing else."""
    keys, profile = open_folder / "keys", open_folder / "profile"
    for folder in (keys, profile):
        folder.mkdir(mode=0o700)
        (folder / "file").write_text("text\n")
    reads = f"cat {profile}/file; cat {keys}/file; id -u; id -G"
    program = ["/bin/sh", "-c", reads, "sh", f"--user-data-dir={profile}"]
    launch = [sys.executable, "-I", unprivileged.__file__, str(UNPRIVILEGED), *program]
    done = subprocess.run(launch, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["text", str(UNPRIVILEGED), str(UNPRIVILEGED)]
    assert "Permission denied" in done.stderr


@needs_chromium
@pytest.mark.skipif(IS_SANDBOX_REFUSED, reason="the kernel refuses by itself")
async def test_where_the_kernel_refuses_the_sandbox_nothing_is_rendered(open_folder: Path) -> None:
    """Unless the operator says so. The reason names the setting."""
    refusing = open_folder / "chromium"
    refusing.write_text(
        "#!/bin/sh\nexec unshare --user --map-current-user --keep-caps sh -c "
        '\'echo 0 > /proc/sys/user/max_user_namespaces; exec "$0" "$@"\' '
        f'{CHROMIUM} "$@"\n'
    )
    refusing.chmod(0o755)
    async with site({"/": html(script(WRITE))}) as it:
        for sandboxed in (True, False):
            one = new_renderer(str(refusing), sandboxed=sandboxed)
            try:
                if sandboxed:
                    with pytest.raises(Unfetched) as refused:
                        await rendered(one, it)
                    assert refused.value.problem is FetchProblem.NO_BROWSER
                    assert f"{UNSANDBOXED}=1" in refused.value.detail
                    assert one.problem == refused.value.detail, "what its heartbeat says"
                else:
                    assert TEXT in await rendered(one, it)
            finally:
                await one.close()


@needs_chromium
async def test_nothing_is_left_of_a_chromium_that_was_closed() -> None:
    one = new_renderer()
    async with site({"/": html(script(WRITE))}) as it:
        assert TEXT in await rendered(one, it)
    assert one._start is not None
    folder = one._start._folder
    assert folder.exists()
    await one.close()
    assert not folder.exists()
    assert chromiums() == []
