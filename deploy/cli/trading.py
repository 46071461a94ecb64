"""Orders and positions: what a trader types."""

import uuid
from typing import Annotated, Any

import typer

from deploy.cli.client import Client
from deploy.cli.output import document, rows, say
from deploy.cli.parameters import Account, At, Json, Limit, Symbol
from schemas.commands import Side, TimeInForce


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


def positions(account: Account, at: At = None, as_json: Json = False) -> None:
    """List what an account holds: long above zero, short below."""
    answer = Client().get("/positions", account=account, at=at)
    columns = {"symbol": "symbol", "quantity": "quantity"}
    rows(answer["positions"], columns, empty="no positions", as_json=as_json)
