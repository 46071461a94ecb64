"""`everything upgrade`: go over from the tables of another release, or back to them."""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from deploy.cli.output import document, rows, say
from deploy.cli.parameters import Json
from deploy.cli.progress import bar
from deploy.limits import UPGRADE_LOOK_MS, UPGRADE_PATIENCE_S
from deploy.venue.settings import Settings
from schemas.errors import InputError, StoreUnavailable

if TYPE_CHECKING:
    from deploy.venue.upgrading import Upgrade
    from projections.store.rebuild import TableReport

_MILLISECONDS: Final = 1_000


def upgrade(
    switch: Annotated[bool, typer.Option(help="Make this release's tables live.")] = False,
    rollback: Annotated[bool, typer.Option(help="Go back to the other release's tables.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option(help="Switch even if tables differ.")] = False,
    as_json: Json = False,
) -> None:
    """Show which tables another release made, compare them with new ones, and switch if asked.

    The running venue builds; this command shows how far it is and compares every table. Trading
    never waits, and reads go on from the old tables. Exit code 0: nothing to do, or done. 1: some
    tables differ, and nothing was switched.
    """
    if rollback and (switch or force):
        raise InputError("--rollback goes with no other option but --yes")
    if as_json and (switch or rollback) and not yes:
        raise InputError("with --json nobody can be asked: add --yes")
    if rollback:
        _roll_back(yes, as_json)
        return
    found = asyncio.run(_built(as_json))
    tables = asyncio.run(_compared(found))
    differing = [one.name for one in tables if one.verdict == "different"]
    if not as_json:
        _show(found, tables)
    switched = False
    if switch and found.is_ready and (force or not differing):
        if not yes:
            typer.confirm("Make this release's tables live?", abort=True)
        switched = asyncio.run(_switch(force))
    if as_json:
        document(_document(found, tables, switched))
    elif switched:
        say("switched; `everything upgrade --rollback` goes back")
    elif differing:
        say(f"NOT EQUAL: {', '.join(differing)}; --force switches all the same")
    elif found.is_ready:
        say("type `everything upgrade --switch` to make this release's tables live")
    raise typer.Exit(1 if differing and not switched else 0)


async def _built(quiet: bool) -> "Upgrade":
    """Wait until the venue has built what is missing, and return what there is then.

    Raises StoreUnavailable when it does not get on for UPGRADE_PATIENCE_S.
    """
    from deploy.venue.paths import VenuePaths
    from deploy.venue.upgrading import look

    dsn = VenuePaths(Settings()).database_url
    try:
        found = await look(dsn)
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{error}: does `everything up` run here?") from error
    with bar("building the tables", quiet) as update:
        seen, since = -1, time.monotonic()
        while (left := _left_to_build(found)) is not None:
            at, target = left
            if at != seen:
                seen, since = at, time.monotonic()
                update(at, target)
            if time.monotonic() - since > UPGRADE_PATIENCE_S:
                raise StoreUnavailable(
                    f"the tables are not built further than message {at:,}: does "
                    "`everything up` run here? If so, see projector.log"
                )
            await asyncio.sleep(UPGRADE_LOOK_MS / _MILLISECONDS)
            found = await look(dsn)
    return found


def _left_to_build(found: "Upgrade") -> tuple[int, int] | None:
    """Return how far this release's tables are, of how far they must be; None if they are."""
    live, own = found.tables.live, found.tables.own
    if live is None or not found.is_needed or found.is_ready:
        return None
    return (own.sequence if own else 0), live.sequence


async def _compared(found: "Upgrade") -> "Sequence[TableReport]":
    from deploy.venue.paths import VenuePaths
    from projections.store.beside import compare_beside

    if not found.is_ready:
        return []
    return await compare_beside(VenuePaths(Settings()).database_url)


async def _switch(force: bool) -> bool:
    from deploy.venue.paths import VenuePaths
    from projections.store.beside import switch_beside

    dsn = VenuePaths(Settings()).database_url
    return (await switch_beside(dsn, even_if_different=force)).switched


def _roll_back(yes: bool, as_json: bool) -> None:
    from deploy.venue.paths import VenuePaths
    from projections.store.beside import roll_back_upgrade

    if not yes:
        typer.confirm("Read from the other release's tables again?", abort=True)
    live = asyncio.run(roll_back_upgrade(VenuePaths(Settings()).database_url))
    if as_json:
        document({"live_schema": live.schema, "rolled_back": True})
        return
    say(f"{live.schema} is read again; only the release that made it can write it")
    say("stop the venue and start that release, or `everything upgrade --switch` again")


def _show(found: "Upgrade", tables: "Sequence[TableReport]") -> None:
    from deploy.venue.upgrading import describe

    for line in describe(found):
        say(line)
    if tables:
        shown = [
            {"table": one.name, "rows": one.fresh.rows, "verdict": one.verdict} for one in tables
        ]
        rows(shown, {name: name for name in shown[0]}, empty="", as_json=False)
    elif found.is_ready:
        say("the two stand at different messages, so they are not compared")


def _document(found: "Upgrade", tables: "Sequence[TableReport]", switched: bool) -> dict[str, Any]:
    def told(versions: Any) -> dict[str, Any]:
        return {
            "version": versions.digest,
            "live": versions.live and versions.live._asdict(),
            "own": versions.own and versions.own._asdict(),
        }

    return {
        "needed": found.is_needed,
        "ready": found.is_ready,
        "switched": switched,
        "tables": {
            **told(found.tables),
            "compared": {one.name: one.verdict for one in tables},
        },
        "history": {**told(found.history), "needed": found.is_history_behind},
    }
