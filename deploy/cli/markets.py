"""Markets: which there are, their prices, books and trades, now or live."""

from typing import Annotated

import typer

from deploy.cli.client import Client
from deploy.cli.output import document, rows, say
from deploy.cli.parameters import At, Json, Limit, Symbol
from deploy.cli.watching import describe


def markets(at: At = None, as_json: Json = False) -> None:
    """List the markets that people have signed."""
    columns = {"symbol": "symbol", "type": "type", "status": "status", "name": "name"}
    empty = "no markets yet: `everything admin list-market --help`"
    rows(Client().get("/markets", at=at)["markets"], columns, empty=empty, as_json=as_json)


def book(
    symbol: Symbol,
    depth: Annotated[int, typer.Option(min=1, max=500)] = 10,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Show a market's prices and the best levels of its book."""
    client = Client()
    snapshot = client.get(f"/market/{symbol}/snapshot", depth=depth, at=at)
    if as_json:
        document(snapshot)
        return
    say(f"{symbol} at message {snapshot['last_sequence']}")
    for level in reversed(snapshot["asks"]):
        say(f"  {'':>12}  {level['price']:>7}  {level['quantity']:>12}")
    say(f"  {'-' * 12}  {'-' * 7}  {'-' * 12}")
    for level in snapshot["bids"]:
        say(f"  {level['quantity']:>12}  {level['price']:>7}")


def trades(symbol: Symbol, limit: Limit = 20, at: At = None, as_json: Json = False) -> None:
    """List a market's trades, the newest first."""
    answer = Client().get(f"/market/{symbol}/trades", limit=limit, at=at)
    columns = {"trade_id": "trade", "price": "price", "quantity": "quantity", "taker_side": "taker"}
    rows(answer["trades"], columns, empty="no trades yet", as_json=as_json)


def watch(
    symbol: Symbol,
    as_json: Json = False,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many.")] = None,
) -> None:
    """Follow a market live: trades, best prices, MarketPrice, FinalPrice and RealityScore."""
    channels = [f"market.{symbol}.{kind}" for kind in ("trades", "top", "price", "reality")]
    for shown, envelope in enumerate(Client().stream(channels), 1):
        if as_json:
            document(envelope)
        else:
            for line in describe(envelope):
                say(line)
        if shown == count:
            return
