"""Stay logged in over NATS for as long as you like, without a moment outside.

Needs only nats-py and the account's key file. Usage:

    python examples/native_session.py ACCOUNT [--home FOLDER] [--server URL] [--every SECONDS]

The venue ends a login after 12 hours. It closes the connection an hour before, and nats-py logs in
again by itself; what was on its way then has to be sent again. This class does it before the venue
has to: it connects a second time, subscribes there, and closes the first connection once that has
drained. A message that both connections bring is handed on once.
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

RENEW_EVERY_S = 10 * 3_600
WAIT_S = 10

Handler = Callable[[str, dict[str, Any]], Awaitable[None]]


class NativeSession:
    """A login for one purpose, `orders` or `feeds`, that is renewed before it ends."""

    def __init__(self, account: str, seed: str, server: str, purpose: str) -> None:
        self._account = account
        self._seed = seed
        self._server = server
        self._purpose = purpose
        self._handlers: dict[str, Handler] = {}
        self._numbers: dict[str, int] = {}
        self._asking: set[asyncio.Future[Msg]] = set()
        self._heard_by: Client
        self._held: list[tuple[str, dict[str, Any]]] = []

    async def open(self, renew_every_s: float = RENEW_EVERY_S) -> None:
        """Log in. Raises what nats-py raises."""
        self._client = self._heard_by = await self._connect()
        self._renewing = asyncio.create_task(self._renew_for_ever(renew_every_s))

    async def request(self, subject: str, command: dict[str, Any]) -> dict[str, Any]:
        """Send a command and return the answer: its place on the log, or an error."""
        asked = self._client.request(subject, json.dumps(command).encode(), timeout=WAIT_S)
        asking = asyncio.ensure_future(asked)
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        return dict(json.loads((await asking).data))

    async def subscribe(self, channel: str, handler: Handler) -> None:
        """Hand each message of a feed channel on, once and in order."""
        self._handlers[channel] = handler
        await self._listen(self._client, channel)
        await _heard(self._client)

    async def close(self) -> None:
        """Log out."""
        self._renewing.cancel()
        await self._client.close()

    async def _connect(self) -> Client:
        return await nats.connect(
            self._server,
            name=self._purpose,
            nkeys_seed_str=self._seed,
            inbox_prefix=f"_INBOX_{self._account}".encode(),
        )

    async def _renew_for_ever(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            await self._renew()

    async def _renew(self) -> None:
        fresh = await self._connect()
        for channel in self._handlers:
            await self._listen(fresh, channel)
        await _heard(fresh)
        old, self._client = self._client, fresh
        # what the old one was asked is answered there, and what it brought is handed on
        await asyncio.gather(*self._asking, return_exceptions=True)
        await old.drain()
        self._heard_by = fresh
        held, self._held = self._held, []
        for channel, envelope in held:
            await self._hand_on(channel, envelope)

    async def _listen(self, client: Client, channel: str) -> None:
        async def heard(message: Msg) -> None:
            envelope = json.loads(message.data)
            if client is self._heard_by and not self._held:
                await self._hand_on(channel, envelope)
            else:  # the connection before this one may still bring what comes first
                self._held.append((channel, envelope))

        await client.subscribe(f"feed.main.{channel}", cb=heard)

    async def _hand_on(self, channel: str, envelope: dict[str, Any]) -> None:
        number = envelope["sequence_number"]
        if number > self._numbers.get(channel, 0):
            self._numbers[channel] = number
            await self._handlers[channel](channel, envelope)


async def _heard(client: Client) -> None:
    """Wait until the server has all subscriptions: the first ping of nats-py may overtake one."""
    await client.flush()
    await client.flush()


async def main(account: str, seed: str, server: str, every_s: float) -> None:
    """Place and cancel nothing: ask to cancel all orders now and then, and print what is heard."""
    orders, feeds = (NativeSession(account, seed, server, what) for what in ("orders", "feeds"))
    await orders.open(every_s)
    await feeds.open(every_s)

    async def heard(channel: str, envelope: dict[str, Any]) -> None:
        print(f"{channel} {envelope['sequence_number']}", flush=True)

    await feeds.subscribe(f"account.{account}.orders", heard)
    try:
        while True:
            command = {
                "type": "cancel_all/1",
                "client_id": os.urandom(8).hex(),
                "client_time_ns": time.time_ns(),
            }
            print(await orders.request(f"main.cmd.order.{account}", command), flush=True)
            await asyncio.sleep(every_s / 10)
    finally:
        await orders.close()
        await feeds.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("account")
    parser.add_argument("--home", type=Path, default=Path("data"), help="the venue's folder")
    parser.add_argument("--server", default=os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    parser.add_argument("--every", type=float, default=RENEW_EVERY_S, help="seconds")
    given = parser.parse_args()
    key = (given.home / "keys" / "accounts" / f"{given.account}.nk").read_text().strip()
    asyncio.run(main(given.account, key, given.server, given.every))
