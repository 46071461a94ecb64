"""Venues that earlier releases made, kept in `tests/venues`, one of each released format."""

import copy
import json
import zlib
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from deploy.venue.engines import all_engines
from replay.archive.restore import restore
from replay.archive.segments import Segment, SegmentFolder
from replay.archive.segments_check import Archive, check
from replay.verify.releases import RELEASES as RELEASES_OF
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

    @cached_property
    def followed(self) -> dict[str, int]:
        """The records of each engine that decides otherwise today than the release did."""
        told = self.expected["verify"]["engines"]
        raised = (
            engine.name
            for engine in all_engines(self.expected["verify"]["shard"])
            if RELEASES_OF[engine.decider] != self.release
        )
        return {name: told[name]["records"] for name in raised}

    @property
    def verified(self) -> dict[str, Any]:
        """What today's release says of the venue: as the release did, but for what it follows."""
        told: dict[str, Any] = copy.deepcopy(self.expected["verify"])
        for name in self.followed:
            told["engines"][name] |= {"redecided": 0, "state_hashes": 0}
            del told["engines"][name]["applied"]
        told["exit_code"] = 2 if self.followed else 0
        return told

    def hashes(self, engines: dict[str, str]) -> dict[str, str]:
        """Return the state hashes, by engine, of those that write their states as the release."""
        return {name: hash_ for name, hash_ in engines.items() if name not in self.followed}

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
