"""`everything up`: what a person sees while a venue starts and runs."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from deploy.cli.client import Client
from deploy.cli.output import say
from deploy.venue.founding import FoundingNote
from deploy.venue.paths import VenuePaths
from deploy.venue.settings import Settings
from deploy.venue.up import Venue, lock

_console = Console(highlight=False, soft_wrap=True)


def up() -> None:
    """Start the whole system here and keep it up until Ctrl-C."""
    paths = VenuePaths(Settings())
    with lock(paths.home.root, _note):
        venue = Venue(paths, _note, _step)
        try:
            venue.start()
            _welcome(paths)
            venue.run()
        except KeyboardInterrupt:
            pass
        finally:
            venue.stop()
    say("stopped; the log is kept, `everything up` goes on where it ended")


def _note(text: str) -> None:
    typer.secho(f"{time.strftime('%H:%M:%S')} ", fg="yellow", nl=False)
    say(text)


@contextmanager
def _step(what: str) -> Iterator[None]:
    started = time.monotonic()
    with _console.status(f"{what} …"):
        yield
    _console.print(f"[green]✓[/green] {what} [dim]{time.monotonic() - started:.1f} s[/dim]")


def _welcome(paths: VenuePaths) -> None:
    client = Client(paths.settings)
    venue = client.get("/venue")
    home = paths.home
    say("")
    if venue["founded"]:
        say(f"{venue['name']} is open")
    else:
        say("Everything Market is running; this venue is not founded yet")
    say(f"  API     {paths.settings.gateway_url}/api/v1  (openapi.json beside it)")
    say(f"  NATS    {paths.settings.broker_url}")
    say(f"  keys    {home.keys}")
    say(f"  logs    {home.logs}")
    terms = None if venue["founded"] else FoundingNote(home.founding).terms()
    if terms is not None:
        say(f"  code    {terms.code}  founds the venue, once; `init` in this home finds it")
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
