"""Archives of a venue that lived, made and read back in tests."""

import gzip
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from replay.archive.archiver import Archiver, Bounds
from replay.archive.segments import Segment, SegmentFolder
from replay.archive.segments_check import Archive, check
from schemas.chain import link
from schemas.stored import Stored
from tests.replay.venue import server_with
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import VirtualClock, simulate

SMALL = Bounds(messages=30, bytes=10**9, after_ns=10**15)
"""Segments of thirty messages and more, so that a short log has several."""


def archive(
    server: SimulatedServer, path: Path, bounds: Bounds = SMALL, *, unsealed: bool = False
) -> SegmentFolder:
    """Archive once, and return the folder."""
    folder = SegmentFolder(path, "main")

    async def run() -> None:
        archiver = Archiver(server.connect("archiver"), VirtualClock(), folder, bounds)
        try:
            await archiver.finish(unsealed=unsealed)
        finally:
            await archiver.close()

    simulate(run())
    return folder


def archived(messages: Sequence[Stored], path: Path, *, unsealed: bool = False) -> SegmentFolder:
    """Archive a log of these messages."""
    return archive(server_with(list(messages)), path, unsealed=unsealed)


def contents(folder: SegmentFolder) -> list[Stored]:
    """Return all that an archive holds, checked."""
    found: Archive = check(folder)
    return list(found.messages("main"))


def chain_of(messages: Sequence[Stored]) -> str:
    chain = bytes(32)
    for message in messages:
        chain = link(chain, *message)
    return chain.hex()


def rewrite(segment: Segment, old: bytes, new: bytes) -> Segment:
    """Change a segment's content, and its name, as somebody who can hash would."""
    content = gzip.decompress(segment.path.read_bytes())
    assert old in content, old
    data = gzip.compress(content.replace(old, new, 1), 1, mtime=0)
    name = segment.name._replace(digest=sha256(data).hexdigest())
    segment.path.unlink()
    changed = Segment(segment.path.with_name(str(name)), name)
    changed.path.write_bytes(data)
    return changed
