"""Sites for the tests: real ones on loopback, and ones made of bytes for virtual time."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import httpcore

from schemas.sources import Source
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.fetching.robots_file import Allowance, read_robots

PUBLIC = "93.184.215.14"
"""An address that counts as public; nothing here ever dials it."""


@dataclass
class Page:
    """What a path answers; `stalls_s` before it does."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    stalls_s: float = 0.0
    cut: bool = False
    """Whether the connection breaks off half way through the body."""

    def encoded(self) -> bytes:
        headers = {"Content-Length": str(len(self.body)), "Connection": "close", **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        body = self.body[: len(self.body) // 2] if self.cut else self.body
        return f"HTTP/1.1 {self.status} X\r\n{head}\r\n".encode("latin-1") + body


def html(body: str, status: int = 200, **headers: str) -> Page:
    told = {"Content-Type": "text/html; charset=utf-8", **headers}
    return Page(body.encode(), status, told)


def feed(*items: tuple[str, str], **headers: str) -> Page:
    """An RSS feed of titles and links."""
    inner = "".join(
        f"<item><title>{title}</title><link>{link}</link><guid>{link}</guid>"
        f"<description>{title} is what happened today, people say.</description></item>"
        for title, link in items
    )
    text = f'<?xml version="1.0"?><rss version="2.0"><channel>{inner}</channel></rss>'
    return Page(text.encode(), 200, {"Content-Type": "application/rss+xml", **headers})


def redirect(to: str, status: int = 302) -> Page:
    return Page(status=status, headers={"Location": to})


def zipped(body: bytes) -> Page:
    return Page(gzip.compress(body), 200, {"Content-Encoding": "gzip", "Content-Type": "text/html"})


@dataclass
class SeenRequest:
    path: str
    headers: dict[str, str]


class Site:
    """A web server on loopback. Paths that it does not have are 404."""

    def __init__(self, pages: dict[str, Page | Callable[[SeenRequest], Page]]) -> None:
        self.pages = pages
        self.seen: list[SeenRequest] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.seen]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = (line.split(": ", 1) for line in lines[1:] if line)
            headers = {name.lower(): value for name, value in pairs}
            one = SeenRequest(lines[0].split(" ")[1], headers)
            self.seen.append(one)
            page = self.pages.get(one.path, Page(status=404))
            answer = page if isinstance(page, Page) else page(one)
            await asyncio.sleep(answer.stalls_s)
            writer.write(answer.encoded())
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def site(
    pages: dict[str, Page | Callable[[SeenRequest], Page]] | None = None,
) -> AsyncIterator[Site]:
    """Run a site for as long as the block runs."""
    it = Site(pages if pages is not None else {})
    server = await asyncio.start_server(it._serve, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        await server.wait_closed()


class Wires:
    """Connections made of bytes: a `Resolve` and a `Dial` that leave the machine alone."""

    def __init__(self, pages: dict[str, Page], addresses: list[str] | None = None) -> None:
        self.pages = pages
        self.addresses = addresses or [PUBLIC]
        self.resolved: list[str] = []
        self.dialled: list[tuple[str, int]] = []
        self.asked: list[tuple[str, float]] = []

    async def resolve(self, host: str, port: int) -> list[str]:
        self.resolved.append(host)
        return self.addresses

    async def dial(self, address: str, port: int, timeout_s: float) -> httpcore.AsyncNetworkStream:
        self.dialled.append((address, port))
        return _Wire(self)


class _Wire(httpcore.AsyncMockStream):
    """Answers the one request that is written to it; one to a host and path, such as `a.b/c`."""

    def __init__(self, wires: Wires) -> None:
        super().__init__([])
        self._wires = wires
        self._asked = b""
        self._answer: list[bytes] = []

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._asked += buffer
        if b"\r\n\r\n" in self._asked:
            lines = self._asked.decode("latin-1").split("\r\n")
            host = next(line[6:] for line in lines if line.lower().startswith("host: "))
            name = host + lines[0].split(" ")[1]
            self._wires.asked.append((name, asyncio.get_running_loop().time()))
            page = self._wires.pages.get(name, Page(status=404))
            self._asked = b""
            await asyncio.sleep(page.stalls_s)
            self._answer = [page.encoded()]

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._answer.pop(0) if self._answer else b""

    async def start_tls(self, *args: object, **kwargs: object) -> httpcore.AsyncNetworkStream:
        return self


async def robots_read_here(body: bytes, product: str) -> Allowance:
    """Read a robots.txt in this process; see `robots.ReadRobots`."""
    return read_robots(body, product)


def source(url: str, **told: object) -> Source:
    """A source on loopback that may be asked as often as one likes."""
    loopback = "127.0.0.1" in url
    fields: dict[str, object] = {
        "source": "wire",
        "name": "The Wire",
        "kind": "rss",
        "crawl_delay_s": 0 if loopback else 30,
        "poll_interval_s": 1 if loopback else 300,
        "allow_loopback": loopback,
        **told,
    }
    return Source(url=url, **fields)  # type: ignore[arg-type]  # the names above


@contextlib.contextmanager
def fails(problem: str):  # type: ignore[no-untyped-def]  # a context manager of any use
    """Expect an Unfetched of that problem."""
    try:
        yield
    except Unfetched as error:
        assert error.problem.value == problem, (error.problem, error.detail)
    else:
        raise AssertionError(f"no {problem}")
