"""Venues that earlier releases made, kept in `tests/venues`, one of each released format."""

import json
import zlib
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from replay.archive.restore import restore
from replay.archive.segments import Segment, SegmentFolder
from replay.archive.segments_check import Archive, check
from tests.house.source import ROOT
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import simulate

VENUES: Final = ROOT / "tests" / "venues"


class ReleasedVenue:
    """A venue's archive and keys, and what its release said of it."""

    def __init__(self, release: str) -> None:
        self.release = release
        self.folder = VENUES / release
        self.expected: dict[str, Any] = json.loads((self.folder / "expected.json").read_text())

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def archive_folder(self) -> Path:
        return self.folder / "archive"

    @cached_property
    def archive(self) -> Archive:
        """The archive, checked against the venue's root key."""
        return check(
            SegmentFolder(self.archive_folder, self.expected["verify"]["shard"]),
            key=self.expected["root_key"],
        )

    def server(self) -> SimulatedServer:
        """Return a simulated log that was restored from the archive."""
        server = SimulatedServer(self.expected["verify"]["shard"])
        simulate(restore(server.connect("restorer"), self.archive))
        return server


@cache
def released(release: str) -> ReleasedVenue:
    return ReleasedVenue(release)


RELEASES: Final = tuple(sorted(path.parent.name for path in VENUES.glob("*/expected.json")))


def differences(expected: Any, found: Any, place: str = "") -> list[str]:
    """Return where `found` lacks or changes what `expected` says; a newer release may say more."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            line
            for field, value in expected.items()
            for line in differences(value, found.get(field), f"{place}.{field}")
        ]
    return [] if expected == found else [f"{place}: {expected!r} is now {found!r}"]


def contents(segments: list[Segment]) -> list[tuple[int, int, bool, str]]:
    """Return what each segment holds: its range and the SHA-256 of its unpacked bytes.

    The hash in a segment's name is over packed bytes, and another zlib packs otherwise.
    """
    return [
        (
            segment.name.first,
            segment.name.last,
            segment.name.sealed,
            sha256(zlib.decompress(segment.path.read_bytes(), 31)).hexdigest(),
        )
        for segment in segments
    ]
