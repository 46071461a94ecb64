"""HTTP by the standard library against a server: statuses, redirects, lines, failures."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from deploy import http


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.startswith("/lines"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for text in (b"data: 1\r\n", b"data: ", b"2\n", b""):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(text), text))
        else:
            self._answer(404 if self.path == "/nothing" else 200, {"path": self.path})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(201, {"body": body, "token": self.headers["Authorization"]})

    def _answer(self, status: int, value: Any) -> None:
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("X-At-Sequence", "7")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_answer_has_status_headers_and_json(url: str) -> None:
    answer = http.request("GET", f"{url}/here", query={"limit": 3, "at": "2026-11-20T18:00+00:00"})
    assert (answer.status, answer.is_error) == (200, False)
    assert answer.json() == {"path": "/here?limit=3&at=2026-11-20T18%3A00%2B00%3A00"}
    assert answer.headers.get("x-at-sequence") == "7"


def test_an_error_is_an_answer_too(url: str) -> None:
    answer = http.request("GET", f"{url}/nothing")
    assert (answer.status, answer.is_error, answer.json()) == (404, True, {"path": "/nothing"})


def test_a_body_is_sent_as_json(url: str) -> None:
    headers = {"Authorization": "Bearer t"}
    answer = http.request("POST", f"{url}/", body={"name": "Zürich"}, headers=headers)
    assert answer.json() == {"body": {"name": "Zürich"}, "token": "Bearer t"}


def test_a_redirect_is_not_followed(url: str) -> None:
    answer = http.request("GET", f"{url}/moved")
    assert (answer.status, answer.is_error) == (302, True)


def test_lines_come_one_by_one(url: str) -> None:
    with http.lines(f"{url}/lines", {"channel": ["a", "b"]}) as lines:
        assert not isinstance(lines, http.Answer)
        assert list(lines) == ["data: 1", "data: 2"]


def test_lines_of_an_error_are_its_answer(url: str) -> None:
    with http.lines(f"{url}/nothing", {}) as answer:
        assert isinstance(answer, http.Answer)
        assert answer.status == 404


def test_no_answer_is_a_failure() -> None:
    with pytest.raises(http.FAILURES):
        http.request("GET", "http://127.0.0.1:1/")
