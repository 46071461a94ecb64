"""One feed message in words, for `everything watch`."""

from typing import Any


def describe(envelope: dict[str, Any]) -> list[str]:
    """Return a line for each thing that `envelope` tells of."""
    when = envelope["ts"].partition("T")[2][:12]
    number = f"#{envelope['sequence_number']}"
    return [f"{when}  {number:<6} {text}" for text in _texts(envelope)]


def _texts(envelope: dict[str, Any]) -> list[str]:
    payload = envelope["payload"]
    match envelope["kind"]:
        case "trades":
            return [_trade(trade) for trade in payload["trades"]]
        case "top":
            return [f"best      {_level(payload['bid'])} bid, {_level(payload['ask'])} ask"]
        case "market_update":
            return [f"market    {payload['market_price']} by {payload['basis']}"]
        case "final_update":
            return [f"final     {payload['final_price']}"]
        case "pressure_update":
            return [f"pressure  {_taken(payload)}"]
        case "reality_update":
            return [f"reality   {_reality(payload)}"]
        case kind:
            return [f"{kind}: {payload}"]


def _taken(told: dict[str, Any]) -> str:
    """Return who took how much: of each side its lots and the number of accounts."""
    windows = {
        window: [
            told[f"{what}_{window}"] for what in ("buy_lots", "buyers", "sell_lots", "sellers")
        ]
        for window in ("1m", "1h")
    }
    return "last minute {} bought by {}, {} sold by {}; ".format(
        *windows["1m"]
    ) + "last hour {} by {}, {} by {}".format(*windows["1h"])


def _reality(told: dict[str, Any]) -> str:
    score, status = told["reality_score"], told["status"]
    if status == "applied":
        return f"{score}, moved {told['delta']} by event {told['event_id']}"
    if status == "pending_review":
        return f"{score}, a move of {told['delta']} waits for a person ({told['event_id']})"
    if told["proposal_hash"]:
        return f"{score}, a move of {told['delta']} was {status} ({told['event_id']})"
    return f"{score} {status}"


def _trade(trade: dict[str, Any]) -> str:
    doing = "bought" if trade["taker_side"] == "buy" else "sold"
    return f"trade     {trade['quantity']} {doing} at {trade['price']} (trade {trade['trade_id']})"


def _level(level: dict[str, Any] | None) -> str:
    return "nothing" if level is None else f"{level['quantity']} at {level['price']}"
