"""The commands that found, run and check a venue, and the program's entry point."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from deploy.cli import (
    admin,
    archive,
    proof,
    quality,
    reading,
    reviews,
    service_keys,
    sources,
    trading,
    whatif,
    why,
)
from deploy.cli.client import Client, GatewayError
from deploy.cli.output import Json, console, document, fail, say
from deploy.venue import keys
from deploy.venue.paths import NOTARY_KEY, Place
from deploy.venue.settings import Settings
from schemas import policy, signatures
from schemas.decisions import Genesis
from schemas.errors import EverythingError, Halt, InputError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Everything Market: trade a number from 0 to 100 on anything, and prove any price.",
)
for _more in (sources.admin_app, reviews.admin_app):
    admin.app.registered_commands += _more.registered_commands
app.add_typer(admin.app, name="admin")
app.add_typer(trading.account_app, name="account")
app.add_typer(service_keys.app, name="service-key")
for _more in (
    trading.app,
    sources.app,
    reading.app,
    proof.app,
    why.app,
    whatif.app,
    archive.app,
    quality.app,
):
    app.registered_commands += _more.registered_commands

ROOT_KEY = "root"
_FACTS = (
    "phase",
    "mode",
    "reason",
    "sequence",
    "record",
    "lag",
    "inputs_per_s",
    "sources",
    "asked",
    "jobs",
    "measured",
    "window",
    "segments",
    "same_disk",
    "restarts",
)
"""What is shown of a heartbeat, in this order."""


@app.command()
def up() -> None:
    """Start the whole system here and keep it up until Ctrl-C."""
    from deploy.venue.up import Venue, lock  # servers and all: no other command needs them

    place = Place(Settings())
    with lock(place.home.root):
        venue = Venue(place, _note, _step)
        try:
            venue.start()
            _welcome(place)
            venue.run()
        except KeyboardInterrupt:
            pass
        finally:
            venue.stop()
    say("stopped; the log is kept, `everything up` goes on where it ended")


def _note(text: str) -> None:
    console.print(f"[yellow]{time.strftime('%H:%M:%S')}[/yellow] ", end="")
    console.print(text, markup=False)


@contextmanager
def _step(what: str) -> Iterator[None]:
    started = time.monotonic()
    with console.status(f"{what} …"):
        yield
    console.print(f"[green]✓[/green] {what} [dim]{time.monotonic() - started:.1f} s[/dim]")


def _welcome(place: Place) -> None:
    client = Client(place.settings)
    venue = client.get("/venue")
    home = place.home
    say("")
    if venue["founded"]:
        say(f"{venue['name']} is open")
    else:
        say("Everything Market is running; this venue is not founded yet")
    say(f"  API     {place.settings.gateway_url}/api/v1  (openapi.json beside it)")
    say(f"  NATS    {place.settings.broker_url}")
    say(f"  keys    {home.keys}")
    say(f"  logs    {home.logs}")
    say("")
    say("Try next, in another terminal:" if venue["founded"] else "Next, in another terminal:")
    for line in _next_steps(bool(venue["founded"])):
        say(f"  {line}")
    say("")
    say("Ctrl-C stops everything.")


def _next_steps(founded: bool) -> list[str]:
    program = sys.argv[0] if not sys.argv[0].endswith(".py") else "everything"
    if founded:
        return [f"{program} status", f"{program} markets", f"{program} verify"]
    return [
        f'{program} init "My venue"',
        f"{program} admin list-market --help",
        f"{program} account new alice",
    ]


@app.command("nats-conf")
def nats_conf(
    store: Annotated[Path, typer.Option(help="Where that server keeps its streams.")],
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 4222,
    monitor_port: Annotated[int, typer.Option(min=1, max=65_535)] = 8222,
    as_json: Json = False,
) -> None:
    """Print the nats.conf for a server of your own: this venue's users and permissions.

    Run that server with it, then set NATS_URL (and NATS_MONITOR_URL) for `everything up`.
    """
    from streams.broker.config import ListenConfig, filled

    place = Place(Settings())
    place.home.prepare()
    where = ListenConfig(store=store.resolve(), port=port, monitor_port=monitor_port)
    text = filled(where, place.shard, place.keyring)
    if as_json:
        document({"conf": text})
    else:
        print(text)


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The venue's name.")],
    preset: Annotated[admin.Preset, typer.Option("--policy")] = "seed-plan",
    as_json: Json = False,
) -> None:
    """Found the venue: sign its first message with a new root key. Once only."""
    client = Client()
    if client.get("/venue")["founded"]:
        raise InputError("this venue has been founded already; a log has one genesis")
    folder = client.home.keys
    notary_key = signatures.public_key(keys.ensure(folder, NOTARY_KEY))
    root_key = signatures.public_key(keys.ensure(folder, ROOT_KEY))
    genesis = Genesis(
        venue=name,
        root_key=root_key,
        notary_key=notary_key,
        policy=policy.PRESETS[preset],
        time_ns=time.time_ns(),
    )
    answer = client.decide(ROOT_KEY, genesis)
    if as_json:
        document(answer)
        return
    for line in admin.describe(answer):
        say(line)
    say(f"the root key is in {keys.key_path(folder, ROOT_KEY)}: keep a copy elsewhere")


@app.command()
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


@app.command()
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
    say(reading.describe_mode(answer["llm"]))
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


def main() -> None:
    """Run the program, and turn typed errors into one line and an exit code."""
    as_json = "--json" in sys.argv
    try:
        app()
    except GatewayError as error:
        _end(fail(error.answer_code, str(error), as_json=as_json))
    except Halt as error:
        _end(fail(error.code, str(error), as_json=as_json, exit_code=error.exit_code))
    except EverythingError as error:
        _end(fail(error.code, str(error), as_json=as_json))
    except ValidationError as error:
        wrong = [f"{one['loc'][0]}: {one['msg']}" for one in error.errors(include_input=False)]
        _end(fail("bad_settings", "; ".join(wrong), as_json=as_json))


def _end(how: typer.Exit) -> None:
    sys.exit(how.exit_code)
