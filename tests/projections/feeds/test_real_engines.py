"""The feeds of a venue whose engines are the real ones: what they say must agree."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from projections.feeds.fold import FeedFold
from schemas.events import exchange as ex
from schemas.record_chain import Chains
from schemas.records import EVENT_MESSAGES, Record
from schemas.subjects import matches
from schemas.units import to_decimal
from tests.projections.real import RealVenue, busy_day


def records(venue: RealVenue) -> list[Record]:
    chains = Chains(EVENT_MESSAGES.decode)
    return [
        chains.read(message)
        for message in venue.server.messages()
        if matches("main.evt.*", message.subject)
    ]


def _apply(levels: dict[str, int], changes: list[tuple[str, int]]) -> None:
    for price, lots in changes:
        if lots:
            levels[price] = lots
        else:
            del levels[price]


def best(levels: dict[str, int], of: Callable[..., str]) -> dict[str, Any] | None:
    if not levels:
        return None
    price = of(levels, key=float)
    return {"price": price, "quantity": levels[price]}


@pytest.mark.parametrize("seed", range(3))
def test_depth_and_top_agree_after_every_record(seed: int) -> None:
    fold = FeedFold()
    depth: dict[str, dict[str, dict[str, int]]] = {}
    tops: dict[str, dict[str, Any]] = {}
    compared = 0
    for record in records(busy_day(seed)):
        for draft in fold.fold(record):
            kind, symbol = draft.channel.split(".")[0], draft.channel.split(".")[1]
            if kind != "market":
                continue
            payload = msgspec.to_builtins(draft.payload)
            if draft.kind == "top":
                tops[symbol] = payload
            if draft.kind in ("snapshot", "depth_update"):
                book = depth.setdefault(symbol, {"bids": {}, "asks": {}})
                for side, levels in book.items():
                    if draft.kind == "snapshot":
                        levels.clear()
                    _apply(levels, payload[side])
        for symbol, top in tops.items():
            book = depth.get(symbol, {"bids": {}, "asks": {}})
            assert top == {"bid": best(book["bids"], max), "ask": best(book["asks"], min)}
            compared += 1
    assert compared > 20


def test_an_account_hears_of_every_order_fill_and_balance_of_its_own() -> None:
    heard: dict[str, list[dict[str, Any]]] = {}
    fold = FeedFold()
    wanted: dict[str, list[int]] = {}
    fills = 0
    money: dict[str, tuple[str, str]] = {}
    for record in records(busy_day(5)):
        for draft in fold.fold(record):
            if draft.channel.startswith("account."):
                name = draft.channel.split(".")[1]
                heard.setdefault(name, []).extend(msgspec.to_builtins(draft.payload)["events"])
        for event in record.events:
            if isinstance(event, ex.OrderPlaced):
                wanted.setdefault(event.account, []).append(event.order_id)
            elif isinstance(event, ex.Traded):
                fills += 2
            elif isinstance(event, ex.BalancesChanged):
                for row in event.balances:
                    money[row.account] = to_decimal(row.cash_cents), to_decimal(row.reserved_cents)
    assert wanted
    for account, order_ids in wanted.items():
        assert [row["order_id"] for row in heard[account] if row["type"] == "placed"] == order_ids
        last = [row for row in heard[account] if row["type"] == "balance"][-1]
        assert (last["cash"], last["reserved"]) == money[account]
    assert sum(row["type"] == "fill" for rows in heard.values() for row in rows) == fills
