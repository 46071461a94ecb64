"""One deed in a process of its own: `python -m tests.siege.worker NAME GROUND SECONDS`.

It says that it is ready, waits for a line, and prints in the end what it noted. It ends by
itself, and gives way to everything else on the machine.
"""

import asyncio
import os
import random
import resource
import signal
import sys
from pathlib import Path
from typing import Final

import msgspec

from deploy.processes.giving_way import give_way
from tests.siege.attacks import BY_NAME
from tests.siege.ground import Acting, Deed, Ground, Tally

NICENESS: Final = 19
_GRACE_S: Final = 75
_FILES: Final = 8_192


def main(name: str, ground_path: str, seconds: str) -> None:
    """Do it, and print the tally as JSON."""
    os.setsid()
    give_way(NICENESS)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, hard), hard))
    ground = msgspec.json.decode(Path(ground_path).read_bytes(), type=Ground)
    acting = Acting(ground, Tally(), random.Random(f"{ground.seed} {name}"))
    attack = BY_NAME[name]
    print("ready", flush=True)
    if not sys.stdin.readline():
        return  # whoever started it is no more
    signal.alarm(int(float(seconds)) + _GRACE_S)  # whatever happens, it does not stay
    deed = attack.attack if ground.side == "attack" else attack.behaved
    asyncio.run(_act(deed, acting, float(seconds)))
    print(msgspec.json.encode(acting.tally.answers).decode())


async def _act(deed: Deed, acting: Acting, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await deed(acting)
    except TimeoutError:
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
