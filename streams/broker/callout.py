"""The auth responder: answers nats-server's auth callout on a connection of its own.

Several may run, in as many gateways: they share the questions. While none runs no trader
can log in; those who are in stay in, and the venue's own processes need no desk.
"""

import asyncio
import time
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from schemas.errors import LogUnavailable
from streams.broker import limits, roles
from streams.broker.logins import Logins
from streams.log import nats_client

_QUEUE: Final = "door"
_RECONNECT_EVERY_S: Final = 0.1
"""Short: who asks while the desk is away is kept waiting for LOGIN_TIMEOUT_S, and then denied."""
_log = structlog.get_logger(__name__)


class Callout:
    """Answers logins until closed; reconnects for as long as it takes."""

    def __init__(self, connection: Client, logins: Logins) -> None:
        self._connection = connection
        self._logins = logins

    async def close(self) -> None:
        """Stop answering. Questions not answered end in the server's own timeout."""
        await self._connection.close()

    async def _on_question(self, message: Msg) -> None:
        try:
            answer = self._logins.answer(message.data, time.time())
            if answer is None:
                _log.warning("a login question that no server asked", bytes=len(message.data))
            else:
                await self._connection.publish(message.reply, answer)
        except Exception:  # a lookup that fails must cost one login, not all
            _log.exception("a login could not be judged")


async def start(url: str, seed: str, logins: Logins) -> Callout:
    """Connect with the auth responder's seed and begin to answer.

    Raises LogUnavailable when the server cannot be reached or does not know the key.
    """
    connection = await nats_client.connect(
        url,
        name="door",
        seed=seed,
        inbox_prefix=roles.door().inbox,
        within_s=limits.LOGIN_TIMEOUT_S,
        reconnect_every_s=_RECONNECT_EVERY_S,
        on_error=_on_error,
    )
    callout = Callout(connection, logins)
    try:
        async with asyncio.timeout(limits.LOGIN_TIMEOUT_S):
            await connection.subscribe(
                roles.CALLOUT_SUBJECT,
                queue=_QUEUE,
                cb=callout._on_question,
                pending_msgs_limit=limits.MAX_LOGINS_WAITING,
            )
            await connection.flush(limits.LOGIN_TIMEOUT_S)
    except (NatsError, OSError, TimeoutError) as error:
        await connection.close()
        raise LogUnavailable(f"the auth responder cannot reach the broker: {error}") from error
    return callout


async def _on_error(error: Exception) -> None:
    _log.warning("auth responder", error=str(error))
