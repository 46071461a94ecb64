"""The historian: keeps what the tables once said, and engine states to start folds from."""

import asyncio
from functools import partial
from typing import Any

from deploy.observe.heartbeat import heartbeat
from deploy.processes.until_stopped import run_until_stopped
from deploy.venue.engines import all_engines
from deploy.venue.paths import VenuePaths, writer_name
from deploy.venue.state_service import snapshot_stores
from projections.history.historian import Historian
from replay.travel.travel import Keeper
from streams.log.tasks import run_until_first_exits


async def run(paths: VenuePaths, stop: asyncio.Event) -> None:
    """Keep the history until `stop`."""
    log = await paths.log("historian")
    try:
        historian = Historian(log, paths.database_url, writer=writer_name())
        keeper = Keeper(log, partial(all_engines, paths.shard), snapshot_stores(paths))

        def status() -> dict[str, Any]:
            return {**historian.status(), "travel_snapshots": keeper.saved}

        async with heartbeat(paths, "historian", status):
            await run_until_stopped(stop, run_until_first_exits(historian.run(), keeper.run()))
    finally:
        await log.close()
