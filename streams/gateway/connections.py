"""The connections of the gateway: bounded in number, in time and in bytes, before any route.

uvicorn bounds how many requests are under way, and nothing else. `BoundedHttp` is its protocol
with what it lacks: headers are bounded while they arrive, silence ends, answers that nobody
reads are dropped, hosts are known, and every refusal is the envelope.
"""

import asyncio
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Final, cast

import httptools
import structlog
from starlette.responses import Response
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from schemas.errors import EverythingError, InputError, MalformedMessage
from schemas.networks import client_share
from streams.gateway.addresses import Headers, KnownHosts, TrustedProxies
from streams.gateway.admission import Admission, ConnectionBounds, Ticket
from streams.gateway.errors import (
    HeaderTimeout,
    OversizedHeaders,
    TargetTooLong,
    UnknownHost,
    respond,
)
from streams.gateway.limits import (
    CONNECTIONS_LOOK_S,
    MAX_HTTP_HEADER_BYTES,
    MAX_HTTP_HEADERS,
    MAX_HTTP_REQUEST_BYTES,
    MAX_HTTP_TARGET_BYTES,
    MAX_PIPELINED,
)

_log = structlog.get_logger(__name__)

KEPT_PATHS: Final = frozenset({"/api/v1/health", "/api/v1/ready", "/api/v1/status"})
"""For these, as for signed-in people, places are kept."""
_HEADER_LINE_BYTES: Final = 4
"""`: ` and the end of the line."""
_TOO_LARGE: Final = f"headers have at most {MAX_HTTP_HEADER_BYTES} bytes in all"
_TOO_LONG: Final = f"path and query have at most {MAX_HTTP_TARGET_BYTES} bytes"
_BEARER: Final = b"bearer "


class OpenConnections:
    """What all connections of one server share, and what ends them.

    `account_of` returns the account of a session token, None for one that is worth nothing.
    """

    def __init__(
        self,
        account_of: Callable[[str], str | None],
        *,
        hosts: KnownHosts,
        proxies: TrustedProxies,
        bounds: ConnectionBounds,
    ) -> None:
        self.account_of = account_of
        self.hosts = hosts
        self.proxies = proxies
        self.bounds = bounds
        self.admission = Admission(bounds)
        self.unsent: dict[BoundedHttp, float] = {}
        """Whose answers do not fit into their buffers, since when."""
        self._count = 0
        self._look: asyncio.TimerHandle | None = None

    def protocol(self) -> type["BoundedHttp"]:
        """Return the protocol class whose connections are these, for uvicorn's `http`."""
        return cast(type[BoundedHttp], type("BoundedHttp", (BoundedHttp,), {"shared": self}))

    def opened(self, connection: "BoundedHttp") -> None:
        """Note a new connection, and close the one that has to give way to it, if one has."""
        self._count += 1
        if self._look is None:
            self._look_later(connection.loop)
        now = connection.loop.time()
        leaving = self.admission.enter(connection, connection.share, now)
        if isinstance(leaving, BoundedHttp):
            leaving.give_way()

    def lost(self, connection: "BoundedHttp") -> None:
        """Note that a connection is no more."""
        self._count -= 1
        self.unsent.pop(connection, None)
        self.admission.leave(connection)
        if not self._count and self._look is not None:
            self._look.cancel()
            self._look = None

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        within = min(CONNECTIONS_LOOK_S, self.bounds.header_timeout_s / 2)
        self._look = loop.call_later(within, self._end_overdue, loop)

    def _end_overdue(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for waiting, waited_s in list(self.admission.overdue(now)):
            assert isinstance(waiting, BoundedHttp)
            waiting.end_waiting(waited_s)
        held = 0
        # the latest may go on reading: who came first has had its time
        for reader, since in reversed(list(self.unsent.items())):
            held += reader.transport.get_write_buffer_size()
            if now - since >= self.bounds.unsent_timeout_s or held > self.bounds.unsent_bytes:
                _log.info("answer not read", network=reader.share)
                reader.transport.abort()
        self._look_later(loop)


class BoundedHttp(HttpToolsProtocol):
    """One connection. Subclasses made by `OpenConnections.protocol` know what they belong to."""

    shared: ClassVar[OpenConnections]

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.share: str | None = None
        self.url = b""
        self._received = 0
        self._has_headers = False
        self._has_begun = False
        self._has_served = False
        self._is_refused = False
        self._problem: InputError | None = None
        self._answering: RequestResponseCycle | None = None

    # -- the connection ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place; the one that has waited longest gives up its own if there is none."""
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        self.share = None if self.shared.proxies.trusts(address) else client_share(address)
        self.shared.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.shared.lost(self)

    def give_way(self) -> None:
        """Close at once, without what the client has not read."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def end_waiting(self, waited_s: float) -> None:
        """Close after too long a time without a request."""
        if self.transport.get_write_buffer_size():
            if waited_s >= self.shared.bounds.unsent_timeout_s:
                self.transport.abort()
        elif self._has_served and not self._has_begun and not self._is_refused:
            if waited_s >= self.shared.bounds.idle_timeout_s:
                self.transport.close()
        elif self._has_begun and not self._is_refused:
            self._refuse(HeaderTimeout("the headers did not arrive in time"))
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.shared.unsent[self] = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.shared.unsent.pop(self, None)

    # -- a request as it arrives -------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Parse what came, as long as it keeps to the bounds."""
        self._received += len(data)
        if self._is_refused:
            if self._received > MAX_HTTP_REQUEST_BYTES:
                self.transport.abort()
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # nothing else is spoken here; the request is answered as it is
        except httptools.HttpParserError:
            self._refuse(self._problem or MalformedMessage("this is no HTTP/1.1 request"))
            return
        if self._received:
            self._check_unfinished()

    def _check_unfinished(self) -> None:
        """Bound a request of which only a part has arrived."""
        if self._has_headers:
            if self._received > MAX_HTTP_REQUEST_BYTES:
                self.transport.abort()
        elif self._received > MAX_HTTP_HEADER_BYTES:
            self._refuse(
                OversizedHeaders(f"headers have at most {MAX_HTTP_HEADER_BYTES} bytes in all")
            )
        elif not self._has_begun:
            self._has_begun = True
            # from the first byte on, and not again: byte by byte is no way to stay
            if self.shared.admission.waits(self):
                self.shared.admission.wait(self, self.loop.time())

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target. Raises TargetTooLong."""
        self.url += url
        if len(self.url) > MAX_HTTP_TARGET_BYTES:
            self._problem = TargetTooLong(_TOO_LONG)
            raise self._problem

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, also one behind a body in chunks. Raises OversizedHeaders."""
        if len(self.headers) >= MAX_HTTP_HEADERS:
            self._problem = OversizedHeaders(f"a request has at most {MAX_HTTP_HEADERS} headers")
            raise self._problem
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin a request, or queue it. Raises OversizedHeaders or MalformedMessage."""
        # what came with the headers may be the body's, so only then it is counted out
        if self._received > MAX_HTTP_HEADER_BYTES and self._header_bytes() > MAX_HTTP_HEADER_BYTES:
            self._problem = OversizedHeaders(_TOO_LARGE)
            raise self._problem
        if len(self.pipeline) >= MAX_PIPELINED:
            self._problem = MalformedMessage(f"at most {MAX_PIPELINED} requests wait in a row")
            raise self._problem
        super().on_headers_complete()
        self._has_headers = True
        self._has_begun = False

    def _header_bytes(self) -> int:
        sizes = (len(name) + len(value) + _HEADER_LINE_BYTES for name, value in self.headers)
        return len(self.url) + sum(sizes)

    def on_message_complete(self) -> None:
        self._received = 0
        self._has_headers = False
        super().on_message_complete()

    # -- its answer --------------------------------------------------------------------

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Have a request answered: by the app, or by why it is refused."""
        self._answering = cycle
        scope: Any = cycle.scope
        address = self.share
        if address is None:
            client = self.shared.proxies.client(scope["headers"])
            if client is not None:
                scope["client"] = (client, 0)
                address = client_share(client)
        ticket: Ticket | None = None
        try:
            self._check_host(scope["headers"])
            ticket = self.shared.admission.begin(
                self, address, partial(self._known, scope, address or "")
            )
        except EverythingError as error:
            answer: Any = self._refusal(error, scope["method"], scope["path"])
            task = self.loop.create_task(cycle.run_asgi(answer))
        else:
            task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(task)
        task.add_done_callback(partial(self._ended, ticket))

    def _ended(self, ticket: Ticket | None, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if ticket is not None:
            self.shared.admission.end(ticket)
        if self.transport.is_closing():
            self.shared.admission.wait(self, self.loop.time())

    def _check_host(self, headers: Headers) -> None:
        """Raise UnknownHost unless the request is for this venue, MalformedMessage for two."""
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) > 1:
            raise MalformedMessage("a request has one Host header")
        if not hosts or not self.shared.hosts.knows(hosts[0]):
            raise UnknownHost("this venue is not that host; EVERYTHING_HOSTS names its hosts")

    def _known(self, scope: Any, address: str) -> str | None:
        """Return for whom a place is kept: an account, or who asks for health."""
        if scope["path"] in KEPT_PATHS:
            return f"health {address}"
        for name, value in scope["headers"]:
            if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
                return self.shared.account_of(value[len(_BEARER) :].decode("latin-1").strip())
        return None

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for it."""
        self.server_state.total_requests += 1
        self._has_served = True
        if self.pipeline and not self.transport.is_closing():
            self.flow.resume_reading()
            self._start_asgi_task(*self.pipeline.pop())
            return
        self.shared.admission.wait(self, self.loop.time())
        if not self.transport.is_closing():
            self.flow.resume_reading()

    # -- refusals ----------------------------------------------------------------------

    def _refusal(self, error: EverythingError, method: str | None, path: str) -> Response:
        """Return why a request is not answered, and log it as `Edge` does for all others."""
        correlation = uuid.uuid4().hex
        response = respond(error)
        response.raw_headers += [
            (b"x-content-type-options", b"nosniff"),
            (b"x-correlation-id", correlation.encode()),
        ]
        _log.info(
            "request refused",
            code=error.code,
            correlation_id=correlation,
            method=method,
            network=self.share,
            path=path,
            status=response.status_code,
        )
        return response

    def _refuse(self, error: InputError) -> None:
        """Answer what cannot become a request, and read no more of this connection."""
        self._is_refused = True
        self.pipeline.clear()
        answering = self._answering
        if answering is not None:
            is_its_own = self._has_headers and answering is self.cycle
            if is_its_own and answering.response_started:
                self.transport.close()
                return
            if not is_its_own and not answering.response_complete:
                answering.keep_alive = False  # the answer to one before it is the last
                return
            answering.disconnected = True
            answering.message_event.set()
        response = self._refusal(error, None, self.url.decode("latin-1"))
        headers = [*self.server_state.default_headers, *response.raw_headers]
        lines = [b"%b: %b\r\n" % header for header in (*headers, (b"connection", b"close"))]
        self.transport.write(
            b"".join([STATUS_LINE[response.status_code], *lines, b"\r\n", bytes(response.body)])
        )
        # closing with bytes unread would reset the connection, and take the answer along
        self.transport.write_eof()
        self.shared.admission.wait(self, self.loop.time())
