"""After the chaos: the archive alone brings the venue back, and all of it is the same."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.chaos.reckoning import Reckoning
from tests.support.venue import Venue
from tests.support.waiting import wait_for

SAME: Final = (
    "venue",
    "policies",
    "keys",
    "stocks",
    "accounts",
    "credits",
    "orders",
    "trade_history",
    "positions",
)
"""Tables that nothing changes while nobody trades; seals, fetches and bars go on by themselves."""
_PROJECTED_WITHIN_S: Final = 120
Say = Callable[[str], None]


class Kept(NamedTuple):
    """What a venue was when its whole log went into an archive."""

    archive: Path
    keys: Path
    root_key: str
    messages: int
    verified: dict[str, Any]
    tables: dict[str, str]


def keep(venue: Venue, archive: Path) -> Kept:
    """Archive all of a quiet venue's log, and note what it says up to there."""
    told = venue.json("archive", "--to", str(archive), "--all")
    messages = int(told["messages"])
    return Kept(
        archive,
        venue.home / "keys",
        told["root_key"],
        messages,
        venue.json("verify", "--until", str(messages)),
        _tables(venue),
    )


def _tables(venue: Venue) -> dict[str, str]:
    rebuilt = venue.json("rebuild")
    assert rebuilt["equal"]
    return {one["table"]: one["hash"] for one in rebuilt["tables"] if one["table"] in SAME}


def bring_back(venue: Venue, folder: Path, reckoning: Reckoning, say: Say) -> None:
    """Archive a quiet venue into `folder`, and compare what comes of the archive alone."""
    check_restored(keep(venue, folder / "archive"), folder / "restored", reckoning, say)


def check_restored(kept: Kept, home: Path, reckoning: Reckoning, say: Say) -> None:
    """Make a venue of the archive alone, with the keys of old, and compare all that can be."""
    venue = Venue(home, ingest=False)
    home.mkdir()
    shutil.copytree(kept.keys, home / "keys")
    told = venue.json("restore", "--from", str(kept.archive), "--key", kept.root_key)
    if (told["messages"], told["lost"]) != (kept.messages, []):
        reckoning.blame("restored something else", told)
    venue.start()
    try:
        verified = venue.json("verify", "--until", str(kept.messages))
        for what in ("exit_code", "chain", "account", "engines"):
            if verified[what] != kept.verified[what]:
                found = (verified[what], kept.verified[what])
                reckoning.blame(f"restored: {what} differs", found)

        def projected() -> bool:
            done = venue.json("status")["processes"].get("projector", {})
            return int(done.get("sequence", 0)) >= kept.messages

        wait_for("all that was restored is projected", projected, _PROJECTED_WITHIN_S)
        tables = _tables(venue)
        for name, hash_ in kept.tables.items():
            if tables[name] != hash_:
                reckoning.blame("restored: table differs", name)
        say(f"restored {kept.messages:,} messages from the archive alone; chain and tables equal")
    finally:
        if venue.stop() or venue.leftovers():
            reckoning.blame("the restored venue did not stop well", venue.leftovers())
    reckoning.figures["messages restored"] = kept.messages
