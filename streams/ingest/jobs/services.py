"""Durable services on JetStream: FastStream around plain handlers.

A handler is given deliveries and answers what is to become of them; it knows of no broker,
so a simulated world can call it as well. Everything is at least once: a message is done
only when the handler has said so, and comes again after a crash.

The consumers are pull consumers with explicit acks and no bound on deliveries: the server
would leave a message that has used them up lying in its stream, and tell nobody. Handlers
bound their own attempts (`Delivery.attempt`) and put on the log what they give up.

How a Bus ends (`bus` does all of it; the order is FastStream's, the bounds are ours):

1.  `serve` returns because `stop` is set, or raises: the Halt that a handler raised, or
    LogUnavailable when the broker did not answer or did not come back. It stops nothing
    yet: a message may still be handed out until `close`.
2.  `close` first has every consumer pull no more. A message that a pull under way still
    brings is not handed out; it comes again after `ack_wait_s`.
3.  Handlers under way have SERVICE_GRACE_S to end, their acks included. They go on giving
    signs of life meanwhile.
4.  A handler that has not ended by then is cancelled. Its message is neither acked nor
    nacked, and comes again after `ack_wait_s`: as after a crash.
5.  The connection is drained: it unsubscribes, sends the acks that wait to be sent, and
    closes. What goes wrong from here on is ignored, as a lost ack only brings a message
    again.

A handler must therefore bear to be cancelled at any await, and to be given a message again
whose work it has done. SERVICE_GRACE_S is well within the time after which a process that
was told to stop is cancelled as a whole.

What a role must be permitted, for each `<stream>` and `<durable>`: to publish
`$JS.API.CONSUMER.CREATE.<stream>.<durable>.<subject>`, `$JS.API.CONSUMER.INFO.<stream>.<durable>`,
`$JS.API.CONSUMER.MSG.NEXT.<stream>.<durable>`, `$JS.ACK.<stream>.<durable>.>`, and to subscribe
`<inbox prefix>.>`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import structlog
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.message import NatsBatchMessage, NatsMessage
from faststream.nats.security import NatsNKey
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig
from nats.js.errors import NotFoundError

from schemas.errors import Halt, LogUnavailable, OperatingError
from schemas.limits import (
    CONNECT_ATTEMPTS,
    CONNECT_PAUSE_S,
    CONNECT_TIMEOUT_S,
    LOG_REQUEST_ATTEMPTS,
    LOG_REQUEST_TIMEOUT_S,
    WIRE_PING_S,
)
from streams.ingest.limits import (
    CONSUMER_CHECK_S,
    JOB_BACKOFF_S,
    MAX_ACK_PENDING,
    SERVICE_BACKOFF_MAX_S,
    SERVICE_GRACE_S,
    SERVICE_POLL_S,
)

_SIGNS_OF_LIFE: Final = 3
"""A handler at work gives this many signs of life within the time for its ack."""

log = structlog.get_logger(__name__)


class Delivery(NamedTuple):
    """A message as it is handed out. `sequence` is that in its stream, `attempt` counts from 1."""

    sequence: int
    subject: str
    payload: bytes
    attempt: int


class Done(NamedTuple):
    """The message is dealt with, with or without success."""


class Later(NamedTuple):
    """The message must come again after `seconds`."""

    seconds: float


Verdict = Done | Later
Handle = Callable[[Delivery], Awaitable[Verdict]]
HandleBatch = Callable[[Sequence[Delivery]], Awaitable[Verdict]]
"""One verdict for all of a batch."""

DONE: Final = Done()


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """A durable consumer. After `ack_wait_s` without a sign of life a message comes again."""

    stream: str
    durable: str
    subject: str
    ack_wait_s: int
    max_ack_pending: int = MAX_ACK_PENDING

    def config(self) -> ConsumerConfig:
        """Return the consumer's configuration for nats-py."""
        return ConsumerConfig(
            name=self.durable,
            durable_name=self.durable,
            filter_subject=self.subject,
            ack_wait=self.ack_wait_s,
            max_ack_pending=self.max_ack_pending,
            max_deliver=-1,
        )


def backoff_s(attempt: int, first_s: float = JOB_BACKOFF_S) -> float:
    """Return how long to wait after the failed `attempt`: it doubles, within its bound."""
    return float(min(first_s * 2 ** min(attempt - 1, 20), SERVICE_BACKOFF_MAX_S))


class Bus:
    """One role's connection to the broker, on which messages come in. Made by `bus`."""

    def __init__(
        self, url: str, *, name: str, seed: str | None = None, inbox_prefix: str | None = None
    ) -> None:
        self._lost = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Fetch a failure that comes after `serve`, or asyncio would warn that nobody did.
        self._failed.add_done_callback(lambda one: one.cancelled() or one.exception())
        self._consumers: list[Consumer] = []
        self._inbox = inbox_prefix or "_INBOX"
        self._broker = NatsBroker(
            url,
            name=name,
            security=NatsNKey.from_seed(seed) if seed is not None else None,
            inbox_prefix=self._inbox,
            connect_timeout=CONNECT_TIMEOUT_S,
            reconnect_time_wait=CONNECT_PAUSE_S,
            max_reconnect_attempts=CONNECT_ATTEMPTS,
            ping_interval=WIRE_PING_S,
            max_outstanding_pings=3,
            closed_cb=self._on_closed,
            graceful_timeout=SERVICE_GRACE_S,
            ack_policy=AckPolicy.MANUAL,
            apply_types=False,
            logger=None,
        )
        self._client: Client | None = None

    async def _on_closed(self) -> None:
        self._lost.set()

    def consume(self, consumer: Consumer, handle: Handle, *, at_once: int = 1) -> None:
        """Have `handle` called for each message, up to `at_once` at a time."""

        async def one(message: NatsMessage) -> None:
            given = _delivery(message.raw_message)
            await self._handled(consumer, message, given, handle(given))

        subscriber = self._broker.subscriber(
            consumer.subject,
            # One per pull: a message that waits in this process for a worker gives no sign of life.
            pull_sub=PullSub(batch_size=1, timeout=SERVICE_POLL_S),
            max_workers=at_once,
            **self._shared(consumer),
        )
        subscriber(one, decoder=_as_it_is)

    def consume_batches(
        self, consumer: Consumer, handle: HandleBatch, *, size: int, linger_s: float
    ) -> None:
        """Have `handle` called for up to `size` messages that come within `linger_s`.

        One batch at a time. Within a batch messages are in the order of their delivery.
        """

        async def many(message: NatsBatchMessage) -> None:
            given = [_delivery(one) for one in message.raw_message]
            last = max(given, key=lambda one: one.attempt)
            await self._handled(consumer, message, last, handle(given))

        subscriber = self._broker.subscriber(
            consumer.subject,
            pull_sub=PullSub(batch_size=size, timeout=linger_s, batch=True),
            **self._shared(consumer),
        )
        subscriber(many, decoder=_as_it_is)

    def _shared(self, consumer: Consumer) -> dict[str, Any]:
        self._consumers.append(consumer)
        return {
            "stream": JStream(name=consumer.stream, declare=False),
            "durable": consumer.durable,
            "config": consumer.config(),
            "inbox_prefix": f"{self._inbox}.".encode(),
            "no_reply": True,
        }

    async def _handled(
        self,
        consumer: Consumer,
        message: NatsMessage | NatsBatchMessage,
        given: Delivery,
        work: Awaitable[Verdict],
    ) -> None:
        """Do `work` while giving signs of life, then carry out its verdict. Raises nothing."""
        living = asyncio.create_task(_live(message, consumer.ack_wait_s / _SIGNS_OF_LIFE))
        try:
            verdict = await work
        except Halt as halt:
            self._fail(halt)
            return
        except OperatingError as error:
            verdict = Later(backoff_s(given.attempt))
            log.warning("put off", durable=consumer.durable, seq=given.sequence, code=error.code)
        except Exception:
            verdict = Later(backoff_s(given.attempt))
            log.exception("handler failed", durable=consumer.durable, seq=given.sequence)
        finally:
            living.cancel()
        # If the verdict is lost on its way, the message comes again.
        with contextlib.suppress(NatsError):
            if isinstance(verdict, Later):
                await message.nack(delay=max(verdict.seconds, 0.0))
            else:
                await message.ack()

    def _fail(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    # -- its life ------------------------------------------------------------------------

    async def connect(self) -> None:
        """Connect. Raises LogUnavailable when the broker is away or refuses us."""
        try:
            self._client = await self._broker.connect()
        except (NatsError, OSError, TimeoutError) as error:
            raise LogUnavailable(f"no broker: {type(error).__name__}") from error

    @property
    def client(self) -> Client:
        """The connection itself, for publishing (`nats_client.store`) and the raw store."""
        if self._client is None:
            raise LogUnavailable("not connected")
        return self._client

    async def serve(self, stop: asyncio.Event) -> None:
        """Hand out messages until `stop`, then let the handlers under way end.

        Raises the Halt that a handler raised, LogUnavailable when the broker stays away.
        """
        for consumer in self._consumers:
            await self._declare(consumer)
        try:
            await self._broker.start()
        except (NatsError, TimeoutError) as error:
            raise LogUnavailable(f"the consumers do not start: {type(error).__name__}") from error
        watching = asyncio.create_task(self._watch())
        waits: list[asyncio.Task[Any]] = [watching]
        waits += [asyncio.create_task(event.wait()) for event in (stop, self._lost)]
        ends: list[asyncio.Future[Any]] = [self._failed, *waits]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
        if self._failed.done():
            self._failed.result()
        if watching.done() and not watching.cancelled():
            watching.result()
        if self._lost.is_set() and not stop.is_set():
            raise LogUnavailable("the broker stayed away")

    async def _watch(self) -> None:
        """Create a consumer again that the server has lost: pulling would never report that."""
        misses = 0
        while misses < LOG_REQUEST_ATTEMPTS:
            await asyncio.sleep(CONSUMER_CHECK_S)
            try:
                for consumer in self._consumers:
                    await self._check(consumer)
            except LogUnavailable:
                misses += 1
                continue
            misses = 0
        raise LogUnavailable("the broker does not answer")

    async def _check(self, consumer: Consumer) -> None:
        js = self.client.jetstream(timeout=LOG_REQUEST_TIMEOUT_S)
        try:
            await js.consumer_info(consumer.stream, consumer.durable)
        except NotFoundError:
            log.warning("consumer created again", durable=consumer.durable)
            await self._declare(consumer)
        except (NatsError, TimeoutError) as error:
            raise LogUnavailable(f"{consumer.durable}: {type(error).__name__}") from error

    async def _declare(self, consumer: Consumer) -> None:
        """Create the consumer, or bring one of an earlier version up to date."""
        js = self.client.jetstream(timeout=LOG_REQUEST_TIMEOUT_S)
        try:
            await js.add_consumer(consumer.stream, config=consumer.config())
        except (NatsError, TimeoutError) as error:
            raise LogUnavailable(f"{consumer.durable}: {error}") from error

    async def close(self) -> None:
        """Let the handlers under way end within their bound, then disconnect."""
        with contextlib.suppress(NatsError, TimeoutError):
            await self._broker.stop()


@contextlib.asynccontextmanager
async def bus(
    url: str, *, name: str, seed: str | None = None, inbox_prefix: str | None = None
) -> AsyncIterator[Bus]:
    """Give a connected Bus and close it at the end. Raises LogUnavailable."""
    it = Bus(url, name=name, seed=seed, inbox_prefix=inbox_prefix)
    try:
        await it.connect()
        yield it
    finally:
        await it.close()


def _delivery(message: Msg) -> Delivery:
    told = message.metadata
    return Delivery(told.sequence.stream, message.subject, message.data, told.num_delivered)


def _as_it_is(message: Any) -> Any:
    """Return the message itself: the project's own codecs decode payloads."""
    return message


async def _live(message: NatsMessage | NatsBatchMessage, every_s: float) -> None:
    """Tell the server every `every_s` that the message is being worked on."""
    while True:
        await asyncio.sleep(every_s)
        with contextlib.suppress(NatsError):
            await message.in_progress()
