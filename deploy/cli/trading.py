"""Accounts, orders, books: what a trader types."""

import uuid
from typing import Annotated, Any

import typer

from deploy.cli.client import Client
from deploy.cli.output import At, Json, document, rows, say
from deploy.cli.watching import describe
from schemas.commands import Side, TimeInForce

app = typer.Typer()
account_app = typer.Typer(no_args_is_help=True, help="Open accounts and look at them.")

Account = Annotated[str, typer.Argument(help="An account whose key is in the key folder.")]
Symbol = Annotated[str, typer.Argument(help="The market, such as RAIN-2027.")]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="Rows at most.")]


@account_app.command("new")
def account_new(name: str, as_json: Json = False) -> None:
    """Make a key on this machine and open an account that it controls."""
    client = Client()
    answer = client.open_account(name)
    if as_json:
        document(answer)
    else:
        say(f"account {name} is open; its key is in {client.home.keys / 'accounts'}")


@account_app.command("show")
def account_show(name: Account, at: At = None, as_json: Json = False) -> None:
    """Show an account's money."""
    answer = Client().get("/account", account=name, at=at)
    if as_json:
        document(answer)
    else:
        say(f"{name}: cash {answer['cash']}, reserved for orders {answer['reserved']}")


@account_app.command("token")
def account_token(name: Account, as_json: Json = False) -> None:
    """Open a session and print its token, for programs that call the API."""
    token = Client().session(name)
    if as_json:
        document({"account": name, "token": token})
    else:
        print(token)


@app.command()
def order(
    account: Account,
    side: Side,
    symbol: Symbol,
    quantity: Annotated[int, typer.Argument(help="Shares.")],
    price: Annotated[str | None, typer.Option(help="The limit, 0.01-99.99; none: market.")] = None,
    time_in_force: Annotated[TimeInForce, typer.Option("--tif")] = "gtc",
    post_only: Annotated[bool, typer.Option(help="Refuse rather than trade at once.")] = False,
    client_order_id: Annotated[
        str | None, typer.Option("--id", help="Yours: repeat it and nothing happens twice.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Place an order and wait for what becomes of it."""
    body = {
        "client_order_id": client_order_id or str(uuid.uuid4()),
        "symbol": symbol,
        "side": side,
        "quantity": quantity,
        "type": "market" if price is None else "limit",
        "price": price,
        "time_in_force": "ioc" if price is None and time_in_force == "gtc" else time_in_force,
        "post_only": post_only,
    }
    answer = Client().post("/orders", body, account=account, wait="outcome")
    if as_json:
        document(answer)
    else:
        for line in describe_order(answer):
            say(line)
    if answer["status"] == "rejected":
        raise typer.Exit(1)


def describe_order(answer: dict[str, Any]) -> list[str]:
    """Say what became of an order."""
    head = f"order {answer['order_id']} (message {answer['sequence']}): {answer['status']}"
    why = answer["code"] or answer["cancel_reason"]
    if why:
        head += f", {why}"
    if answer["status"] in ("rejected", "duplicate"):
        return [head]
    counts = ", ".join(f"{answer[part]} {part}" for part in ("filled", "resting", "cancelled"))
    fills = [f"  {fill['quantity']} at {fill['price']}" for fill in answer["fills"]]
    return [f"{head}: {counts}", *fills]


@app.command()
def cancel(
    account: Account,
    order_id: Annotated[int | None, typer.Argument(help="One order's id.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All resting orders.")] = False,
    symbol: Annotated[str | None, typer.Option(help="With --all: only this market's.")] = None,
    as_json: Json = False,
) -> None:
    """Take resting orders out of their books; doing it twice does no harm."""
    if (order_id is None) != everything:
        raise typer.BadParameter("give an order id, or --all")
    body: dict[str, Any] = {"order_id": order_id}
    if everything:
        body = {"all": True} if symbol is None else {"symbol": symbol}
    answer = Client().post("/cancel", body, account=account, wait="outcome")
    if as_json:
        document(answer)
    else:
        ids = ", ".join(str(one) for one in answer.get("order_ids", []))
        say(f"{answer['status']}{': ' + ids if ids else ''}")


@app.command()
def orders(
    account: Account,
    symbol: Annotated[str | None, typer.Option()] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those that are done.")] = False,
    limit: Limit = 50,
    at: At = None,
    as_json: Json = False,
) -> None:
    """List an account's orders, the newest first."""
    status = None if all_ else "open"
    query = {"symbol": symbol, "status": status, "limit": limit, "at": at}
    answer = Client().get("/orders", account=account, **query)
    names = ("order_id", "symbol", "side", "price", "quantity", "filled", "resting", "status")
    rows(
        answer["orders"],
        {name: name.replace("_", " ") for name in names},
        empty="no orders",
        as_json=as_json,
    )


@app.command()
def positions(account: Account, at: At = None, as_json: Json = False) -> None:
    """List what an account holds: long above zero, short below."""
    answer = Client().get("/positions", account=account, at=at)
    columns = {"symbol": "symbol", "quantity": "quantity"}
    rows(answer["positions"], columns, empty="no positions", as_json=as_json)


@app.command()
def markets(at: At = None, as_json: Json = False) -> None:
    """List the markets that people have signed."""
    columns = {"symbol": "symbol", "type": "type", "status": "status", "name": "name"}
    empty = "no markets yet: `everything admin list-market --help`"
    rows(Client().get("/markets", at=at)["markets"], columns, empty=empty, as_json=as_json)


@app.command()
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


@app.command()
def trades(symbol: Symbol, limit: Limit = 20, at: At = None, as_json: Json = False) -> None:
    """List a market's trades, the newest first."""
    answer = Client().get(f"/market/{symbol}/trades", limit=limit, at=at)
    columns = {"trade_id": "trade", "price": "price", "quantity": "quantity", "taker_side": "taker"}
    rows(answer["trades"], columns, empty="no trades yet", as_json=as_json)


@app.command()
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
