"""The world, on loopback: a small web server of feeds and pages that a test writes.

It also counts what was asked for, so that a test can say what must never be.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from xml.sax.saxutils import escape

_PIECE = 1_024


class Item(NamedTuple):
    """One item of a feed."""

    title: str
    text: str
    link: str = ""
    minutes_ago: float | None = 1
    """None leaves the date out."""


class Document(NamedTuple):
    """What is served. With `drip_s` it comes in pieces, and so long after one another."""

    body: bytes
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    drip_s: float = 0


class News:
    """What is served, by path. `asked` counts the requests for each path."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.documents: dict[str, Document] = {}
        self.asked: dict[str, int] = {}
        self.robots("User-agent: *\nAllow: /\n")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def robots(self, text: str) -> None:
        self.documents["/robots.txt"] = Document(text.encode(), "text/plain")

    def feed(self, path: str, items: list[Item], *, title: str = "News") -> str:
        """Serve an RSS feed; return its url."""
        rows = "".join(self._row(path, item) for item in items)
        text = (
            f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>'
            f"<title>{escape(title)}</title><language>en</language>{rows}</channel></rss>"
        )
        self.documents[path] = Document(text.encode(), "application/rss+xml")
        return self.url + path

    def page(self, path: str, title: str, paragraphs: list[str]) -> str:
        """Serve an article as HTML; return its url."""
        text = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
        html = (
            f'<!doctype html><html lang="en"><head><title>{escape(title)}</title></head>'
            f"<body><nav>Home</nav><article><h1>{escape(title)}</h1>{text}</article></body></html>"
        )
        self.documents[path] = Document(html.encode())
        return self.url + path

    def serve(self, path: str, document: Document) -> str:
        """Serve anything; return its url."""
        self.documents[path] = document
        return self.url + path

    def _row(self, path: str, item: Item) -> str:
        link = item.link or f"{self.url}{path}/{sha256(item.title.encode()).hexdigest()[:12]}"
        date = ""
        if item.minutes_ago is not None:
            moment = datetime.now(UTC) - timedelta(minutes=item.minutes_ago)
            date = f"<pubDate>{format_datetime(moment)}</pubDate>"
        return (
            f"<item><title>{escape(item.title)}</title><link>{escape(link)}</link>"
            f"<guid>{escape(link)}</guid>{date}"
            f"<description>{escape(item.text)}</description></item>"
        )


@contextmanager
def news(port: int = 0) -> Iterator[News]:
    """Give a running server on loopback, at any free port or at `port`, and stop it at the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            world.asked[self.path] = world.asked.get(self.path, 0) + 1
            document = world.documents.get(self.path, Document(b"not here", status=404))
            etag = f'"{sha256(document.body).hexdigest()[:16]}"'
            if document.status == 200 and self.headers.get("If-None-Match") == etag:
                self.send_response(304)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(document.status)
            self.send_header("Content-Type", document.content_type)
            self.send_header("Content-Length", str(len(document.body)))
            self.send_header("ETag", etag)
            for name, value in document.headers:
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # who asked may have hung up
                self._send(document)

        def _send(self, document: Document) -> None:
            if not document.drip_s:
                self.wfile.write(document.body)
                return
            for start in range(0, len(document.body), _PIECE):
                self.wfile.write(document.body[start : start + _PIECE])
                time.sleep(document.drip_s)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing: a test says what matters."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    world = News(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield world
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
