"""Connections of nats-py: closing one is never an error."""

from pathlib import Path

from streams.log import nats_client
from tests.support.nats import nats_server
from tests.support.waiting import wait_until


async def test_a_client_is_closed_with_something_unsent_and_no_server(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as server:
        client = await nats_client.connect(server.url, name="asker", reconnect_every_s=0.05)
        await server.kill9()
        await wait_until(lambda: not client.is_connected)
        await client.publish("nobody", b"unsent")
        await client.close()
        assert client.is_closed
