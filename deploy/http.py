"""HTTP by the standard library: importing httpx would double the time of most commands."""

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.message import Message
from typing import Any, Final, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

TIMEOUT_S: Final = 30
FAILURES: Final = (OSError, http.client.HTTPException)
"""What is raised when no answer comes."""


class Answer(NamedTuple):
    """An answer, whatever its status."""

    status: int
    headers: Message
    body: bytes

    @property
    def is_error(self) -> bool:
        return self.status >= 300

    def json(self) -> Any:
        """Return the body. Raises ValueError when it is not JSON."""
        return json.loads(self.body)


class _NoRedirects(HTTPRedirectHandler):
    """A token goes to the address that was asked for, and to no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_open = build_opener(_NoRedirects).open


def request(
    method: str,
    url: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """Return the answer to a request whose `body`, if any, is sent as JSON. Raises FAILURES."""
    asked = _request(method, url, query or {}, body, headers or {})
    try:
        with _open(asked, timeout=timeout_s) as response:
            return Answer(response.status, response.headers, response.read())
    except HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


@contextmanager
def lines(url: str, query: Mapping[str, str | Sequence[str]]) -> Iterator[Iterator[str] | Answer]:
    """Yield the lines of an answer as they come, or the answer if it is an error.

    Raises FAILURES.
    """
    try:
        response = _open(_request("GET", url, query, None, {}))
    except HTTPError as error:
        with error:
            yield Answer(error.code, error.headers, error.read())
        return
    with response:
        yield (line.decode().rstrip("\r\n") for line in response)


def _request(
    method: str, url: str, query: Mapping[str, Any], body: Any, headers: Mapping[str, str]
) -> Request:
    asked = f"{url}?{urlencode(query, doseq=True)}" if query else url
    data = None if body is None else json.dumps(body).encode()
    typed = {} if data is None else {"Content-Type": "application/json"}
    return Request(asked, data, {**headers, **typed}, method=method)
