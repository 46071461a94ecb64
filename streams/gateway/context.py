"""What one gateway process is composed of. `deploy` makes one context for each process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends, Request

from schemas.errors import EverythingError
from schemas.services import ServiceKeys
from streams.accounts.directory import Directory
from streams.accounts.nonces import Nonces, NoNonces
from streams.accounts.quotas import CountOpenOrders, Quotas, count_none
from streams.accounts.rate_limiter import RateLimiter
from streams.accounts.sessions import Sessions
from streams.accounts.tail import Tail
from streams.gateway.errors import Starting
from streams.gateway.founding import AskTerms, nothing_to_found
from streams.gateway.outcomes import Outcomes
from streams.gateway.pushes import PushReplies
from streams.gateway.runners import NoRunnerDesk, RunnerDesk
from streams.gateway.services import Services, no_service_keys
from streams.gateway.sign_ups import SignUpBounds, SignUps
from streams.ingest.jobs.queue import JobQueue, NoJobQueue
from streams.log.clock import SteadyClock
from streams.log.ports import Clock, Log


class AppendPort(Protocol):
    """What the gateway needs of `streams.log.appender.Appender`."""

    async def append(self, subject: str, payload: bytes) -> int:
        """Append one message and return its sequence once it is durable."""


@dataclass
class GatewayContext:
    """The parts that the routes share.

    `session_secret` (at least 32 bytes) signs sessions: the same for every gateway of a venue.
    `on_halt` is called when the gateway can no longer trust or reach the log: end the process.
    `service_keys` are asked at each request of a program, so that a new one holds at once, as are
    `runner_keys` at each of a runner, and
    `founding_terms` whenever somebody would found the venue. Budgets go by `steady`, which no
    correction of the machine's time can fill or stop.
    """

    log: Log
    appender: AppendPort
    clock: Clock
    session_secret: bytes = field(repr=False)
    on_halt: Callable[[EverythingError], None]
    directory: Directory = field(default_factory=Directory)
    outcomes: Outcomes = field(default_factory=Outcomes)
    jobs: JobQueue = field(default_factory=NoJobQueue)
    service_keys: ServiceKeys = field(default=no_service_keys, repr=False)
    runner_keys: ServiceKeys = field(default=no_service_keys, repr=False)
    runner_desk: RunnerDesk = field(default_factory=NoRunnerDesk)
    steady: Clock = field(default_factory=SteadyClock)
    nonces: Nonces = field(default_factory=NoNonces)
    sign_up_bounds: SignUpBounds = field(default_factory=SignUpBounds)
    count_open_orders: CountOpenOrders = count_none
    founding_terms: AskTerms = field(default=nothing_to_found, repr=False)

    def __post_init__(self) -> None:
        self.sessions = Sessions(
            self.session_secret, self.clock, self.nonces, self.directory.has_lapsed
        )
        self.services = Services(self.service_keys, self.clock, self.nonces)
        self.runners = Services(self.runner_keys, self.clock, self.nonces, "runner")
        self.tail = Tail(self.log, self.clock, (self.directory.take, self.outcomes.take))
        self.push_replies = PushReplies()
        self.sign_ups = SignUps(self.steady, self.sign_up_bounds)
        self.quotas = Quotas(self.directory, self.steady, self.count_open_orders)
        self.wrong_codes = RateLimiter(self.steady, "too many wrong founding codes")
        self.push_rate = RateLimiter(self.steady, "this source pushes too fast")
        self.fetch_rate = RateLimiter(self.steady, "this key asks for too much")
        self.runner_rate = RateLimiter(self.steady, "this runner asks too often")
        self.retry_rate = RateLimiter(self.steady, "this key has too much tried again")
        self.led_engines: set[str] = set()
        """Engines that have had a leader, as far as `GET /ready` has seen."""

    def check_ready(self) -> None:
        """Raise Starting until the directory knows what stood on the log at the start."""
        if not self.tail.caught_up:
            raise Starting("the door has not read the log to its end yet")


def context_of(request: Request) -> GatewayContext:
    """Return the context of the app that a request came to."""
    context: GatewayContext = request.app.state.gateway
    return context


async def _context(request: Request) -> GatewayContext:
    return context_of(request)


Context = Annotated[GatewayContext, Depends(_context)]
"""The parameter by which a route gets the context of the app that it is mounted in."""
