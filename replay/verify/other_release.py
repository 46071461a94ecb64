"""Have another release decide again what this one only follows (decision 0053).

The other release is a checkout of its tag. It gets the log from the first message on as an
evidence bundle, in a child process with its own code, and checks that by its own
`everything verify --bundle`: it builds its state itself and compares every state hash that
its records carry. A bundle's format and that command never change, so this works with every
release. Nothing of the other release is imported here.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from replay.archive.founding import founding_of
from replay.bundle.export import Manifest, export
from replay.limits import OTHER_RELEASE_TIMEOUT_S
from replay.verify.report import Finding, FollowedRange, Report
from schemas.errors import EverythingError, InputError, NotFound, OperatingError
from schemas.records import EVENT_MESSAGES
from schemas.subjects import NOTARY, events
from streams.log.ports import Log

_COMMAND_LINES: Final = ("everything.deploy.cli", "deploy.cli")
"""The module that is `everything` in a release: before and after the rooms moved to the root."""
_ENVIRONMENT: Final = ("PATH", "LANG", "TMPDIR")
"""What the child sees of the environment: a bundle needs no venue."""
_ERROR_CHARS: Final = 300


class _Finding(msgspec.Struct):
    """A finding of any release; its kind may be one that is unknown here."""

    kind: str
    sequence: int
    note: str
    engine: str = ""


class _Engine(msgspec.Struct):
    redecided: int
    state_hashes: int
    applied: dict[str, int]


class _Replay(msgspec.Struct):
    through: int
    chain: str
    engines: dict[str, _Engine]
    findings: list[_Finding]


class BundleAnswer(msgspec.Struct):
    """What a release says of a bundle, as far as it matters here."""

    findings: list[_Finding]
    unable: list[str]
    replay: _Replay | None


async def decide_with(log: Log, report: Report, checkout: Path) -> None:
    """Have the release in `checkout` decide again what `report` says was followed.

    What it confirms moves from `followed` to `decided_elsewhere`, what it contradicts becomes a
    finding, and why it could not say stands in `unable`. Only sealed messages go into a
    bundle. Raises InputError when `checkout` is none.
    """
    command = command_of(checkout)
    try:
        ranges = await _sealed(log, report, checkout)
        if not ranges:
            return
        with TemporaryDirectory(prefix="everything-") as folder:
            path = Path(folder) / "log.bundle"
            manifest = await export(log, 1, max(one.last_sequence for one in ranges), path)
            answer = await _ask(command, checkout, path, await _root_key(log))
        replay = _whole(answer, manifest)
    except EverythingError as error:
        report.unable.append(f"with {checkout}: {error}")
        return
    decided = [one for one in ranges if _has_decider(replay, one)]
    for one in decided:
        _take(report, one, replay, checkout)
    if not decided:
        report.unable.append(f"with {checkout}: it has none of the deciders that were followed")


def command_of(checkout: Path) -> list[str]:
    """Return how to run `everything` of a checkout, with its own interpreter if it has one.

    Raises InputError when there is no release in it.
    """
    checkout = checkout.resolve()
    for module in _COMMAND_LINES:
        if (checkout / module.replace(".", "/") / "__main__.py").is_file():
            own = checkout / ".venv" / "bin" / "python"
            python = str(own) if own.exists() else sys.executable
            return [python, "-P", "-m", module]
    raise InputError(f"{checkout} is no checkout of a release: it has no command line")


async def _sealed(log: Log, report: Report, checkout: Path) -> list[FollowedRange]:
    """Return what was followed and stands under a seal, and note what does not yet."""
    last = await log.last(events(log.shard, NOTARY))
    through = 0 if last is None else EVENT_MESSAGES.decode(last.payload).last_input
    ranges = [one for one in report.followed if one.last_sequence <= through]
    for one in report.followed:
        if one.last_sequence > through:
            report.unable.append(f"with {checkout}: {one} are sealed through {through:,} only")
    return ranges


async def _root_key(log: Log) -> str:
    genesis = await log.get(1)
    if genesis is None:
        raise NotFound("the log is empty")
    return founding_of(genesis, log.shard).root_key


async def _ask(command: list[str], checkout: Path, bundle: Path, key: str) -> BundleAnswer:
    """Return what the checkout's own `verify --bundle` says. Raises OperatingError."""
    process = await asyncio.create_subprocess_exec(
        *command, "verify", "--bundle", str(bundle), "--key", key, "--json",
        cwd=bundle.parent,
        env=_environment(checkout),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(OTHER_RELEASE_TIMEOUT_S):
            out, errors = await process.communicate()
    except TimeoutError as error:
        raise OperatingError(f"it does not end within {OTHER_RELEASE_TIMEOUT_S} s") from error
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    try:
        return msgspec.json.decode(out, type=BundleAnswer)
    except msgspec.MsgspecError as error:
        said = (errors or out).decode(errors="replace").strip()[-_ERROR_CHARS:]
        raise OperatingError(f"exit code {process.returncode}: {said or error}") from error


def _environment(checkout: Path) -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return {**kept, "PYTHONPATH": str(checkout.resolve()), "PYTHONDONTWRITEBYTECODE": "1"}


def _whole(answer: BundleAnswer, manifest: Manifest) -> _Replay:
    """Return what was decided again, if all of the bundle was read. Raises OperatingError."""
    replay = answer.replay
    if replay is None:
        why = [f"{one.kind}: {one.note}" for one in answer.findings] or answer.unable
        raise OperatingError(f"it does not read the bundle: {'; '.join(why)}")
    if replay.through < manifest.end:
        raise OperatingError(f"it read {replay.through} of {manifest.end} messages")
    return replay


def _has_decider(replay: _Replay, followed: FollowedRange) -> bool:
    """Tell whether the release has the range's decider: one that it lacks, it follows, too."""
    engine = replay.engines.get(followed.engine)
    return engine is not None and followed.decider not in engine.applied


def _take(report: Report, followed: FollowedRange, replay: _Replay, checkout: Path) -> None:
    """Note what the release says of one range. What it says of later records is not asked."""
    told = [
        one
        for one in replay.findings
        if one.engine == followed.engine and one.sequence <= followed.last_sequence
    ]
    for one in told:
        report.findings.append(_finding(one, checkout))
    if told:
        return
    engine = replay.engines[followed.engine]
    if engine.redecided != followed.records:
        report.unable.append(f"with {checkout}: it decided {engine.redecided} of {followed}")
        return
    report.followed.remove(followed)
    followed.decided_by = str(checkout)
    report.decided_elsewhere.append(followed)
    here = report.engines[followed.engine]
    here.redecided += engine.redecided
    here.state_hashes += engine.state_hashes
    del here.applied[followed.decider]


def _finding(found: _Finding, checkout: Path) -> Finding:
    note = f"{found.kind}: {found.note} (says {checkout})"
    return Finding(kind="decision", sequence=found.sequence, engine=found.engine, note=note)
