"""One HTTP exchange through the guard, within bounds of bytes and time.

An exchange follows no redirect and remembers nothing: no cookies, no cache, no proxy from
the environment. The bound on a body holds after decompression; `unpacking.py` says which
encodings there are. Types are taken as browsers take them (decision 0076): of several the last that
is one counts.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

import httpcore

from schemas.observations import FetchProblem
from schemas.units import SECOND_NS
from streams.ingest.fetching.guard import (
    Dial,
    Endpoint,
    Guard,
    Resolve,
    check_url,
    dial,
)
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.fetching.unpacking import Unpacking
from streams.ingest.limits import FETCH_TOTAL_S, MAX_FETCH_BYTES, MAX_OBEYED_DELAY_S

DEFAULT_USER_AGENT: Final = "EverythingMarketBot/0.1 (+mailto:ops@yourdomain.com)"
DEFAULT_FROM: Final = "ops@yourdomain.com"
_ACCEPT: Final = "text/html, application/rss+xml, application/atom+xml, application/xml;q=0.9"
_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")


@dataclass(frozen=True, kw_only=True)
class Agent:
    """What every request says of its sender."""

    user_agent: str = DEFAULT_USER_AGENT
    sender: str = DEFAULT_FROM

    @property
    def product(self) -> str:
        """The name by which a robots.txt knows us."""
        return self.user_agent.partition("/")[0].strip()

    def headers(self) -> dict[str, str]:
        """Return the headers that every request carries."""
        return {
            "User-Agent": self.user_agent,
            "From": self.sender,
            "Accept": _ACCEPT,
            "Accept-Encoding": "gzip",
        }


class HttpResponse(NamedTuple):
    """The response of `url`. Header names are lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The type without parameters, in lower case; empty if the header names none."""
        for part in reversed(self.headers.get("content-type", "").lower().split(",")):
            essence = part.partition(";")[0].strip()
            if _TYPE.fullmatch(essence):
                return essence
        return ""

    @property
    def charset(self) -> str:
        """The charset that the header claims; empty if none."""
        parsed = Message()
        parsed["content-type"] = self.headers.get("content-type", "")
        found = parsed.get_param("charset", "")
        return found if isinstance(found, str) else ""


class Http:
    """Makes exchanges. A process needs one: it keeps nothing but the TLS settings."""

    def __init__(self, agent: Agent, resolve: Resolve, dial: Dial = dial) -> None:
        self.agent = agent
        self._resolve = resolve
        self._dial = dial
        self._tls: ssl.SSLContext | None = None

    async def get(
        self,
        url: str,
        *,
        own: Endpoint | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = MAX_FETCH_BYTES,
        within_s: float = FETCH_TOTAL_S,
        cut: bool = False,
    ) -> HttpResponse:
        """Return the response to a GET, whatever its status. Raises Unfetched.

        `own` is the one loopback endpoint that is allowed. A body longer than `max_bytes`
        is TOO_LARGE; with `cut` it is cut there instead.
        """
        check_url(url, own)
        guard = Guard(self._resolve, self._dial, own)
        asked = [*self.agent.headers().items(), *(headers or {}).items()]
        try:
            async with (
                asyncio.timeout(within_s),
                httpcore.AsyncConnectionPool(self._context(), network_backend=guard) as pool,
                pool.stream("GET", url, headers=asked) as response,
            ):
                received = _headers(response.headers)
                body = await _body(response, received, max_bytes, cut)
                return HttpResponse(url, response.status, received, body)
        except TimeoutError as error:
            raise Unfetched(FetchProblem.TOO_SLOW, f"not done in {within_s:g} s") from error
        except httpcore.TimeoutException as error:
            raise Unfetched(FetchProblem.TOO_SLOW, type(error).__name__) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
            raise Unfetched(FetchProblem.UNREACHABLE, type(error).__name__) from error
        except (httpcore.UnsupportedProtocol, UnicodeError, ValueError) as error:
            raise Unfetched(FetchProblem.BAD_URL, type(error).__name__) from error

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = httpcore.default_ssl_context()
        return self._tls


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers with lower-case names. Of two with the same name the first counts.

    Two types are one header with both, as browsers have it.
    """
    found: dict[str, list[str]] = {}
    for name, value in raw:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return {
        name: ", ".join(values) if name == "content-type" else values[0]
        for name, values in found.items()
    }


async def _body(
    response: httpcore.Response, headers: Mapping[str, str], max_bytes: int, cut: bool
) -> bytes:
    parts: list[bytes] = []
    left = max_bytes
    async for part in _unpacked(response, headers):
        left -= len(part)
        parts.append(part)
        if left < 0:
            if cut:
                break
            raise Unfetched(FetchProblem.TOO_LARGE, f"more than {max_bytes} bytes", response.status)
    return b"".join(parts)[:max_bytes]


async def _unpacked(
    response: httpcore.Response, headers: Mapping[str, str]
) -> AsyncIterator[bytes]:
    """Yield the body in bounded steps, decompressed."""
    unpacking = Unpacking(headers.get("content-encoding", ""), response.status)
    async for chunk in response.aiter_stream():
        for part in unpacking.take(chunk):
            yield part
        if unpacking.is_over:
            break
    for part in unpacking.end():
        yield part


def retry_after_s(response: HttpResponse, now_ns: int) -> float:
    """Return how long the response asks to be left alone, within MAX_OBEYED_DELAY_S; 0 if not."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:10]), MAX_OBEYED_DELAY_S))
    try:
        until_s = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return 0.0
    return min(max(until_s - now_ns / SECOND_NS, 0.0), float(MAX_OBEYED_DELAY_S))
