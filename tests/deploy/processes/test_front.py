"""The front as a process: it says how it is, lets strangers in, and ends when told to."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

from deploy.processes import front
from deploy.venue.paths import VenuePaths
from deploy.venue.settings import BadSettings, Settings
from schemas.errors import InputError
from streams.broker.roles import inbox
from tests.streams.broker.venue import BrokerVenue, command
from tests.support.ports import free_port
from tests.support.waiting import wait_until


def test_the_front_process_lets_strangers_in_and_says_how_many(tmp_path: Path) -> None:
    """On the loop that processes run on: its transports are not asyncio's."""
    uvloop.run(let_in(tmp_path))


async def let_in(tmp_path: Path) -> None:
    venue, port, stop = BrokerVenue(tmp_path / "broker"), free_port(), asyncio.Event()
    paths = VenuePaths(
        Settings(home=tmp_path, nats_front=f"127.0.0.1:{port}", nats_url=venue.server.url)
    )
    paths.home.service_keys.parent.mkdir(parents=True)
    paths.home.service_keys.symlink_to(venue.keyring.folder)
    heard: list[dict[str, object]] = []

    async def listen(message: Msg) -> None:
        heard.append(json.loads(message.data))

    try:
        await venue.start()
        running = asyncio.create_task(front.run(paths, stop))
        async with venue.desk(), venue.service("gateway") as gateway:
            await gateway.client.subscribe("status.main.front", cb=listen)
            await wait_until(lambda: heard, running)
            client = Client()
            await client.connect(
                f"nats://127.0.0.1:{port}",
                nkeys_seed_str=venue.trader("alice").seed,
                inbox_prefix=inbox("alice"),
            )
            answer = await client.request("main.cmd.order.alice", command(), timeout=10)
            assert json.loads(answer.data)["stream"] == "LOG_main"
            await wait_until(lambda: heard[-1]["connections"] == 1, running)
            await client.close()
            stop.set()
            await asyncio.wait_for(running, 10)
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)
    finally:
        stop.set()
        with suppress(Exception):
            await running
        await venue.server.kill9()


async def test_without_an_address_there_is_no_front(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="EVERYTHING_NATS_FRONT is not set"):
        await front.run(VenuePaths(Settings(home=tmp_path)), asyncio.Event())


@pytest.mark.parametrize("address", ["4223", "0.0.0.0", "host:", ":4223", "host:0", "host:65536"])
def test_an_address_has_a_host_and_a_port(address: str) -> None:
    with pytest.raises(BadSettings, match="EVERYTHING_NATS_FRONT"):
        Settings(nats_front=address)
