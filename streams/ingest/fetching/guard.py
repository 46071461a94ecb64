"""The guard: no connection to anything but the public internet.

The guard is the network backend of the HTTP client, so no byte can leave without it, the
hops of a redirect and the sub-resources of a page in the browser included.

- A name is looked up once. Every address that it leads to must be public.
- The connection goes to an address that was checked, never to the name again: a second
  lookup could give another address (DNS rebinding).
- Numbers written as names, like `2130706433` or `0x7f.1`, are resolved like names.
- A port below 1024 must be 80 or 443.
- Loopback is open only to a source that allows it, and then only the source's own host
  and port.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpcore

from schemas.observations import FetchProblem
from schemas.sources import Source, host_of, url_problem
from streams.ingest.fetching.addresses import (
    Address,
    is_loopback,
    is_public,
    parse,
)
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.limits import FETCH_CONNECT_S, FETCHES_AT_ONCE, MAX_DNS_ADDRESSES

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Return the addresses of a host; raises OSError when there are none."""
Dial = Callable[[str, int, float], Awaitable[httpcore.AsyncNetworkStream]]
"""Connect to an address, which is never a name, within so many seconds."""

_WEB_PORTS: Final = (80, 443)
_FIRST_FREE_PORT: Final = 1_024


class Endpoint(NamedTuple):
    """A host and port, as a url names them."""

    host: str
    port: int


def endpoint_of(url: str) -> Endpoint:
    """Return the endpoint of `url`. Raises Unfetched(BAD_URL) if it has none."""
    wrong = url_problem(url)
    if wrong is not None:
        raise Unfetched(FetchProblem.BAD_URL, wrong)
    parts = urlsplit(url)
    return Endpoint(host_of(url), parts.port or (443 if parts.scheme.lower() == "https" else 80))


def own_endpoint(source: Source) -> Endpoint | None:
    """Return the one loopback endpoint that `source` may use, or None."""
    return endpoint_of(source.url) if source.allow_loopback else None


def check_url(url: str, own: Endpoint | None) -> None:
    """Raise Unfetched(BAD_URL) unless `url` is one that a stranger may send us to.

    Without this check a page could make us talk to a mail or database server.
    """
    endpoint = endpoint_of(url)
    port = endpoint.port
    if endpoint != own and port not in _WEB_PORTS and port < _FIRST_FREE_PORT:
        raise Unfetched(FetchProblem.BAD_URL, f"port {port} is not the web's")


class Guard(httpcore.AsyncNetworkBackend):
    """Connects to public addresses, and to the loopback endpoint `own` if that is given."""

    def __init__(self, resolve: Resolve, dial: Dial, own: Endpoint | None = None) -> None:
        self._resolve = resolve
        self._dial = dial
        self._own = own

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to `host`. All of its addresses must be public."""
        addresses = await self._addresses(host.strip("[]").lower(), port)
        allowed_s = FETCH_CONNECT_S if timeout is None else min(timeout, FETCH_CONNECT_S)
        try:
            async with asyncio.timeout(allowed_s):
                return await self._first(addresses, port, allowed_s)
        except TimeoutError as error:
            raise Unfetched(FetchProblem.UNREACHABLE, "no connection in time") from error

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: nothing on the web is a file."""
        raise Unfetched(FetchProblem.FORBIDDEN_ADDRESS, "a unix socket")

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise Unfetched(FetchProblem.UNRESOLVED, "the host has no address") from error
        if not found:
            raise Unfetched(FetchProblem.UNRESOLVED, "the host has no address")
        allowed = is_loopback if Endpoint(host, port) == self._own else is_public
        addresses = []
        for text in found:
            address = parse(text)
            if address is None or not allowed(address):
                raise Unfetched(
                    FetchProblem.FORBIDDEN_ADDRESS, "the host leads to an address not public"
                )
            addresses.append(address)
        return addresses[:MAX_DNS_ADDRESSES]

    async def _first(
        self, addresses: list[Address], port: int, allowed_s: float
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception | None = None
        for address in addresses:
            try:
                return await self._dial(str(address), port, allowed_s)
            except (OSError, httpcore.NetworkError, httpcore.TimeoutException) as error:
                failure = error
        raise Unfetched(FetchProblem.UNREACHABLE, "no address takes a connection") from failure


class SystemResolver:
    """The machine's resolver, on its own threads: a slow lookup does not delay other work."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(FETCHES_AT_ONCE, thread_name_prefix="resolve")

    async def __call__(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port)
        return list(dict.fromkeys(found))

    def close(self) -> None:
        """Stop the threads. Lookups under way are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]


_backend: Final = httpcore.AnyIOBackend()


async def dial(address: str, port: int, timeout_s: float) -> httpcore.AsyncNetworkStream:
    """Open a real connection."""
    return await _backend.connect_tcp(address, port, timeout=timeout_s)
