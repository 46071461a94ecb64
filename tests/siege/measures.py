"""What a siege could make grow: the memory of each process, and the bytes on disk by part."""

import asyncio
import contextlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from streams.log.nats_log import NatsLog
from tests.support.venue import Venue

LOOK_EVERY_S: Final = 5
MB: Final = 1e6


@dataclass
class Memory:
    """Resident bytes of one process and its children: at first, at last, the most by phase."""

    start: int = 0
    end: int = 0
    most: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class MemoryWatch:
    """Looks at every process of a venue, now and then."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.phase: str | None = None
        self.processes: dict[str, Memory] = {}
        self.pids: dict[str, set[int]] = defaultdict(set)

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop`."""
        while not stop.is_set():
            await asyncio.to_thread(self.look)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)

    def look(self) -> None:
        """Note what each process holds."""
        with contextlib.suppress(json.JSONDecodeError):
            for name, pid in {**self._venue.pids(), "up": self._venue.up_pid}.items():
                self.pids[name].add(pid)
                held = sum(_resident(pid, with_children=name != "up"))
                seen = self.processes.setdefault(name, Memory(start=held))
                seen.end = held
                if self.phase is not None:
                    seen.most[self.phase] = max(seen.most[self.phase], held)


def _resident(pid: int, *, with_children: bool) -> Iterator[int]:
    """Yield the proportional share of memory of a process and of what it started."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *(process.children(recursive=True) if with_children else ())):
            with contextlib.suppress(psutil.Error):
                yield one.memory_full_info().pss


def bytes_below(folder: Path) -> int:
    """Return the size of all files below a folder, which may change meanwhile."""
    total = 0
    for below, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(below) / name).stat().st_size
    return total


async def disk(venue: Venue, log: NatsLog) -> dict[str, int]:
    """Return the bytes of each part of the venue."""
    folders = {"logs": "logs", "Postgres": "postgres", "archive": "archive", "nats-server": "nats"}
    sizes = {name: bytes_below(venue.home / folder) for name, folder in folders.items()}
    return {"the log": (await log.stream.size())["bytes"], **sizes}
