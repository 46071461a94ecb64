"""`everything verify` and `everything rebuild`: check what is there against the log."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from everything.deploy.cli.output import Json, document, errors, rows, say
from everything.deploy.place import Place
from everything.deploy.settings import Settings
from everything.schemas.errors import Halt, InputError, OperatingError

app = typer.Typer()

COULD_NOT_CHECK = 2


@contextmanager
def _bar(what: str, quiet: bool) -> Iterator[Any]:
    """Show a progress bar on stderr; yields `update(done, total)`."""
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True, disable=quiet) as progress:
        task = progress.add_task(what, total=None)

        def update(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield update


@app.command()
def verify(
    until: Annotated[int | None, typer.Option(min=1, help="Stop at this sequence.")] = None,
    as_json: Json = False,
) -> None:
    """Decide every record again from its inputs and compare: bytes, chain, seals, signatures.

    Exit code 0: everything had to be as it is. 1: something is not, and the first place is
    named. 2: it could not be checked.
    """
    from everything.replay.text import describe

    try:
        report = asyncio.run(_verify(until, quiet=as_json))
    except (OperatingError, Halt) as error:
        raise _unchecked(error, as_json) from error
    if as_json:
        document({**msgspec.to_builtins(report), "exit_code": report.exit_code})
    else:
        for line in describe(report):
            say(line)
    raise typer.Exit(report.exit_code)


def _unchecked(error: OperatingError | Halt, as_json: bool) -> typer.Exit:
    if as_json:
        document({"error": {"code": error.code, "message": str(error)}})
    else:
        errors.print(f"could not check: {error.code}: {error}", markup=False)
    return typer.Exit(COULD_NOT_CHECK)


async def _verify(until: int | None, quiet: bool) -> Any:
    from everything.deploy.engines import all_engines
    from everything.replay import verify as replay

    place = Place(Settings())
    log = await place.log("replay", dense=False)
    try:
        with _bar("verifying", quiet) as update:
            engines = all_engines(place.shard)
            return await replay.verify(log, engines, until=until, progress=update)
    finally:
        await log.close()


@app.command()
def rebuild(
    switch: Annotated[bool, typer.Option(help="Make the fresh read model the live one.")] = False,
    force: Annotated[bool, typer.Option(help="Switch even if tables differ.")] = False,
    rollback: Annotated[bool, typer.Option(help="Go back to the model before the switch.")] = False,
    as_json: Json = False,
) -> None:
    """Build the read model anew from the log beside the live one and compare every table.

    Exit code 0: all tables are equal (or new in this version). 1: some differ.
    """
    if rollback:
        if switch or force:
            raise InputError("--rollback goes with no other option")
        _roll_back(as_json)
        return
    report = asyncio.run(_rebuild(switch, force, quiet=as_json))
    tables = [
        {
            "table": table.name,
            "rows": table.fresh.rows,
            "hash": table.fresh.hash,
            "verdict": table.verdict,
        }
        for table in report.tables
    ]
    if as_json:
        whole = {**report._asdict(), "tables": tables, "equal": report.equal}
        document(whole)
    else:
        shown = [{**table, "hash": table["hash"][:16]} for table in tables]
        columns = {name: name for name in ("table", "rows", "hash", "verdict")}
        rows(shown, columns, empty="no tables", as_json=False)
        rate = int(report.events / report.seconds) if report.seconds else 0
        say(
            f"at message {report.sequence}: {report.records:,} records, {report.events:,} events "
            f"in {report.seconds:.1f} s ({rate:,} events/s)"
        )
        say("all equal" if report.equal else "NOT EQUAL")
        if report.switched:
            say(f"{report.fresh_schema} is live; {report.live_schema} stays for --rollback")
    raise typer.Exit(0 if report.equal else 1)


async def _rebuild(switch: bool, force: bool, quiet: bool) -> Any:
    from everything.projections import rebuild as mechanism

    place = Place(Settings())
    log = await place.log("replay")
    try:
        with _bar("rebuilding", quiet) as update:
            return await mechanism.rebuild(
                log,
                place.database_url,
                switch=switch,
                even_if_different=force,
                progress=lambda at: update(at.sequence, at.target),
            )
    finally:
        await log.close()


def _roll_back(as_json: bool) -> None:
    from everything.projections import rebuild as mechanism

    live = asyncio.run(mechanism.rollback(Place(Settings()).database_url))
    if as_json:
        document({"live_schema": live.schema})
    else:
        say(f"{live.schema} is live again; the projector takes it on from where it stood")
