"""`everything archive`, `restore` and `export`: the log elsewhere, back again, and in parts."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.output import document, say, say_aside
from deploy.cli.parameters import Json
from deploy.cli.progress import bar, step
from deploy.cli.proof import forgotten
from deploy.venue.settings import Settings
from schemas.errors import GenesisMismatch, InputError, NotFound, StoreUnavailable

if TYPE_CHECKING:
    from deploy.venue.paths import VenuePaths
    from replay.archive.segments_check import Archive


Key = Annotated[
    str | None,
    typer.Option("--key", help="The venue's root or notary key, known from elsewhere."),
]
_RANGE = re.compile(r"(\d{1,18})\.\.(\d{1,18})")


def archive(
    to: Annotated[Path | None, typer.Option(help="Into this folder.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="The unsealed end, too.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; check what is there.")] = (
        False
    ),
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Copy the log up to its last seal into the archive, and check all of that.

    What is there is never written again. A log that is not the one that was archived is a
    halt, `log_diverged`.
    """
    from deploy.venue.paths import VenuePaths
    from replay.archive import segments_check
    from replay.archive.segments import SegmentFolder

    paths = VenuePaths(Settings())
    folder = SegmentFolder((to or paths.archive).expanduser().resolve(), paths.shard)
    with _disk():
        if not check:
            asyncio.run(_archive(paths, folder, everything))
        with bar("checking", quiet=as_json) as update:
            found = segments_check.check(folder, key=key, progress=update)
    told = _told(found)
    if as_json:
        document({**told, "folder": str(folder.path), "same_disk": paths.archive_shares_disk})
        return
    say(f"{len(found.segments):,} segments in {folder.path}")
    _say_archive(found)
    if to is None and paths.archive_shares_disk:
        say("this is the disk of the log: set EVERYTHING_ARCHIVE to a folder on another one")


async def _archive(paths: "VenuePaths", folder: Any, everything: bool) -> None:
    from replay.archive.archiver import Archiver
    from streams.log.clock import SystemClock

    log = await paths.log("archiver")
    archiver = Archiver(log, SystemClock(), folder)
    try:
        await archiver.finish(unsealed=everything)
    finally:
        await archiver.close()
        await log.close()


def restore(
    source: Annotated[Path, typer.Option("--from", help="The archive's folder.")],
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Bring an archive back onto an empty log, message by message, and check it before.

    No venue may be running here. What was broken off goes on where it ended. Tables and
    feeds are made from the log by the next `everything up`.
    """
    from deploy.venue.paths import VenuePaths
    from replay.archive import segments_check
    from replay.archive.segments import SegmentFolder

    paths = VenuePaths(Settings())
    with _disk():
        with bar("checking", quiet=as_json) as update:
            folder = SegmentFolder(source.expanduser().resolve(), paths.shard)
            found = segments_check.check(folder, key=key, progress=update)
        _check_home(paths, found)
        lost = _restored(paths, found, quiet=as_json)
        paths.home.founded.write_text(found.founding.venue_id + "\n")
    if as_json:
        document({**_told(found), "lost": lost})
        return
    _say_archive(found)
    for note in lost:
        say_aside(f"LOST {note}")
    if lost:
        say(
            "what was acknowledged behind the archive's end is gone: "
            "docs/how-to/archive.md says what next"
        )
    if not _has_notary_key(paths, found):
        say("the venue's notary.nk is not in this home: without it no good seal can be made")
    say("restored; `everything up` starts it, `everything verify` decides all of it again")


def _check_home(paths: "VenuePaths", found: "Archive") -> None:
    """Raise GenesisMismatch when another venue lived in this home."""
    known = paths.home.founded
    here = known.read_text().strip() if known.exists() else ""
    if here and here != found.founding.venue_id:
        raise GenesisMismatch(
            f"this home is of venue {here[:12]}, not {found.founding.venue_id[:12]}"
        )


def _restored(paths: "VenuePaths", found: "Archive", quiet: bool) -> list[str]:
    """Restore onto the log alone; return what this home knows to have stood behind its end."""
    from deploy.venue.up import Venue, lock

    with lock(paths.home.root, say_aside):
        venue = Venue(paths, say_aside, step)
        try:
            venue.start_log_alone()
            return asyncio.run(_append(paths, found, quiet))
        finally:
            venue.stop()


async def _append(paths: "VenuePaths", found: "Archive", quiet: bool) -> list[str]:
    from replay.archive.restore import restore as bring_back

    log = await paths.log("restorer")
    try:
        with bar("restoring", quiet) as update:
            end = await bring_back(log, found, update)
        return [str(finding) for finding in await forgotten(paths, log, end)]
    finally:
        await log.close()


def _has_notary_key(paths: "VenuePaths", found: "Archive") -> bool:
    from deploy.venue import keys
    from deploy.venue.paths import NOTARY_KEY
    from schemas import signatures

    path = keys.key_path(paths.home.keys, NOTARY_KEY)
    if not path.exists():
        return False
    return (
        signatures.public_key(keys.load(paths.home.keys, NOTARY_KEY)) == found.founding.notary_key
    )


def export(
    sequences: Annotated[str, typer.Argument(metavar="FIRST..LAST", help="Of the log.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    states: Annotated[
        bool, typer.Option("--states", help="With states, so that decisions can be made again.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write messages of the log, and the seals that prove them, to one file.

    Anyone checks it with `everything verify --bundle FILE --key KEY`, without this venue.
    """
    import msgspec

    match = _RANGE.fullmatch(sequences)
    if match is None:
        raise InputError(f"{sequences!r} is no range such as 120..180")
    with _disk(), bar("exporting", quiet=as_json) as update:
        manifest = asyncio.run(_export(int(match[1]), int(match[2]), output, states, update))
    if as_json:
        document({**msgspec.to_builtins(manifest), "file": str(output)})
        return
    say(f"messages {manifest.start:,} to {manifest.end:,}, from seal to seal, are in {output}")
    say("give the venue's root or notary key by another way: everything venue")


async def _export(first: int, last: int, output: Path, states: bool, update: Any) -> Any:
    from deploy.venue.engines import all_engines
    from deploy.venue.paths import VenuePaths
    from replay.bundle import export as bundle

    paths = VenuePaths(Settings())
    log = await paths.log("replay")
    try:
        engines = all_engines(paths.shard) if states else ()
        return await bundle.export(log, first, last, output, states=engines, progress=update)
    finally:
        await log.close()


@contextmanager
def _disk() -> Iterator[None]:
    """Turn what a disk says into an error of ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"{error.filename} is not there") from error
    except OSError as error:
        raise StoreUnavailable(f"{error.filename or 'the disk'}: {error.strerror}") from error


def _told(found: "Archive") -> dict[str, Any]:
    return {
        **found.founding._asdict(),
        "messages": found.last,
        "sealed_through": found.sealed_through,
        "segments": len(found.segments),
        "chain": found.chain,
    }


def _say_archive(found: "Archive") -> None:
    say(f"venue {found.founding.venue_id}")
    say(f"  root key {found.founding.root_key}, notary key {found.founding.notary_key}")
    say(f"{found.last:,} messages, {found.sealed_through:,} of them sealed")
    say(f"chain after message {found.last}: {found.chain}")
