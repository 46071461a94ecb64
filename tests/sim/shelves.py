"""Where hosts keep snapshots in a simulation: a shelf outlives them, a hand on it does not."""

import random

from streams.host.snapshots import Snapshot, SnapshotMemory, SnapshotOrigin
from tests.sim.plan import Keeping


class Shelf(SnapshotMemory):
    """The disk of one engine's snapshots."""


class Hand:
    """One life's access to a shelf: `snapshots.Snapshots` with what goes wrong on a disk."""

    def __init__(self, shelf: Shelf, rates: Keeping, dice: random.Random) -> None:
        self._shelf = shelf
        self._rates = rates
        self._dice = dice
        self._alive = True

    @property
    def code(self) -> str:
        return self._shelf.code

    def die(self) -> None:
        """Let nothing more be written."""
        self._alive = False

    def heal(self) -> None:
        """Let nothing more go wrong."""
        self._rates = Keeping()

    async def save(self, snapshot: Snapshot) -> None:
        """Keep `snapshot`, if the disk takes it."""
        if self._alive:
            self._write()
            await self._shelf.save(snapshot)

    async def load(self) -> list[Snapshot]:
        """Return what is whole; some may be lost or not what was written."""
        if self._strikes(self._rates.lost_e4):
            self._shelf.kept.clear()
        kept = await self._shelf.load()
        if kept and self._strikes(self._rates.damaged_e4):
            data = kept[0].data
            place = self._dice.randrange(len(data))
            flipped = bytes([data[place] ^ 1])
            kept[0] = Snapshot(kept[0].header, data[:place] + flipped + data[place + 1 :])
            self._shelf.kept = list(kept)
        return kept

    async def save_origin(self, origin: SnapshotOrigin) -> None:
        """Keep `origin`, if the disk takes it."""
        if self._alive:
            self._write()
            await self._shelf.save_origin(origin)

    async def load_origin(self) -> SnapshotOrigin | None:
        """Return the origin."""
        return await self._shelf.load_origin()

    def _write(self) -> None:
        if self._strikes(self._rates.unwritable_e4):
            raise OSError("no space left on the disk")

    def _strikes(self, rate_e4: int) -> bool:
        return bool(rate_e4) and self._dice.randrange(10_000) < rate_e4
