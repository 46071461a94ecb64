"""The example that stays logged in: no order and no message is lost when it renews."""

import asyncio
import importlib.util
import json
from typing import Any

from tests.house.source import ROOT
from tests.streams.broker.venue import BrokerVenue, command
from tests.support.waiting import wait_until

CHANNEL = "account.alice.orders"
MESSAGES = 150
EVERY = 30


def _example() -> Any:
    spec = importlib.util.spec_from_file_location(
        "native_session", ROOT / "examples" / "native_session.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_it_renews_without_a_gap(venue: BrokerVenue) -> None:
    seed, heard = venue.trader("alice").seed, list[int]()
    orders, feeds = (
        _example().NativeSession("alice", seed, venue.server.url, what)
        for what in ("orders", "feeds")
    )
    clients = set()

    async def listen(_channel: str, envelope: dict[str, Any]) -> None:
        heard.append(envelope["sequence_number"])

    await asyncio.gather(orders.open(), feeds.open())
    await feeds.subscribe(CHANNEL, listen)
    before, renewing = await venue.end(), list[asyncio.Task[None]]()
    async with venue.service("feeds") as publisher:
        for number in range(1, MESSAGES + 1):
            if number % EVERY == 1:
                await asyncio.gather(*renewing)
                clients |= {orders._client, feeds._client}
                renewing = [asyncio.create_task(one._renew()) for one in (orders, feeds)]
            message = json.dumps({"sequence_number": number}).encode()
            await publisher.ask(f"feed.main.{CHANNEL}", message)
            asked = json.loads(command(f"n{number}"))
            assert "seq" in await orders.request("main.cmd.order.alice", asked)
    await asyncio.gather(*renewing)
    await wait_until(lambda: heard and heard[-1] == MESSAGES)
    await asyncio.gather(orders.close(), feeds.close())
    assert heard == [*range(1, MESSAGES + 1)]
    assert await venue.end() == before + MESSAGES
    assert len(clients) == 2 * MESSAGES // EVERY
