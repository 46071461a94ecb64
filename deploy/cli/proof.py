"""`everything verify` and `everything rebuild`: check what is there against the log."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.output import document, rows, say, say_aside
from deploy.cli.parameters import Json
from deploy.cli.progress import bar
from deploy.venue.settings import Settings
from schemas import subjects
from schemas.errors import (
    EverythingError,
    Halt,
    InputError,
    NotFound,
    OperatingError,
    TooLarge,
)

if TYPE_CHECKING:
    from deploy.venue.paths import VenuePaths
    from replay.verify.report import Finding
    from replay.verify.verify import TrustedChainHash
    from streams.log.nats_log import NatsLog


COULD_NOT_CHECK = 2
_ANCHOR = re.compile(r"([1-9]\d{0,17}):([0-9a-f]{64})")
TAIL_BYTES = 256
"""A record's hash and signature stand in its last bytes (see `schemas.records`)."""


def verify(
    until: Annotated[int | None, typer.Option(min=1, help="Stop at this sequence.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Check this bundle, not the log.")] = None,
    key: Annotated[str | None, typer.Option(help="For a bundle: root or notary key.")] = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SEQUENCE:CHAIN", help="The chain hash you noted at a sequence. Repeatable."
        ),
    ] = None,
    checkouts: Annotated[
        list[Path] | None,
        typer.Option(
            "--with",
            metavar="CHECKOUT",
            help="A checkout of the release that decides older records again. Repeatable.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Decide every record again from its inputs and compare: bytes, chain, seals, signatures.

    Exit code 0: everything had to be as it is. 1: something is not, and the first place is
    named. 2: it could not be checked. What this machine's engines remember of the log is
    compared, too, so that an end that was cut off is found; what you noted of it with --anchor.

    Records of an older release's deciders are followed and not decided again, which is exit code 2.
    The report names the release; --with a checkout of it has its own code decide them.

    With --bundle a file that `everything export` wrote is checked, with no server and no data.
    """
    import msgspec

    from replay.verify.text import describe

    if bundle is not None:
        if until is not None or anchor or checkouts:
            raise InputError("--until, --anchor and --with do not go with --bundle")
        _verify_bundle(bundle, key, as_json)
    elif key is not None:
        raise InputError("--key goes with --bundle")
    anchors = [_anchor(one, until) for one in anchor or ()]
    try:
        report = asyncio.run(_verify(until, anchors, checkouts or (), quiet=as_json))
    except (OperatingError, Halt) as error:
        raise _unchecked(error, as_json) from error
    if as_json:
        document({**msgspec.to_builtins(report), "exit_code": report.exit_code})
    else:
        for line in describe(report):
            say(line)
    raise typer.Exit(report.exit_code)


def _anchor(given: str, until: int | None) -> "TrustedChainHash":
    """Read `SEQUENCE:CHAIN`. Raises InputError."""
    from replay.verify.verify import TrustedChainHash

    match = _ANCHOR.fullmatch(given)
    if match is None:
        raise InputError(
            f"--anchor takes a sequence, a colon and 64 hex digits, not {given[:40]!r}"
        )
    anchor = TrustedChainHash(int(match[1]), match[2])
    if until is not None and anchor.sequence > until:
        raise InputError(f"the anchor at sequence {anchor.sequence} is behind --until")
    return anchor


def _verify_bundle(path: Path, key: str | None, as_json: bool) -> None:
    import msgspec

    from deploy.venue.engines import all_engines
    from replay.bundle.check import check_bundle
    from replay.bundle.text import describe

    try:
        with bar("verifying", as_json) as update:
            report = asyncio.run(check_bundle(path, all_engines, key=key, progress=update))
    except OSError as error:
        raise _unchecked(NotFound(f"{path}: {error.strerror}"), as_json) from error
    except TooLarge as error:
        raise _unchecked(error, as_json) from error
    if as_json:
        document({**msgspec.to_builtins(report), "exit_code": report.exit_code})
    else:
        for line in describe(report):
            say(line)
    raise typer.Exit(report.exit_code)


def _unchecked(error: EverythingError, as_json: bool) -> typer.Exit:
    if as_json:
        document({"error": {"code": error.code, "message": str(error)}})
    else:
        say_aside(f"could not check: {error.code}: {error}")
    return typer.Exit(COULD_NOT_CHECK)


async def _verify(
    until: int | None, anchors: "Sequence[TrustedChainHash]", checkouts: Sequence[Path], quiet: bool
) -> Any:
    from deploy.venue.engines import all_engines
    from deploy.venue.paths import VenuePaths
    from replay.verify.other_release import command_of, decide_with
    from replay.verify.verify import verify

    for checkout in checkouts:
        command_of(checkout)
    paths = VenuePaths(Settings())
    log = await paths.log("replay", dense=False)
    try:
        with bar("verifying", quiet) as update:
            engines = all_engines(paths.shard)
            report = await verify(log, engines, until=until, anchors=anchors, progress=update)
            report.findings += await forgotten(paths, log, report.through)
        for checkout in checkouts:
            await decide_with(log, report, checkout)
        return report
    finally:
        await log.close()


async def forgotten(paths: "VenuePaths", log: "NatsLog", through: int) -> "list[Finding]":
    """Return what engines that ran here know to have stood on the log, and no longer does.

    Each keeps the sequence and hash of its newest record beside its snapshots. A log whose
    end was cut off is whole in itself: only who has seen the rest can tell.
    """
    from replay.verify.report import Finding
    from streams.host.snapshots import SnapshotFolder

    end = await log.last_sequence()
    findings = []
    for engine in subjects.ENGINES:
        anchor = await SnapshotFolder(paths.home.snapshots, engine).load_origin()
        if anchor is None or through < anchor.sequence <= end:
            continue  # it stands behind what was to be checked
        stored = await log.get(anchor.sequence)
        if stored is None or anchor.record_hash.encode() not in stored.payload[-TAIL_BYTES:]:
            known = f"record {anchor.record_hash[:12]} that stood at sequence {anchor.sequence}"
            note = f"the log no longer holds {known}; it ends at {end}"
            kind: Any = "truncated" if anchor.sequence > end else "record_chain"
            findings.append(
                Finding(kind=kind, sequence=min(end, anchor.sequence), engine=engine, note=note)
            )
    return findings


def rebuild(
    switch: Annotated[bool, typer.Option(help="Make the fresh read model the live one.")] = False,
    force: Annotated[bool, typer.Option(help="Switch even if tables differ.")] = False,
    rollback: Annotated[bool, typer.Option(help="Go back to the model before the switch.")] = False,
    table: Annotated[str | None, typer.Option(help="Build and compare this table alone.")] = None,
    as_json: Json = False,
) -> None:
    """Build the read model again from the log beside the live one and compare every table.

    With --table only that table is built from the log; a switch then takes over the others
    as they stand. Exit code 0: all tables are equal (or new in this version). 1: some differ.
    """
    if rollback:
        if switch or force or table:
            raise InputError("--rollback goes with no other option")
        _roll_back(as_json)
        return
    report = asyncio.run(_rebuild(switch, force, table, quiet=as_json))
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


async def _rebuild(switch: bool, force: bool, table: str | None, quiet: bool) -> Any:
    from deploy.venue.paths import VenuePaths
    from projections.store import rebuild as mechanism

    paths = VenuePaths(Settings())
    log = await paths.log("replay")
    try:
        with bar("rebuilding", quiet) as update:
            return await mechanism.rebuild(
                log,
                paths.database_url,
                switch=switch,
                even_if_different=force,
                table=table,
                progress=lambda at: update(at.sequence, at.target),
            )
    finally:
        await log.close()


def _roll_back(as_json: bool) -> None:
    from deploy.venue.paths import VenuePaths
    from projections.store import rebuild as mechanism

    live = asyncio.run(mechanism.rollback(VenuePaths(Settings()).database_url))
    if as_json:
        document({"live_schema": live.schema})
    else:
        say(f"{live.schema} is live again; the projector takes it on from where it stood")
