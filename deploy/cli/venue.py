"""Founding a venue, what it is, how its processes are, and a server's configuration for it."""

import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from deploy.cli.client import Client
from deploy.cli.errors import GatewayError
from deploy.cli.output import document, say
from deploy.cli.parameters import Json, Preset
from deploy.cli.reading import describe_mode
from deploy.venue.settings import Settings
from schemas.errors import InputError

ROOT_KEY: Final = "root"
_FACTS: Final = (
    "phase",
    "mode",
    "reason",
    "sequence",
    "record",
    "lag",
    "inputs_per_s",
    "sources",
    "asked",
    "waiting_source",
    "waiting_page",
    "waiting_browser",
    "jobs",
    "given",
    "offered",
    "measured",
    "window",
    "segments",
    "same_disk",
    "restarts",
    "last_end",
)
"""What is shown of a heartbeat, in this order."""


def init(
    name: Annotated[str, typer.Argument(help="The venue's name.")],
    preset: Annotated[Preset, typer.Option("--policy")] = "seed-plan",
    code: Annotated[
        str | None,
        typer.Option(help="What `everything up` printed; not needed in the home that it runs in."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Found the venue: sign its first message with a new root key. Once only."""
    from deploy.cli.admin import describe
    from deploy.venue import keys
    from deploy.venue.founding import FoundingNote, code_at_hand
    from deploy.venue.paths import NOTARY_KEY
    from schemas import policy, signatures
    from schemas.decisions import Genesis

    client = Client()
    known = client.get("/venue")
    if known["founded"]:
        raise InputError("this venue has been founded already; a log has one genesis")
    folder = client.home.keys
    founding_code = code_at_hand(FoundingNote(client.home.founding), code)
    # elsewhere than in its home, only the venue itself can say which notary it has
    own = keys.key_path(folder, NOTARY_KEY).exists()
    notary = signatures.public_key(keys.load(folder, NOTARY_KEY)) if own else known["notary_key"]
    root_key = signatures.public_key(keys.ensure(folder, ROOT_KEY))
    genesis = Genesis(
        venue=name,
        root_key=root_key,
        notary_key=str(notary),
        policy=policy.PRESETS[preset],
        time_ns=time.time_ns(),
    )
    answer = client.decide(ROOT_KEY, genesis, founding_code)
    if as_json:
        document(answer)
        return
    for line in describe(answer):
        say(line)
    say(f"the root key is in {keys.key_path(folder, ROOT_KEY)}: keep a copy elsewhere")


def venue(as_json: Json = False) -> None:
    """Show the venue, its policy and its keys."""
    answer = Client().get("/venue")
    if as_json or not answer["founded"]:
        document(answer) if as_json else say("not founded yet: everything init NAME")
        return
    say(f"{answer['name']} ({answer['venue_id']})")
    say(f"policy {answer['policy']['name']}, version {answer['policy_version']}")
    for key in answer["keys"]:
        say(f"  {key['key']}  {key['role']:<12} {key['holder']}")


def status(as_json: Json = False) -> None:
    """Show how every process is, the log and its last seal, and whether the LLM is asked."""
    client = Client()
    answer = {**client.get("/status"), "llm": _llm_mode(client)}
    if as_json:
        document(answer)
        return
    log, seal = answer["log"], answer["last_seal"]
    say(f"log {log['shard']}: {log['messages']} messages, {log['bytes'] / 1e6:.1f} MB")
    if seal:
        age = max(0.0, time.time() - seal["time_ns"] / 1e9)
        say(f"sealed through {seal['through']}, {age:.0f} s ago: {seal['chain'][:16]}…")
    say(describe_mode(answer["llm"]))
    for name, process in answer["processes"].items():
        facts = {fact: process[fact] for fact in _FACTS if process.get(fact) not in (None, "")}
        if "sequence" in process and "lag" not in process:
            facts["behind"] = log["messages"] - process["sequence"]
        state = "up" if process["alive"] else f"SILENT for {process['silent_s']:.0f} s"
        say(f"  {name:<18} {state:<8} " + ", ".join(f"{k} {v}" for k, v in facts.items()))
    for name, reason in answer["absent"].items():
        say(f"  {name:<18} {'absent':<8} {reason}")


def _llm_mode(client: Client) -> Any:
    """Return what the tables know of the LLM, None where there are none."""
    try:
        return client.get("/llm-calls", limit=1)["mode"]
    except GatewayError:
        return None


def nats_conf(
    store: Annotated[Path, typer.Option(help="Where that server keeps its streams.")],
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 4222,
    as_json: Json = False,
) -> None:
    """Print the nats.conf for a server of your own: this venue's users and permissions.

    Run that server with it, then set NATS_URL for `everything up`.
    """
    from deploy.venue.paths import VenuePaths
    from streams.broker.config import ListenConfig, filled

    paths = VenuePaths(Settings())
    paths.home.prepare()
    where = ListenConfig(store=store.resolve(), port=port)
    text = filled(where, paths.shard, paths.keyring)
    if as_json:
        document({"conf": text})
    else:
        print(text)
