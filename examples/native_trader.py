"""Trade straight over NATS: one order, three in one command, and what became of them.

Needs only nats-py and the account's key file. Usage:

    python examples/native_trader.py ACCOUNT SYMBOL PRICE_TICKS [--home FOLDER] [--server URL]

The answer to a command is its place on the log, or why it is not there; the outcome comes
on the account's own feed channel.
"""

import argparse
import asyncio
import json
import os
import time
from pathlib import Path

import nats
from nats.aio.client import Client

WAIT_S = 10


def order(symbol: str, side: str, quantity: int, price_ticks: int) -> dict[str, object]:
    """Return the fields of one order, under an id that no other order of the account has."""
    return {
        "client_order_id": os.urandom(8).hex(),
        "symbol": symbol,
        "side": side,
        "quantity_lots": quantity,
        "price_ticks": price_ticks,
    }


async def ask(trader: Client, subject: str, command: dict[str, object]) -> int:
    """Send a command, of which no time must be older than a moment, and return its sequence."""
    dated = {**command, "client_time_ns": time.time_ns()}
    answer = await trader.request(subject, json.dumps(dated).encode(), timeout=WAIT_S)
    told = json.loads(answer.data)
    if "error" in told:
        raise SystemExit(told["error"]["description"])
    return int(told["seq"])


async def main(account: str, symbol: str, price_ticks: int, seed: str, server: str) -> None:
    """Send four buy orders and print what the feed says of each."""
    login = {"nkeys_seed_str": seed, "inbox_prefix": f"_INBOX_{account}".encode()}
    # Orders and feeds are separate sessions; the connection's name says which one this is.
    trader = await nats.connect(server, name="orders", **login)
    listener = await nats.connect(server, name="feeds", **login)
    try:
        feed = await listener.subscribe(f"feed.main.account.{account}.orders")
        await listener.flush()
        await listener.flush()  # nats-py's first ping may overtake the subscription
        subject = f"main.cmd.order.{account}"

        one = {"type": "place_order/1", **order(symbol, "buy", 1, price_ticks)}
        sequence = await ask(trader, subject, one)
        print(f"one order: message {sequence}, so order id {sequence * 100}")

        three = [order(symbol, "buy", 1, price_ticks) for _ in range(3)]
        sequence = await ask(trader, subject, {"type": "place_orders/1", "orders": three})
        print(f"three more: message {sequence}, so order id {sequence * 100} and on")

        told = 0
        while told < 4:
            envelope = json.loads((await feed.next_msg(timeout=WAIT_S)).data)
            for event in envelope["payload"]["events"]:
                if event["type"] in ("placed", "rejected"):
                    told += 1
                    facts = ("order_id", "filled", "resting", "code")
                    print(event["type"], *(f"{key} {event[key]}" for key in facts if key in event))
    finally:
        await trader.close()
        await listener.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("account")
    parser.add_argument("symbol")
    parser.add_argument("price_ticks", type=int, help="6250 is 62.50")
    parser.add_argument("--home", type=Path, default=Path("data"), help="the venue's folder")
    parser.add_argument("--server", default=os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    given = parser.parse_args()
    key = (given.home / "keys" / "accounts" / f"{given.account}.nk").read_text().strip()
    asyncio.run(main(given.account, given.symbol, given.price_ticks, key, given.server))
