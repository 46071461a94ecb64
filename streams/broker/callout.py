"""The auth responder: answers nats-server's auth callout on a connection of its own.

Several may run, in as many gateways: they share the questions. While none runs no trader
can log in; those who are in stay in, and the venue's own processes need no desk.

A client that has proved to be an account is let in if the account has a connection left. The
server that asks is asked back how many it has: only who holds a key can cause that. One
question is answered after the other on one connection, so the server has let the one in
before it counts for the next. Two desks that answer for one account at the same moment may
each give away its last connection; the bound is one server's.

A login ends after LOGIN_LIFE_S, and the server then says so in a way that makes a stock client
give up for ever. So the desk ends the connection some time before, without a word, which is what
clients reconnect after. It asks the server whose connections are old and remembers nothing.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from schemas.codec import encode
from schemas.errors import EverythingError, LogUnavailable
from streams.broker import limits, roles
from streams.broker.logins import Claimant, Logins
from streams.log import nats_client, nats_requests

_QUEUE: Final = "door"
_RECONNECT_EVERY_S: Final = 0.1
"""Short: who asks while the desk is away is kept waiting for LOGIN_TIMEOUT_S, and then denied."""
_MOST_SEATS: Final = 1_024
"""Connections of one account that the server is asked to count: more than any may have."""
_STRANGERS: Final = (roles.TRADERS, roles.READERS)
_ANY_SERVER: Final = "PING"
_log = structlog.get_logger(__name__)


class _Connected(msgspec.Struct):
    cid: int
    start: datetime


class _Connections(msgspec.Struct):
    num_connections: int
    connections: list[_Connected] = []


class _ServerId(msgspec.Struct):
    id: str


class _Census(msgspec.Struct):
    """What the server says of the connections that it was asked for."""

    server: _ServerId
    data: _Connections


_decode_census = msgspec.json.Decoder(_Census).decode


class Callout:
    """Answers logins until closed; reconnects for as long as it takes."""

    def __init__(self, connection: Client, logins: Logins) -> None:
        self._connection = connection
        self._logins = logins
        self._renewing: asyncio.Task[None] | None = None

    def begin_renewing(self) -> None:
        """End old logins from now on, so that their clients log in again."""
        self._renewing = asyncio.create_task(self._renew_for_ever())

    async def close(self) -> None:
        """Stop answering. Questions not answered end in the server's own timeout."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        await self._connection.close()

    async def _on_question(self, message: Msg) -> None:
        try:
            answer = await self._answer(message.data)
            if answer is None:
                _log.warning("a login question without an answer", bytes=len(message.data))
            else:
                await self._connection.publish(message.reply, answer)
        except Exception:  # a lookup that fails must cost one login, not all
            _log.exception("a login could not be judged")

    async def _answer(self, question: bytes) -> bytes | None:
        login = self._logins.judge(question, time.time())
        if not isinstance(login, Claimant):
            return login
        held = {account: await self._held(login, account) for account in _STRANGERS}
        return self._logins.seat(login, held, time.time())

    async def _held(self, login: Claimant, account: str) -> int:
        """Ask the server of `login` how many connections who logs in has in one NATS account.

        Without the account's name it would count clients that only say that name and wait.
        """
        question = {"acc": account, "user": login.account, "limit": _MOST_SEATS}
        return (await self._census(login.server, question)).data.num_connections

    async def _census(self, server: str, question: dict[str, Any]) -> _Census:
        subject = roles.CENSUS_SUBJECT.replace("*", server)
        asked, within_s = encode(question), limits.CENSUS_WITHIN_S
        return _decode_census(await nats_requests.ask(self._connection, subject, asked, within_s))

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(limits.RENEW_LOOK_S)
            for account in _STRANGERS:
                try:
                    await self._renew(account)
                except (EverythingError, NatsError, OSError) as error:
                    _log.warning("old logins are not renewed", error=repr(error))

    async def _renew(self, account: str) -> None:
        """Have the server end the connections whose logins are old, the oldest first."""
        question = {"acc": account, "sort": "start", "limit": limits.RENEWALS_AT_ONCE}
        told = await self._census(_ANY_SERVER, question)
        old = datetime.fromtimestamp(time.time() - limits.RENEW_AFTER_S, UTC)
        for one in told.data.connections:
            if one.start > old:
                return
            subject = roles.KICK_SUBJECT.replace("*", told.server.id)
            # without an answer to give the server does nothing
            kick, within_s = encode({"cid": one.cid}), limits.CENSUS_WITHIN_S
            await nats_requests.ask(self._connection, subject, kick, within_s)


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
    callout.begin_renewing()
    return callout


async def _on_error(error: Exception) -> None:
    _log.warning("auth responder", error=str(error))
