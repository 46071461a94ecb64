"""The processes of one phase: one for each attack, or for its well-behaved twin, at nice 19."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from tests.siege.ground import Ground

ROOT: Final = Path(__file__).parents[2]
READY_WITHIN_S: Final = 180
END_WITHIN_S: Final = 90

Process = asyncio.subprocess.Process


class Workers:
    """Started by `ready`, let loose by `go`, and gone after `tallies`."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        self._names = names
        self._processes: dict[str, Process] = {}

    async def ready(self, ground: Ground, seconds: float) -> None:
        """Start all of them, and wait until each is ready to act for so long."""
        path = self._folder / f"ground-{ground.side}.json"
        path.write_bytes(msgspec.json.encode(ground))
        for name in self._names:
            with (self._folder / "workers.log").open("ab") as log:
                self._processes[name] = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "tests.siege.worker"),
                    *(name, str(path), str(seconds)),
                    cwd=ROOT,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                )
        async with asyncio.timeout(READY_WITHIN_S):
            for name, process in self._processes.items():
                assert process.stdout is not None
                said = await process.stdout.readline()
                assert said == b"ready\n", f"{name} did not start: {self.complaints()}"

    def go(self) -> None:
        """Let them loose, all at once."""
        for process in self._processes.values():
            assert process.stdin is not None
            process.stdin.write(b"go\n")

    async def tallies(self) -> dict[str, Counter[str]]:
        """Wait until all have ended by themselves; return what each noted."""
        async with asyncio.timeout(END_WITHIN_S):
            told = await asyncio.gather(*(one.communicate() for one in self._processes.values()))
        found = {}
        for (name, process), (said, _) in zip(self._processes.items(), told, strict=True):
            assert process.returncode == 0, f"{name}: {process.returncode}: {self.complaints()}"
            found[name] = Counter(msgspec.json.decode(said, type=dict[str, int]))
        return found

    async def end(self) -> None:
        """End what still runs."""
        for process in self._processes.values():
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # what it started, too
                await process.wait()

    def complaints(self) -> str:
        """Return the end of what they said on stderr."""
        return (self._folder / "workers.log").read_text()[-2_000:]
