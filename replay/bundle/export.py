"""Evidence bundles: some messages of a log in one file that proves itself to who has a key.

The file is text where the log is: a line with the SHA-256 of all that follows it, a line of
JSON (the manifest), and messages framed as in a segment. The messages are those asked for
and as many around them as it takes to stand between two signed seals: the chain hash that
the first seal says, linked over every message, is the one that the second seal says.

With states, records that stand before the range are in it, too: from the last one with a
state hash on (and then that state), or from the first one. Each record names the hash of
the one before it, so the first record within the range vouches for them.
"""

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from engines.kernel import Engine, fold, recorded_state_hash
from replay.archive.founding import founding_of, seal_of
from replay.archive.segments import Frames, Seal, frame
from replay.limits import MAX_BUNDLE_BYTES, MAX_BUNDLE_MESSAGES
from replay.progress import OnProgress
from schemas.chain import GENESIS_HASH, link
from schemas.codec import encode
from schemas.errors import (
    InputError,
    LogDiverged,
    MalformedMessage,
    NotFound,
    TooLarge,
)
from schemas.events.notary import Sealed
from schemas.record_chain import Head
from schemas.records import EVENT_MESSAGES
from schemas.stored import Stored
from schemas.subjects import NOTARY, events
from streams.log.cursor import Cursor
from streams.log.ports import Log

_DIGEST_BYTES: Final = 64
STATE: Final = "state."
"""The subject of the frame that holds an engine's state begins so."""


class Prelude(msgspec.Struct, frozen=True):
    """How many records of an engine's come before the range, and whether a state does."""

    engine: str
    records: int
    state: bool


class Manifest(msgspec.Struct, tag_field="type", tag="bundle/1", frozen=True):
    """What a bundle holds: messages `start` to `end`, of which `first` to `last` were asked for.

    `chain` is the chain hash before `start`, which the seal `before` proves; it is None
    when `start` is the log's first message. `after` proves the one at `end`.
    """

    shard: str
    genesis: Seal
    first: int
    last: int
    start: int
    end: int
    chain: str
    before: Seal | None
    after: Seal
    preludes: list[Prelude]


class Held(msgspec.Struct):
    """A prelude that was read: records before the range, and a state at the first of them."""

    records: list[Stored]
    state: bytes | None


class Bundle(msgspec.Struct):
    """A bundle that was read; nothing of it has been checked but its form."""

    manifest: Manifest
    preludes: dict[str, Held]
    messages: list[Stored]
    whole: bool
    """Whether the file has the SHA-256 in its first line."""


def genesis_of(manifest: Manifest) -> Stored:
    """Return the log's first message, from a bundle that need not reach back to it."""
    signed = manifest.genesis.record.encode()
    key = msgspec.json.decode(signed, type=_Key).key
    return Stored(manifest.genesis.sequence, f"{manifest.shard}.cmd.admin.{key}", signed)


class _Key(msgspec.Struct):
    key: str


def read(path: Path) -> Bundle:
    """Read a bundle. Raises MalformedMessage naming the place, OSError, TooLarge."""
    size = path.stat().st_size
    if size > 2 * MAX_BUNDLE_BYTES:
        raise TooLarge(f"a bundle of {size:,} bytes; at most {2 * MAX_BUNDLE_BYTES:,} are read")
    held: list[Stored] = []
    with path.open("rb") as file:
        whole = file.read(_DIGEST_BYTES + 1)
        found = sha256()
        frames = Frames(_Hashing(file, found), 2 * MAX_BUNDLE_BYTES)
        try:
            manifest = msgspec.json.decode(frames.line(), type=Manifest)
            while (message := frames.next()) is not None:
                held.append(message)
            if not frames.at_end():
                raise ValueError("there is more behind its last message")
            preludes, messages = _sorted(manifest, held)
        except (ValueError, msgspec.MsgspecError) as error:
            behind = f"behind sequence {held[-1].sequence}" if held else "in its manifest"
            raise MalformedMessage(f"not a bundle, {behind}: {error}") from error
    return Bundle(manifest, preludes, messages, whole == found.hexdigest().encode() + b"\n")


class _Hashing:
    """Hashes what is read."""

    def __init__(self, file: IO[bytes], found: Any) -> None:
        self._file = file
        self._found = found

    def read(self, size: int, /) -> bytes:
        data = self._file.read(size)
        self._found.update(data)
        return data


def _sorted(manifest: Manifest, held: list[Stored]) -> tuple[dict[str, Held], list[Stored]]:
    preludes: dict[str, Held] = {}
    at = 0
    for prelude in manifest.preludes:
        state = None
        if prelude.state:
            state = held[at].payload if at < len(held) else b""
            at += 1
        records = held[at : at + prelude.records]
        if prelude.records < 0 or len(records) < prelude.records:
            raise ValueError(f"the records of {prelude.engine} before the range are missing")
        preludes[prelude.engine] = Held(records, state)
        at += prelude.records
    return preludes, held[at:]


# -- making one ------------------------------------------------------------------------


async def export(
    log: Log,
    first: int,
    last: int,
    path: Path,
    *,
    states: Sequence[Engine[Any]] = (),
    progress: OnProgress | None = None,
) -> Manifest:
    """Write the messages `first` to `last` of `log` and what proves them to the file `path`.

    `states` are fresh engines whose decisions in the range can then be made again. Raises
    NotFound when the notary has not sealed `last` yet, InputError for a range that is
    none, TooLarge beyond MAX_BUNDLE_MESSAGES or MAX_BUNDLE_BYTES, LogDiverged when the
    log is not what was sealed.
    """
    if not 1 <= first <= last:
        raise InputError(f"{first}..{last} is no range of sequences")
    genesis = await log.get(1)
    if genesis is None:
        raise NotFound("the log is empty")
    key = founding_of(genesis, log.shard).notary_key
    before, after = await _seals_around(log, first, last, key)
    start, chain = (1, GENESIS_HASH) if before is None else (before[1].through + 1, before[1].chain)
    manifest = Manifest(
        shard=log.shard,
        genesis=_seal(genesis),
        first=first,
        last=last,
        start=start,
        end=after[1].through,
        chain=chain,
        before=None if before is None else _seal(before[0]),
        after=_seal(after[0]),
        preludes=[],
    )
    if manifest.end - start >= MAX_BUNDLE_MESSAGES:
        raise TooLarge(f"{start} to {manifest.end} is more than {MAX_BUNDLE_MESSAGES:,} messages")
    preludes: dict[str, Held] = {}
    for engine in states if start > 1 else ():
        held = None if engine.name == NOTARY else await _prelude(log, engine, manifest)
        if held is not None:
            preludes[engine.name] = held
    listed = [Prelude(n, len(h.records), h.state is not None) for n, h in preludes.items()]
    manifest = msgspec.structs.replace(manifest, preludes=listed)
    await _write(log, path, manifest, preludes, after[1].chain, progress)
    return manifest


def _seal(message: Stored) -> Seal:
    return Seal(message.sequence, message.payload.decode())


async def _seals_around(
    log: Log, first: int, last: int, key: str
) -> tuple[tuple[Stored, Sealed] | None, tuple[Stored, Sealed]]:
    """Return the last seal of what stands before `first`, and the first one that covers `last`."""
    before = None
    async with aclosing(_records(log, NOTARY)) as records:
        async for message in records:
            seal = seal_of(message, log.shard, key)
            if seal.through < first:
                before = message, seal
            if seal.through >= last:
                return before, (message, seal)
    raise NotFound(f"sequence {last} is not sealed yet, or not on the log")


async def _records(log: Log, engine: str) -> AsyncGenerator[Stored, None]:
    """Yield all that stands on an engine's subject by now."""
    subject = events(log.shard, engine)
    async with Cursor(log, [subject]) as cursor:
        async for messages in cursor.read_to(await cursor.end()):
            for message in messages:
                yield message


async def _prelude(log: Log, engine: Engine[Any], manifest: Manifest) -> Held | None:
    """Return what gives the engine's state before the range, None if it says nothing in it."""
    state, head, held = engine.initial(), Head(), Held([], None)
    async with aclosing(_records(log, engine.name)) as records:
        async for message in records:
            if message.sequence > manifest.end:
                return None
            if message.sequence >= manifest.start:
                return held
            record = EVENT_MESSAGES.decode(message.payload)
            head = fold(engine, state, head, record, message.payload)
            if recorded_state_hash(engine, record) is not None:
                held = Held([], engine.dump(state))
            held.records.append(message)
    return None


async def _write(
    log: Log,
    path: Path,
    manifest: Manifest,
    preludes: dict[str, Held],
    chain: str,
    progress: OnProgress | None,
) -> None:
    """Have `path` appear when it is whole."""
    partial = path.with_name(path.name + ".partial")
    cursor = Cursor(log, [f"{log.shard}.>"], manifest.start - 1)
    try:
        with partial.open("wb") as file:
            out = _BundleWriter(file)
            out.add(encode(manifest) + b"\n")
            for engine, held in preludes.items():
                if held.state is not None:
                    at = held.records[0].sequence
                    out.add(frame(Stored(at, STATE + engine, held.state)))
                out.add(b"".join(map(frame, held.records)))
            last = bytes.fromhex(manifest.chain)
            async for messages in cursor.read_to(manifest.end):
                for message in messages:
                    last = link(last, *message)
                    out.add(frame(message))
                if progress is not None:
                    progress(
                        cursor.position - manifest.start + 1, manifest.end - manifest.start + 1
                    )
            if last.hex() != chain:
                what = f"messages {manifest.start} to {manifest.end}"
                raise LogDiverged(f"{what} are not what was sealed; nothing was exported")
            out.finish()
        partial.replace(path)
    finally:
        await cursor.close()
        partial.unlink(missing_ok=True)


class _BundleWriter:
    """Writes what follows the first line, and then that line."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = sha256()
        self._size = 0
        file.write(b" " * _DIGEST_BYTES + b"\n")

    def add(self, data: bytes) -> None:
        """Write `data`. Raises TooLarge beyond MAX_BUNDLE_BYTES."""
        self._size += len(data)
        if self._size > MAX_BUNDLE_BYTES:
            raise TooLarge(f"a bundle of more than {MAX_BUNDLE_BYTES:,} bytes")
        self._digest.update(data)
        self._file.write(data)

    def finish(self) -> None:
        """Write the first line, and force all of it to the disk."""
        self._file.seek(0)
        self._file.write(self._digest.hexdigest().encode())
        self._file.flush()
        os.fsync(self._file.fileno())
