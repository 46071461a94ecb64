"""The feeds process: folds records into the FEED stream."""

import asyncio

from deploy.observe.heartbeat import heartbeat
from deploy.processes.until_stopped import until
from deploy.venue.paths import Place, writer_name
from projections.feeds.nats_feed import NatsFeed
from projections.feeds.process import Feeds
from streams.log.clock import SystemClock


async def run(place: Place, stop: asyncio.Event) -> None:
    """Publish until `stop`."""
    log, feed = await place.log("feeds"), await place.feed("feeds")
    try:
        feeds = Feeds(log, NatsFeed(feed), SystemClock(), writer=writer_name())
        async with heartbeat(place, "feeds", feeds.status):
            await until(stop, feeds.run())
    finally:
        await log.close()
        await feed.close()
