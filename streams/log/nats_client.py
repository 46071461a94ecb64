"""A plain connection to nats-server: for all that is not the log.

Two stacks talk to nats-server. The log's own is `nats_wire`: it never reconnects, because
what had no ack must be looked for on the log. Everything else is a client of nats-py that
reconnects by itself: the one that `connect` makes (heartbeats, the status board, the
gateway's jobs, native logins), or the one that FastStream makes for a
`streams.ingest.jobs.services.Bus`. `store` publishes on either.

Heartbeats do not go through FastStream: every process has one, and FastStream would add
20 MB of memory and 0.2 s of start-up to each. A heartbeat also needs the opposite of what
a Bus does when the broker stays away: it goes on trying, while a Bus ends its process.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NoStreamResponseError

from schemas.errors import AppendFailed, AppendUnknown, LogUnavailable
from schemas.limits import APPEND_TIMEOUT_S, CONNECT_ATTEMPTS, CONNECT_PAUSE_S
from streams.log.publishing import WRONG_LAST_SEQUENCE

_MESSAGE_ID: Final = "Nats-Msg-Id"
_LAST_OF_SUBJECT: Final = "Nats-Expected-Last-Subject-Sequence"
_LIFE: Final = "Nats-TTL"


class _Connection(Client):
    """A client of nats-py that can be closed at any time.

    nats-py raises when it is closed with something unsent and no connection. What was unsent then
    is lost in any case, and who sent it learns so from the answer that does not come.
    """

    async def close(self) -> None:
        """End the connection, whether or not there is one at the moment."""
        with suppress(OSError):
            await super().close()


async def _ignore(_: Exception) -> None:
    """Drop an error of the connection: what is sent on it tells its sender by itself."""


async def connect(
    url: str,
    *,
    name: str,
    seed: str | None = None,
    inbox_prefix: str = "_INBOX",
    within_s: float = CONNECT_ATTEMPTS * CONNECT_PAUSE_S,
    reconnect_every_s: float = CONNECT_PAUSE_S,
    on_error: Callable[[Exception], Awaitable[None]] = _ignore,
) -> Client:
    """Return a connection that, once made, reconnects for ever.

    Raises LogUnavailable when no server lets us in `within_s`.
    """
    client = _Connection()
    try:
        # nats-py would try the first connection for ever, too, even with a wrong key.
        async with asyncio.timeout(within_s):
            await client.connect(
                url,
                name=name,
                nkeys_seed_str=seed,
                inbox_prefix=inbox_prefix,
                max_reconnect_attempts=-1,
                # typed as whole seconds, and only slept for
                reconnect_time_wait=reconnect_every_s,  # type: ignore[arg-type]
                error_cb=on_error,
            )
    except (NatsError, OSError, TimeoutError) as error:
        await client.close()
        reason = f"{name}: the broker cannot be reached: {error or 'timed out'}"
        raise LogUnavailable(reason) from error
    except BaseException:
        await client.close()
        raise
    return client


async def store(
    client: Client, stream: str, subject: str, payload: bytes, message_id: str = ""
) -> None:
    """Publish into `stream` and wait until the message is durable.

    The stream drops a `message_id` that it had lately. Raises LogUnavailable when nothing
    was sent or no stream answers, AppendFailed when the stream refused the message, and
    AppendUnknown when no answer came: the message may be there, and may be sent again.
    """
    headers = {_MESSAGE_ID: message_id} if message_id else None
    try:
        await _publish(client, stream, subject, payload, headers)
    except APIError as error:
        raise AppendFailed(f"{stream} refused {subject}: {error.description}") from error


async def create(client: Client, stream: str, subject: str, life_s: int) -> bool:
    """Put an empty message on `subject` for `life_s`; tell whether there was none.

    Raises as `store` does. After AppendUnknown it may be there.
    """
    headers = {_LAST_OF_SUBJECT: "0", _LIFE: f"{life_s}s"}
    try:
        await _publish(client, stream, subject, b"", headers)
    except APIError as error:
        if error.err_code == WRONG_LAST_SEQUENCE:
            return False
        raise AppendFailed(f"{stream} refused {subject}: {error.description}") from error
    return True


async def _publish(
    client: Client, stream: str, subject: str, payload: bytes, headers: dict[str, str] | None
) -> None:
    """Publish into `stream` as `store` does, but raise APIError when it refuses."""
    if not client.is_connected:
        raise LogUnavailable(f"{stream} cannot be reached; nothing was sent")
    try:
        await client.jetstream().publish(
            subject, payload, timeout=APPEND_TIMEOUT_S, stream=stream, headers=headers
        )
    except NoStreamResponseError as error:
        raise LogUnavailable(f"{stream} does not answer") from error
    except APIError:
        raise
    except (NatsError, TimeoutError, ConnectionError) as error:
        raise AppendUnknown(f"no answer from {stream}: {type(error).__name__}") from error
