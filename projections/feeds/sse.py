"""The feed over HTTP: channels as Server-Sent Events.

Each event's `id` is the number of the last message of each channel, in the order the
channels were asked for, joined by dots; with one channel it is simply the message's
`sequence_number`. A client that comes back with it, as `Last-Event-ID` or `?since=`, goes
on without a gap. A stream that cannot go on ends with an `error` event that says why.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from projections.feeds.channels import owner
from projections.feeds.ports import FeedLog
from projections.feeds.reader import ChannelReader, open_channels
from projections.http import AccountByToken, Credentials, bound
from projections.limits import FEED_HEARTBEAT_S, FEED_SEND_S, MAX_FEED_CHANNELS, MAX_FEED_READERS
from schemas.codec import encode
from schemas.errors import (
    EverythingError,
    LogUnavailable,
    MalformedMessage,
    UnknownChannel,
)

_POLL_S: Final = 1.0
_RETRY_MS: Final = 2_000
_MAX_POSITION_CHARS: Final = 400
_EXAMPLE: Final = (
    'id: 7\ndata: {"channel":"market.TEST.trades","sequence_number":7,"event_id":"812-3",'
    '"log_sequence":812,"ts":"2027-01-15T08:00:03.000000Z","source_of_truth":"LOG_main",'
    '"producer":"exchange/1","kind":"trades","payload":{"trades":[{"trade_id":31,'
    '"price":"62.50","quantity":4,"taker_side":"buy"}]}}\n\n'
)

_logger = structlog.get_logger(__name__)


class Readers:
    """Counts the connections that follow a feed, at most MAX_FEED_READERS."""

    def __init__(self) -> None:
        self.count = 0

    def enter(self) -> None:
        """Count one more. Raises LogUnavailable when there are too many."""
        if self.count >= MAX_FEED_READERS:
            raise LogUnavailable("too many feed readers")
        self.count += 1

    def leave(self) -> None:
        self.count -= 1


FollowFeed = Callable[[str, int], Callable[[], None]]
"""Counts so many channels for an account and returns what gives them back.

Raises TooManyFeeds when they are more than it may follow.
"""


def follow_any(_: str, __: int) -> Callable[[], None]:
    """Count nothing: for a venue without quotas."""
    return lambda: None


CheckSession = Callable[[], Awaitable[object]]
"""Raises a typed error once the session with which a feed was opened is over."""


async def _needs_no_session() -> None:
    """Return at once, for channels that anyone may follow."""


class EventStream(Response):
    """Sends what a reader of channels gets until the client goes or must go.

    It must go when `check_session` raises: who no longer is an account hears nothing of it.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        reader: ChannelReader,
        channels: list[str],
        leave: Callable[[], None],
        check_session: CheckSession,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._reader = reader
        self._channels = channels
        self._leave = leave
        self._check_session = check_session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_until_gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._run(send, gone)
        except (OSError, TimeoutError):
            _logger.info("feed reader left", channels=self._channels)
        finally:
            gone.cancel()
            self._leave()
            await self._reader.close()

    async def _run(self, send: Send, gone: "asyncio.Task[None]") -> None:
        following = ", ".join(self._channels)
        await _write(send, f": following {following}\nretry: {_RETRY_MS}\n\n".encode())
        clock = asyncio.get_running_loop().time
        spoke = clock()
        try:
            while not gone.done():
                events = await self._reader.next(_POLL_S)
                if events:
                    await _write(send, b"".join([_event(*event) for event in events]))
                    spoke = clock()
                elif clock() - spoke >= FEED_HEARTBEAT_S:
                    await _write(send, b": heartbeat\n\n")
                    spoke = clock()
                await self._check_session()
        except EverythingError as error:
            reported = encode({"code": error.code, "message": str(error)})
            await _write(send, b"event: error\ndata: %b\n\n" % reported)
        if not gone.done():
            end: Message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(end)


def _event(position: str, envelope: bytes) -> bytes:
    return b"id: %b\ndata: %b\n\n" % (position.encode(), envelope)


async def _write(send: Send, data: bytes) -> None:
    async with asyncio.timeout(FEED_SEND_S):
        await send({"type": "http.response.body", "body": data, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@dataclass(frozen=True)
class FeedContext:
    """The services of one app's feed route. `readers` counts all of its connections.

    `follow` counts those that an account's private channels are followed on.
    """

    feed: FeedLog
    account_of: AccountByToken
    readers: Readers
    follow: FollowFeed = follow_any

    def enter(self, account: str | None, channels: int) -> Callable[[], None]:
        """Count one more connection and return what is to be called at its end.

        Raises LogUnavailable or TooManyFeeds.
        """
        self.readers.enter()
        if account is None:
            return self.readers.leave
        try:
            leave = self.follow(account, channels)
        except BaseException:
            self.readers.leave()
            raise

        def leave_both() -> None:
            leave()
            self.readers.leave()

        return leave_both


async def _context_of(request: Request) -> FeedContext:
    context: FeedContext = request.state.feeds
    return context


router: Final = APIRouter(tags=["feed"])


@router.get(
    "/feed",
    response_class=Response,
    responses={
        200: {
            "description": "Server-Sent Events, one envelope (EM-118) each",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        },
        401: {"description": "a private channel needs a session"},
        404: {"description": "no such channel, or not yours"},
        422: {"description": "too far behind: take a snapshot and come back without `since`"},
        429: {"description": "this account follows as many feeds or channels as it may"},
        503: {"description": "too many readers, or the FEED cannot be reached"},
    },
)
async def follow(
    context: Annotated[FeedContext, Depends(_context_of)],
    channel: Annotated[list[str], Query(min_length=1, max_length=MAX_FEED_CHANNELS)],
    credentials: Credentials,
    since: Annotated[str | None, Query(max_length=_MAX_POSITION_CHARS)] = None,
    last_event_id: Annotated[str | None, Header(max_length=_MAX_POSITION_CHARS)] = None,
) -> Response:
    """Follow channels live: first how things stand, then every change.

    With `since` (or `Last-Event-ID`) go on behind that event instead.
    """
    channels = list(dict.fromkeys(channel))
    owners = {account for account in map(owner, channels) if account is not None}
    account = await context.account_of(credentials) if owners else None
    if owners and owners != {account}:
        raise UnknownChannel("this private channel is not yours")
    position = last_event_id or since
    numbers = None if position is None else _numbers(position, len(channels))
    leave = context.enter(account, len(channels))
    try:
        reader = await open_channels(context.feed, channels, numbers)
    except BaseException:
        leave()
        raise
    check_session = partial(context.account_of, credentials) if owners else _needs_no_session
    return EventStream(reader, channels, leave, check_session)


def create_feed_router(
    feed: FeedLog, account_of: AccountByToken, follow: FollowFeed = follow_any
) -> APIRouter:
    """Return the route `GET /feed`, which reads `feed`.

    `account_of` and `follow` are asked only when someone wants a private channel.
    """
    return bound(router, feeds=FeedContext(feed, account_of, Readers(), follow))


def _numbers(position: str, count: int) -> list[int]:
    """Read a position such as `17` or `17.4`: one number for each channel."""
    parts = position.split(".")
    if len(parts) != count or not all(part.isascii() and part.isdigit() for part in parts):
        raise MalformedMessage(f"since must be {count} numbers joined by dots")
    return [int(part) for part in parts]
