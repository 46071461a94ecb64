"""A projector as a process of its own, to be killed: `python -m tests.projections.projecting`.

Its log is made from the seed at every start, with the same bytes every time.
"""

import asyncio
import sys

from projections.store.projector import Projector
from tests.projections.story import told


async def _main(dsn: str, seed: int, records: int) -> None:
    server = told(seed, records).scribe.server
    await Projector(server.connect("process"), dsn, writer="process").run()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
