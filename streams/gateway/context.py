"""What the door is composed of. `deploy` makes one for each gateway process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from schemas.errors import EverythingError
from schemas.services import ServiceKeys
from streams.gateway.directory import Directory
from streams.gateway.errors import Starting
from streams.gateway.outcomes import Outcomes
from streams.gateway.services import Services, no_service_keys
from streams.gateway.sessions import Sessions
from streams.gateway.tail import Tail
from streams.ingest.jobs.queue import JobQueue, NoJobQueue
from streams.log.ports import Clock, Log


class Appends(Protocol):
    """What the door needs of `streams.log.appender.Appender`."""

    async def append(self, subject: str, payload: bytes) -> int:
        """Append one message and return its sequence once it is durable."""


@dataclass
class GatewayContext:
    """The parts that the routes share.

    `session_secret` (at least 32 bytes) signs sessions: the same for every door of a venue.
    `on_halt` is called when the door can no longer trust or reach the log: end the process.
    `service_keys` are asked at each request of a program, so that a new one holds at once.
    """

    log: Log
    appender: Appends
    clock: Clock
    session_secret: bytes = field(repr=False)
    on_halt: Callable[[EverythingError], None]
    directory: Directory = field(default_factory=Directory)
    outcomes: Outcomes = field(default_factory=Outcomes)
    jobs: JobQueue = field(default_factory=NoJobQueue)
    service_keys: ServiceKeys = field(default=no_service_keys, repr=False)

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.session_secret, self.clock)
        self.services = Services(self.service_keys, self.clock)
        self.tail = Tail(self.log, self.clock, (self.directory.take, self.outcomes.take))

    def check_ready(self) -> None:
        """Raise Starting until the directory knows what stood on the log at the start."""
        if not self.tail.caught_up:
            raise Starting("the door has not read the log to its end yet")
