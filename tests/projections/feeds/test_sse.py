"""The feed over HTTP, from a real server."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.security import HTTPAuthorizationCredentials

from projections.feeds import sse
from projections.feeds.ports import FeedLog
from projections.feeds.sse import FollowFeed, create_feed_router, follow_any
from schemas.errors import EverythingError, LogUnavailable, MalformedMessage, TooManyFeeds
from tests.projections.feeds.records import Scribe, opened, placed
from tests.projections.feeds.simulated_feed import SimulatedFeed, feed_server
from tests.projections.feeds.test_process import process, run_to_the_end
from tests.simulated.log import SimulatedServer
from tests.support.waiting import wait_until

DEPTH = "market.TEST.depth"


OVER: set[str] = set()
"""Accounts whose sessions have ended."""


async def account_of_token(credentials: HTTPAuthorizationCredentials | None) -> str:
    if credentials is None or credentials.credentials in OVER:
        raise MalformedMessage("a session token is needed")
    return credentials.credentials


class OneFeed:
    """Lets an account follow one feed at a time, and remembers how many channels it holds."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}

    def follow(self, account: str, channels: int) -> Callable[[], None]:
        if account in self.held:
            raise TooManyFeeds("one is enough")
        self.held[account] = channels
        return lambda: self.held.clear()


def make_app(feed: FeedLog, follow: FollowFeed = follow_any) -> FastAPI:
    app = FastAPI()

    async def typed(_: Request, error: Exception) -> Response:
        assert isinstance(error, EverythingError)
        return Response(
            json.dumps({"code": error.code}), 503 if isinstance(error, LogUnavailable) else 400
        )

    app.add_exception_handler(EverythingError, typed)
    app.include_router(create_feed_router(feed, account_of_token, follow))
    return app


@asynccontextmanager
async def serving(
    feed: SimulatedServer, follow: FollowFeed = follow_any
) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(SimulatedFeed(feed), follow)
    config = uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            yield client
    finally:
        server.should_exit = True
        await task


async def lines(response: httpx.Response, count: int) -> list[str]:
    """Return the first `count` lines that are not empty."""
    found: list[str] = []
    async for line in response.aiter_lines():
        if line:
            found.append(line)
        if len(found) == count:
            return found
    return found


async def a_feed() -> tuple[SimulatedServer, Scribe, SimulatedServer]:
    log, feed = SimulatedServer(), feed_server()
    scribe = Scribe(log)
    scribe.write(opened("ann"))
    scribe.write(placed(100, "ann", "buy", 5000, 3))
    scribe.write(placed(101, "ann", "buy", 5000, 4))
    await run_to_the_end(log, feed)
    return log, scribe, feed


async def test_what_stands_and_what_comes_are_events_with_ids() -> None:
    log, scribe, feed = await a_feed()
    live = asyncio.create_task(process(log, feed, "live").run())
    async with (
        serving(feed) as client,
        client.stream("GET", "/feed", params={"channel": DEPTH}) as response,
    ):
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        stream = response.aiter_lines()
        seen: list[str] = []
        async for line in stream:
            seen.append(line)
            if len(seen) == 9:
                scribe.write(placed(102, "ann", "sell", 6000, 5))
            if len(seen) == 11:
                break
    live.cancel()
    assert seen[:3] == [f": following {DEPTH}", "retry: 2000", ""]
    assert [line for line in seen if line.startswith("id:")] == ["id: 1", "id: 2", "id: 3"]
    payload = json.loads(seen[-1].removeprefix("data: "))
    assert (payload["sequence_number"], payload["payload"]["asks"]) == (3, [["60.00", 5]])


@pytest.mark.parametrize(
    ("params", "headers"),
    [({"channel": DEPTH, "since": "1"}, {}), ({"channel": DEPTH}, {"Last-Event-ID": "1"})],
)
async def test_a_client_goes_on_behind_its_last_event(
    params: dict[str, str], headers: dict[str, str]
) -> None:
    _, _, feed = await a_feed()
    async with (
        serving(feed) as client,
        client.stream("GET", "/feed", params=params, headers=headers) as response,
    ):
        assert (await lines(response, 3))[-1] == "id: 2"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("channel=nonsense", "unknown_channel"),
        ("channel=market.lower.top", "unknown_channel"),
        ("channel=market.TEST.>", "unknown_channel"),
        ("channel=progress", "unknown_channel"),
        ("channel=account.ann.orders", "malformed"),
        (f"channel={DEPTH}&since=-1", "malformed"),
        (f"channel={DEPTH}&since=1.2", "malformed"),
        (f"channel={DEPTH}&since=99", "malformed"),
    ],
)
async def test_bad_requests_get_typed_errors(query: str, code: str) -> None:
    _, _, feed = await a_feed()
    async with serving(feed) as client:
        response = await client.get(f"/feed?{query}")
        assert (response.status_code, response.json()) == (400, {"code": code})


async def test_a_private_channel_is_for_its_account_alone() -> None:
    _, _, feed = await a_feed()
    params = {"channel": ["account.ann.orders", DEPTH]}
    async with serving(feed) as client:
        mine = {"Authorization": "Bearer ann"}
        async with client.stream("GET", "/feed", params=params, headers=mine) as response:
            assert (await lines(response, 4))[2] == "id: 3.0"
        other = {"Authorization": "Bearer bob"}
        refused = await client.get("/feed", params=params, headers=other)
        assert refused.json() == {"code": "unknown_channel"}


async def test_a_private_feed_ends_with_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_POLL_S", 0.05)
    _, _, feed = await a_feed()
    mine = {"Authorization": "Bearer ann"}
    private, public = {"channel": "account.ann.orders"}, {"channel": DEPTH}
    async with (
        serving(feed) as client,
        client.stream("GET", "/feed", params=private, headers=mine) as response,
        client.stream("GET", "/feed", params=public, headers=mine) as open_to_all,
    ):
        stream = response.aiter_lines()
        assert await anext(stream) == ": following account.ann.orders"
        monkeypatch.setattr("tests.projections.feeds.test_sse.OVER", {"ann"})
        rest = [line async for line in stream if line]
        assert rest[-2] == "event: error"
        assert json.loads(rest[-1].removeprefix("data: "))["code"] == "malformed"
        assert (await lines(open_to_all, 3))[-1] == "id: 1"


async def test_a_quiet_channel_has_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "FEED_HEARTBEAT_S", 0.1)
    monkeypatch.setattr(sse, "_POLL_S", 0.05)
    _, _, feed = await a_feed()
    async with (
        serving(feed) as client,
        client.stream("GET", "/feed", params={"channel": "public.audit"}) as response,
    ):
        assert (await lines(response, 3))[-1] == ": heartbeat"


async def test_a_reader_that_cannot_go_on_is_told_why() -> None:
    _, _, feed = await a_feed()
    async with (
        serving(feed) as client,
        client.stream("GET", "/feed", params={"channel": "public.audit"}) as response,
    ):
        stream = response.aiter_lines()
        assert await anext(stream) == ": following public.audit"
        feed.truncate(0)
        feed.store([("feed.main.public.audit", b"{}")])
        rest = [line async for line in stream if line][1:]
    assert rest[0] == "event: error"
    assert json.loads(rest[1].removeprefix("data: "))["code"] == "log_diverged"


async def test_readers_are_bounded_and_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_FEED_READERS", 1)
    monkeypatch.setattr(sse, "_POLL_S", 0.05)
    _, _, feed = await a_feed()
    async with serving(feed) as client:
        for _ in range(3):
            async with client.stream("GET", "/feed", params={"channel": DEPTH}) as response:
                await lines(response, 2)
                refused = await client.get("/feed", params={"channel": DEPTH})
                assert refused.status_code == 503
            async with asyncio.timeout(10):
                while True:
                    async with client.stream("GET", "/feed", params={"channel": DEPTH}) as again:
                        if again.status_code == 200:
                            break


async def test_an_accounts_feeds_are_counted_and_given_back() -> None:
    feed, one = feed_server(), OneFeed()
    private = {"channel": ["account.ann.orders", DEPTH]}
    headers = {"Authorization": "Bearer ann"}
    async with serving(feed, one.follow) as client:
        async with client.stream("GET", "/feed", params=private, headers=headers) as response:
            assert response.status_code == 200
            assert one.held == {"ann": 2}
            refused = await client.get("/feed", params=private, headers=headers)
            assert refused.json() == {"code": "feed_quota"}
            async with client.stream("GET", "/feed", params={"channel": DEPTH}) as public:
                assert public.status_code == 200
            assert one.held == {"ann": 2}
        await wait_until(lambda: not one.held, what="the feed is given back")
        missing = {"channel": "account.bob.orders"}
        assert (await client.get("/feed", params=missing, headers=headers)).status_code == 400
        assert one.held == {}
