"""The feeds process: folds records into the FEED stream."""

import asyncio

from deploy.observe.heartbeat import heartbeat
from deploy.processes.until_stopped import run_until_stopped
from deploy.venue.paths import VenuePaths, writer_name
from projections.feeds.nats_feed import NatsFeed
from projections.feeds.process import Feeds
from streams.log.clock import SystemClock


async def run(paths: VenuePaths, stop: asyncio.Event) -> None:
    """Publish until `stop`."""
    log, feed = await paths.log("feeds"), await paths.feed("feeds")
    try:
        feeds = Feeds(log, NatsFeed(feed), SystemClock(), writer=writer_name())
        async with heartbeat(paths, "feeds", feeds.status):
            await run_until_stopped(stop, feeds.run())
    finally:
        await log.close()
        await feed.close()
