"""Role x subject, every cell dialled on a running server.

The tables name, for a subject, the roles that may; every other role must be denied. A
message that is let pass and means nothing to its receiver does no harm here.
"""

from contextlib import AbstractAsyncContextManager

import pytest

from schemas import subjects
from streams.broker import roles
from tests.streams.broker.venue import SHARD, BrokerVenue
from tests.support.native import Raw

ENGINES = frozenset(f"engine-{name}" for name in subjects.ENGINES)
INGEST = frozenset({"scheduler", "fetcher", "browser", "measurer", "llm", "search"})
FETCHERS = frozenset({"fetcher", "browser"})
KEEPERS = frozenset({"archiver", "historian", "restorer"})
LOG_READERS = ENGINES | INGEST | KEEPERS | {"gateway", "relay", "projector", "feeds", "replay"}
FEED_READERS = frozenset({"gateway", "feeds", "replay"})
NOBODY: frozenset[str] = frozenset()
SERVICES = tuple(role.name for role in roles.services(SHARD))
NATIVE = ("trader", "reader")
EVERYONE = (*SERVICES, *NATIVE)


def only(*names: str) -> frozenset[str]:
    return frozenset(names)


MAY_PUBLISH: dict[str, frozenset[str]] = {
    # the log
    "main.cmd.order.alice": only("gateway", "relay", "trader"),
    "main.cmd.order.bob": only("gateway", "relay"),
    "door.main.order.alice": NOBODY,
    "door.main.order.bob": NOBODY,
    "main.cmd.order.alice.more": only("gateway"),
    "main.cmd.order": only("gateway"),
    "main.cmd.account.alice": only("gateway"),
    "main.cmd.admin.UAKEY": only("gateway"),
    "main.obs.article": FETCHERS | {"gateway"},
    "main.obs.article.nyt": NOBODY,
    "main.obs.signals": only("measurer"),
    "main.obs.llm": only("llm"),
    "main.obs.other": NOBODY,
    "main.obs-fetch.nyt": FETCHERS,
    "main.obs-listing.nyt": FETCHERS,
    "main.obs-job.nyt": FETCHERS | {"gateway"},
    "main.obs-other.nyt": NOBODY,
    "main.evt.governance": only("engine-governance"),
    "main.evt.governance.epoch": only("engine-governance"),
    "main.evt.exchange": only("engine-exchange"),
    "main.evt.exchange.epoch": only("engine-exchange"),
    "main.evt.exchange.more": NOBODY,
    "main.evt.pricing": only("engine-pricing"),
    "main.evt.pricing.epoch": only("engine-pricing"),
    "main.evt.notary": only("engine-notary"),
    "main.evt.notary.epoch": only("engine-notary"),
    "main.evt.reality": only("engine-reality"),
    "main.evt.reality.epoch": only("engine-reality"),
    "main.evt.other": NOBODY,
    "main.other": NOBODY,
    "other.cmd.order.alice": NOBODY,
    # jobs, and raw bytes
    "jobs.main.source": only("scheduler", "gateway"),
    "jobs.main.page": only("gateway", "fetcher", "browser"),
    "jobs.main.browser": only("scheduler", "gateway", "fetcher", "browser"),
    "jobs.main.other": NOBODY,
    "jobs.other.page": NOBODY,
    "$O.raw-main.C.x": FETCHERS,
    "$O.raw-main.M.x": FETCHERS,
    "$O.raw-main.x": NOBODY,
    "$O.raw-other.C.x": NOBODY,
    # what was used once
    "$KV.once-main.challenge.x": only("gateway"),
    "$KV.once-main.service.x": only("gateway"),
    "$KV.once-main.x": NOBODY,
    "$KV.once-other.challenge.x": NOBODY,
    "$JS.API.STREAM.CREATE.KV_once-main": only("operator"),
    "$JS.API.STREAM.MSG.GET.KV_once-main": NOBODY,
    "$JS.API.DIRECT.GET.KV_once-main": NOBODY,
    # questions, and answers to nobody's inbox
    "ask.main.search": only("gateway"),
    "ask.main.embed": only("search"),
    "ask.main.other": NOBODY,
    "ask.other.search": NOBODY,
    "answer.main.search.x": only("search"),
    "answer.main.embed.x": only("measurer"),
    "answer.main.embed": NOBODY,
    # feeds
    "feed.main.market.ABC.trades": only("feeds"),
    "feed.main.account.alice.orders": only("feeds"),
    "feed.other.market.ABC.trades": NOBODY,
    "live.main.market.ABC.trades": NOBODY,
    # reading
    "$JS.API.STREAM.INFO.LOG_main": LOG_READERS | {"operator"},
    "$JS.API.STREAM.INFO.FEED_main": FEED_READERS | {"operator"},
    "$JS.API.STREAM.INFO.JOBS_main": FETCHERS | {"gateway", "scheduler", "operator"},
    "$JS.API.STREAM.INFO.OBJ_raw-main": FETCHERS | {"operator"},
    "$JS.API.STREAM.INFO.OTHER": NOBODY,
    "$JS.API.STREAM.MSG.GET.LOG_main": LOG_READERS,
    "$JS.API.STREAM.MSG.GET.FEED_main": FEED_READERS,
    "$JS.API.STREAM.MSG.GET.JOBS_main": NOBODY,
    "$JS.API.STREAM.MSG.GET.OBJ_raw-main": FETCHERS,
    "$JS.API.DIRECT.GET.JOBS_main": NOBODY,
    "$JS.API.DIRECT.GET.OBJ_raw-main": NOBODY,
    "$JS.API.DIRECT.GET.LOG_main": LOG_READERS | {"auditor"},
    "$JS.API.DIRECT.GET.LOG_main.main.evt.exchange": LOG_READERS,
    "$JS.API.DIRECT.GET.FEED_main": FEED_READERS,
    "$JS.API.CONSUMER.CREATE.LOG_main": NOBODY,
    "$JS.API.CONSUMER.CREATE.LOG_main.r1": LOG_READERS,
    "$JS.API.CONSUMER.CREATE.LOG_main.r1.main.evt.>": LOG_READERS,
    "$JS.API.CONSUMER.CREATE.FEED_main.r1": FEED_READERS,
    "$JS.API.CONSUMER.CREATE.OTHER.r1": NOBODY,
    "$JS.API.CONSUMER.DURABLE.CREATE.LOG_main.r1": NOBODY,
    "$JS.API.CONSUMER.MSG.NEXT.LOG_main.r1": LOG_READERS,
    "$JS.API.CONSUMER.MSG.NEXT.FEED_main.r1": FEED_READERS,
    "$JS.API.CONSUMER.DELETE.LOG_main.r1": LOG_READERS,
    "$JS.API.CONSUMER.NAMES.LOG_main": NOBODY,
    "$JS.API.CONSUMER.PAUSE.LOG_main.r1": NOBODY,
    "$JS.API.STREAM.NAMES": NOBODY,
    "$JS.ACK.LOG_main.r1.1.1.1.1.0": NOBODY,
    "$JS.FC.LOG_main.r1.x": NOBODY,
    # consumers that remember their place
    "$JS.API.CONSUMER.CREATE.LOG_main.measurer": only("measurer"),
    "$JS.API.CONSUMER.CREATE.LOG_main.measurer.main.obs.article": only("measurer"),
    "$JS.API.CONSUMER.CREATE.LOG_main.measurer.main.evt.>": only("measurer"),
    "$JS.API.CONSUMER.MSG.NEXT.LOG_main.measurer": only("measurer"),
    "$JS.API.CONSUMER.DELETE.LOG_main.measurer": only("measurer"),
    "$JS.API.CONSUMER.INFO.LOG_main.measurer": LOG_READERS,
    "$JS.ACK.LOG_main.measurer.1.1.1.1.0": only("measurer"),
    "$JS.API.CONSUMER.CREATE.LOG_main.llm": only("llm"),
    "$JS.API.CONSUMER.CREATE.LOG_main.llm.main.evt.reality": only("llm"),
    "$JS.API.CONSUMER.MSG.NEXT.LOG_main.llm": only("llm"),
    "$JS.API.CONSUMER.DELETE.LOG_main.llm": only("llm"),
    "$JS.ACK.LOG_main.llm.1.1.1.1.0": only("llm"),
    "$JS.API.CONSUMER.CREATE.JOBS_main.source": NOBODY,
    "$JS.API.CONSUMER.CREATE.JOBS_main.source.jobs.main.source": only("fetcher"),
    "$JS.API.CONSUMER.CREATE.JOBS_main.source.jobs.main.*": NOBODY,
    "$JS.API.CONSUMER.CREATE.JOBS_main.page.jobs.main.page": only("fetcher"),
    "$JS.API.CONSUMER.CREATE.JOBS_main.browser.jobs.main.browser": only("browser"),
    "$JS.API.CONSUMER.CREATE.JOBS_main.r1.jobs.main.source": NOBODY,
    "$JS.API.CONSUMER.DURABLE.CREATE.JOBS_main.source": NOBODY,
    "$JS.API.CONSUMER.INFO.JOBS_main.source": only("fetcher"),
    "$JS.API.CONSUMER.INFO.JOBS_main.browser": only("browser"),
    "$JS.API.CONSUMER.MSG.NEXT.JOBS_main.source": only("fetcher"),
    "$JS.API.CONSUMER.MSG.NEXT.JOBS_main.page": only("fetcher"),
    "$JS.API.CONSUMER.MSG.NEXT.JOBS_main.browser": only("browser"),
    "$JS.API.CONSUMER.DELETE.JOBS_main.source": NOBODY,
    "$JS.ACK.JOBS_main.source.1.1.1.1.0": only("fetcher"),
    "$JS.ACK.JOBS_main.page.1.1.1.1.0": only("fetcher"),
    "$JS.ACK.JOBS_main.browser.1.1.1.1.0": only("browser"),
    "$JS.ACK.JOBS_main.other.1.1.1.1.0": NOBODY,
    "$JS.API.CONSUMER.CREATE.OBJ_raw-main.r1": NOBODY,
    # changing streams
    "$JS.API.INFO": only("operator"),
    "$JS.API.STREAM.CREATE.LOG_main": only("operator"),
    "$JS.API.STREAM.CREATE.FEED_main": only("operator"),
    "$JS.API.STREAM.CREATE.JOBS_main": only("operator"),
    "$JS.API.STREAM.CREATE.OBJ_raw-main": only("operator"),
    "$JS.API.STREAM.CREATE.OTHER": NOBODY,
    "$JS.API.STREAM.UPDATE.LOG_main": NOBODY,
    "$JS.API.STREAM.DELETE.LOG_main": NOBODY,
    "$JS.API.STREAM.PURGE.LOG_main": NOBODY,
    "$JS.API.STREAM.MSG.DELETE.LOG_main": NOBODY,
    "$JS.API.STREAM.UPDATE.FEED_main": NOBODY,
    "$JS.API.STREAM.DELETE.FEED_main": NOBODY,
    "$JS.API.STREAM.PURGE.FEED_main": NOBODY,
    "$JS.API.STREAM.MSG.DELETE.FEED_main": NOBODY,
    "$JS.API.STREAM.PURGE.JOBS_main": NOBODY,
    "$JS.API.STREAM.PURGE.OBJ_raw-main": NOBODY,
    "$JS.API.STREAM.MSG.DELETE.JOBS_main": NOBODY,
    "$JS.API.STREAM.MSG.DELETE.OBJ_raw-main": NOBODY,
    "$JS.API.STREAM.DELETE.JOBS_main": NOBODY,
    "$JS.API.STREAM.SNAPSHOT.LOG_main": NOBODY,
    "$JS.API.STREAM.RESTORE.LOG_main": NOBODY,
    "$JS.API.STREAM.LEADER.STEPDOWN.LOG_main": NOBODY,
    "$JS.API.STREAM.PEER.REMOVE.LOG_main": NOBODY,
    "$JS.API.ACCOUNT.PURGE.LOG": NOBODY,
    "$JS.API.META.LEADER.STEPDOWN": NOBODY,
    # heartbeats
    "status.main.gateway": NOBODY,
    "status.main.projector": only("projector"),
    "status.main.feeds": only("feeds"),
    "status.main.archiver": only("archiver"),
    "status.main.front": only("front"),
    "status.main.relay": only("relay"),
    "status.main.historian": only("historian"),
    "status.main.restorer": NOBODY,
    **{f"status.main.{name}": only(name) for name in INGEST},
    **{f"status.main.{name}": only(name) for name in ENGINES},
    # the server, and others' replies
    "$SYS.REQ.USER.AUTH": NOBODY,
    "$SYS.REQ.USER.INFO": NOBODY,
    "$SYS.REQ.SERVER.PING.VARZ": only("monitor"),
    "$SYS.REQ.SERVER.PING.CONNZ": only("monitor", "door"),
    "$SYS.REQ.SERVER.PING": NOBODY,
    "$SYS.REQ.SERVER.ANY.RELOAD": NOBODY,
    "$SYS.REQ.SERVER.ANY.KICK": only("door"),
    "$SYS.REQ.ACCOUNT.LOG.CONNZ": NOBODY,
    "$SYS._INBOX.x": only("door"),
    "_INBOX.x": NOBODY,
    "_INBOX_gateway.x": NOBODY,
    "_INBOX_alice.x": NOBODY,
    "_INBOX_bob.x": NOBODY,
    "_R_.x": only("relay"),
    "x": NOBODY,
}
for _subject in MAY_PUBLISH:
    if _subject.startswith("main."):
        MAY_PUBLISH[_subject] |= {"restorer"}  # no process has this role: see `roles.restorer`

MAY_SUBSCRIBE: dict[str, frozenset[str]] = {
    ">": NOBODY,
    "*": NOBODY,
    "*.>": NOBODY,
    "_INBOX.>": NOBODY,
    "_INBOX.x": NOBODY,
    "*.x": NOBODY,
    "_R_.>": NOBODY,
    "$SYS.>": NOBODY,
    "$SYS.REQ.>": NOBODY,
    "$SYS.REQ.USER.AUTH": only("door"),
    "$SYS.ACCOUNT.>": NOBODY,
    "$JS.>": NOBODY,
    "$JS.API.>": NOBODY,
    "$JS.EVENT.>": NOBODY,
    "main.>": NOBODY,
    "main.cmd.>": NOBODY,
    "main.cmd.order.alice": NOBODY,
    "door.>": NOBODY,
    "door.main.order.*": only("relay"),
    "door.main.order.alice": only("relay"),
    "door.other.order.*": NOBODY,
    "main.evt.>": NOBODY,
    "main.evt.exchange": NOBODY,
    "main.obs.>": NOBODY,
    "jobs.>": NOBODY,
    "jobs.main.source": NOBODY,
    "$O.>": NOBODY,
    "status.>": NOBODY,
    "status.main.*": only("gateway"),
    "status.main.feeds": only("gateway"),
    "ask.>": NOBODY,
    "ask.main.*": NOBODY,
    "ask.main.search": only("search"),
    "ask.main.embed": only("measurer"),
    "answer.>": NOBODY,
    "answer.main.>": NOBODY,
    "answer.main.search.>": only("gateway"),
    "answer.main.embed.>": only("search"),
    "live.>": NOBODY,
    "live.main.market.ABC.trades": NOBODY,
    "feed.>": NOBODY,
    "feed.main.>": NOBODY,
    "feed.main.market.>": only("reader"),
    "feed.main.market.ABC.trades": only("reader"),
    "feed.main.public.markets": only("reader"),
    "feed.main.account.>": NOBODY,
    "feed.main.account.*.orders": NOBODY,
    "feed.main.account.alice.>": only("reader"),
    "feed.main.account.alice.orders": only("reader"),
    "feed.main.account.bob.orders": NOBODY,
    "feed.*.market.ABC.trades": NOBODY,
    "_INBOX_alice.>": only("trader", "reader"),
    "_INBOX_alice.x.*": only("trader", "reader"),
    "_INBOX_bob.>": NOBODY,
    "_INBOX_bob.x": NOBODY,
    **{f"_INBOX_{name}.>": only(name) for name in SERVICES},
}

MAY_JOIN_QUEUES: dict[str, frozenset[str]] = {
    "feed.main.market.>": NOBODY,
    "feed.main.public.markets": NOBODY,
    "feed.main.account.alice.>": NOBODY,
    "main.cmd.>": NOBODY,
    "door.main.order.*": only("relay"),
    "jobs.main.source": NOBODY,
    "ask.main.search": only("search"),
    "ask.main.embed": only("measurer"),
    "$SYS.REQ.USER.AUTH": only("door"),
}


def dialled(venue: BrokerVenue, role: str) -> AbstractAsyncContextManager[Raw]:
    match role:
        case "trader":
            return venue.raw(venue.trader("alice").seed, "orders")
        case "reader":
            return venue.raw(venue.trader("alice").seed, "feeds")
        case _:
            return venue.raw(venue.keyring.seed(role), role)


@pytest.mark.parametrize("role", EVERYONE)
async def test_who_may_publish(venue: BrokerVenue, role: str) -> None:
    async with dialled(venue, role) as connection:
        found = {subject for subject in MAY_PUBLISH if await connection.may_publish(subject)}
    assert found == {subject for subject, may in MAY_PUBLISH.items() if role in may}


@pytest.mark.parametrize("role", EVERYONE)
async def test_who_may_subscribe(venue: BrokerVenue, role: str) -> None:
    async with dialled(venue, role) as connection:
        found = {subject for subject in MAY_SUBSCRIBE if await connection.may_subscribe(subject)}
    assert found == {subject for subject, may in MAY_SUBSCRIBE.items() if role in may}


@pytest.mark.parametrize("role", EVERYONE)
async def test_who_may_share_messages(venue: BrokerVenue, role: str) -> None:
    async with dialled(venue, role) as connection:
        found = {
            subject for subject in MAY_JOIN_QUEUES if await connection.may_subscribe(subject, "q")
        }
    assert found == {subject for subject, may in MAY_JOIN_QUEUES.items() if role in may}


def test_the_tables_know_every_role() -> None:
    named = frozenset[str]().union(*MAY_PUBLISH.values(), *MAY_SUBSCRIBE.values())
    assert named <= set(EVERYONE)
    assert {role.account for role in roles.services(SHARD)} <= set(roles.ACCOUNTS)


async def test_streams_are_as_they_were_declared(venue: BrokerVenue) -> None:
    """Runs behind the cells above: whatever they asked, nothing was changed."""
    await venue.start()
