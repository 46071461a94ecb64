"""What the news did, events, articles, the LLM's answers; and what the engines' states are."""

from typing import Annotated, Any

import typer

from deploy.cli.client import Client
from deploy.cli.output import document, minute, rows, say
from deploy.cli.parameters import At, Json, Limit, Symbol


def events(symbol: Symbol, limit: Limit = 20, at: At = None, as_json: Json = False) -> None:
    """List what clusters of articles mean for a market, the newest first."""
    found = Client().get(f"/market/{symbol}/events", limit=limit, at=at)["events"]
    columns = {
        "event_id": "event",
        "state": "state",
        "points": "points",
        "quick_score": "quick",
        "independent_sources": "sources",
        "llm": "llm",
        "summary": "summary",
    }
    rows(found, columns, empty="no events yet", as_json=as_json)


def articles(
    source: Annotated[str | None, typer.Option(help="Only this source's.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only those that count for it.")] = None,
    limit: Limit = 20,
    at: At = None,
    as_json: Json = False,
) -> None:
    """List articles and what became of each, the newest first."""
    query: dict[str, Any] = {"source": source, "symbol": symbol, "limit": limit, "at": at}
    found = Client().get("/articles", **query)["articles"]
    if as_json:
        document(found)
        return
    shown = [{**one, "seen": minute(one["observed_at"]), "became": _became(one)} for one in found]
    names = ("article", "seen", "source", "became", "title")
    rows(shown, {name: name for name in names}, empty="no articles yet", as_json=False)


def _became(article: dict[str, Any]) -> str:
    if article["status"] != "dropped":
        return str(article["status"])
    return f"dropped: {article['drop_reason']}"


def llm(limit: Limit = 20, at: At = None, as_json: Json = False) -> None:
    """Show whether the LLM is asked, and what it said."""
    answer = Client().get("/llm-calls", limit=limit, at=at)
    if as_json:
        document({"mode": answer["mode"], "calls": answer["calls"]})
        return
    say(describe_mode(answer["mode"]))
    shown = [{**one, "said": one["error"] or one["summary"]} for one in answer["calls"]]
    names = ("call", "event_id", "status", "impact", "confidence", "said")
    rows(shown, {name: name for name in names}, empty="it was not asked yet", as_json=False)


def describe_mode(mode: dict[str, Any] | None) -> str:
    """Say whether the engine asks the LLM, and why not."""
    if mode is None or mode["mode"] is None:
        worker = None if mode is None else mode["availability_reason"]
        return f"llm_mode: skipped{f' ({worker})' if worker else ''}; computed points stand"
    if mode["mode"] == "enabled":
        return f"llm_mode: enabled, {mode['model']}"
    until = f" until {minute(mode['until'])} UTC" if mode["until"] else ""
    why = mode["reason"] or mode["availability_reason"]
    return f"llm_mode: {mode['mode']}{until}{f' ({why})' if why else ''}; computed points stand"


def state(at: At = None, as_json: Json = False) -> None:
    """Show what each engine's state hashes to, now or at any moment of the log.

    Anyone who folds the log's records up to that message gets the same hashes.
    """
    answer = Client().get("/state", at=at)
    if as_json:
        document(answer)
        return
    say(f"message {answer['sequence']}, {answer['time']}")
    say(f"state   {answer['state_hash']}")
    say(f"chain   {answer['chain']}")
    shown = [{"engine": name, **engine} for name, engine in answer["engines"].items()]
    names = ("engine", "record", "sequence", "state_hash")
    rows(shown, {name: name.replace("_", " ") for name in names}, empty="", as_json=False)
