"""The streams of a shard as data, and the check that the server's streams are the same.

No stream configuration and no JetStream request says whether the server syncs every write.
Each server says it to the role `monitor`, over NATS (`VARZ`: `jetstream.config.sync_always` and
`sync_interval`). A server that holds a stream and does not answer is refused. The monitoring port
would say it too, and to any web page or login on the machine who is connected (decision 0065).
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from schemas import subjects as names
from schemas.codec import encode
from schemas.errors import ConfigDrift, LogDiverged, LogUnavailable
from schemas.limits import JOBS_DEDUPE_S, MAX_INGEST_BYTES, MAX_KEEP_RAW_DAYS, MAX_PAYLOAD_BYTES
from schemas.units import DAY_NS, SECOND_NS
from streams.log.limits import (
    DEDUPE_WINDOW_NS,
    FEED_MAX_AGE_NS,
    FEED_MAX_PER_CHANNEL,
    JOB_LIFE_S,
    MAX_JOBS,
    MAX_NONCE_BYTES,
    MAX_NONCE_MESSAGE_BYTES,
    MAX_RAW_BYTES,
    MAX_STREAM_CONSUMERS,
    MONITOR_TIMEOUT_S,
)
from streams.log.nats_wire import Wire

RELAXED_SYNC: Final = "10ms"
RELAXED_SYNC_NS: Final = 10_000_000
"""The one relaxed mode, only on request: a power failure may lose the last 10 ms."""

_ASK_ALL: Final = "$SYS.REQ.SERVER.PING.VARZ"
_NO_STREAM: Final = 10059
_UNLIMITED: Final = -1


@dataclass(frozen=True, kw_only=True)
class StreamSpec:
    """One stream as it must be. A feature that is not named here must be off on the server."""

    name: str
    subjects: tuple[str, ...]
    replicas: int = 1
    retention: Literal["limits", "workqueue"] = "limits"
    discard: Literal["new", "old"] = "new"
    max_age_ns: int = 0
    max_messages: int = _UNLIMITED
    max_bytes: int = _UNLIMITED
    max_per_subject: int = _UNLIMITED
    max_message_bytes: int = MAX_PAYLOAD_BYTES
    dedupe_ns: int = DEDUPE_WINDOW_NS
    rollup: bool = False
    """Whether a message may replace all messages of its subject. A stream that allows it
    cannot deny purging, so only permissions protect it."""
    own_lives: bool = False
    """Whether a message may say how long it is kept."""
    republish: tuple[str, str] | None = None
    """Source and destination: each stored message is published again, for subscribers."""

    def config(self) -> dict[str, Any]:
        """Return the stream's configuration in the server's words."""
        config: dict[str, Any] = {
            "name": self.name,
            "subjects": list(self.subjects),
            "retention": self.retention,
            "storage": "file",
            "compression": "s2",
            "num_replicas": self.replicas,
            "discard": self.discard,
            "max_age": self.max_age_ns,
            "max_msgs": self.max_messages,
            "max_bytes": self.max_bytes,
            "max_consumers": _UNLIMITED,
            "max_msgs_per_subject": self.max_per_subject,
            "max_msg_size": self.max_message_bytes,
            "duplicate_window": self.dedupe_ns,
            "deny_delete": True,
            **({"allow_rollup_hdrs": True} if self.rollup else {"deny_purge": True}),
            "allow_atomic": True,
            "allow_direct": True,
            **({"allow_msg_ttl": True} if self.own_lives else {}),
        }
        if self.republish is not None:
            source, destination = self.republish
            config["republish"] = {"src": source, "dest": destination}
        return config


def log_spec(shard: str, replicas: int = 1) -> StreamSpec:
    """Return the spec of the shard's log, which keeps every message for ever."""
    return StreamSpec(name=names.log_stream(shard), subjects=(f"{shard}.>",), replicas=replicas)


def feed_spec(shard: str, replicas: int = 1) -> StreamSpec:
    """Return the spec of the shard's FEED, which keeps a bounded past."""
    return StreamSpec(
        name=names.feed_stream(shard),
        subjects=(names.feed(shard, ">"),),
        replicas=replicas,
        discard="old",
        max_age_ns=FEED_MAX_AGE_NS,
        max_per_subject=FEED_MAX_PER_CHANNEL,
        republish=(names.feed(shard, ">"), names.live(shard, ">")),
    )


def jobs_spec(shard: str, replicas: int = 1) -> StreamSpec:
    """Return the spec of ingest's work queue. A job leaves it when it is done or too old.

    A full queue refuses the next job: the scheduler then waits, and the gateway answers busy.
    """
    return StreamSpec(
        name=names.jobs_stream(shard),
        subjects=(names.jobs(shard, "*"),),
        replicas=replicas,
        retention="workqueue",
        max_age_ns=JOB_LIFE_S * SECOND_NS,
        max_messages=MAX_JOBS,
        max_message_bytes=MAX_INGEST_BYTES,
        dedupe_ns=JOBS_DEDUPE_S * SECOND_NS,
    )


def raw_spec(shard: str, replicas: int = 1) -> StreamSpec:
    """Return the spec of the object store bucket that keeps raw bytes for some days.

    A full bucket refuses new objects, so a source that floods it pushes out no old ones.
    """
    bucket = names.raw_bucket(shard)
    return StreamSpec(
        name=names.raw_stream(shard),
        subjects=(f"$O.{bucket}.C.>", f"$O.{bucket}.M.>"),
        replicas=replicas,
        max_age_ns=MAX_KEEP_RAW_DAYS * DAY_NS,
        max_bytes=MAX_RAW_BYTES,
        rollup=True,
    )


def nonces_spec(shard: str, replicas: int = 1) -> StreamSpec:
    """Return the spec of the bucket of what may be used once, each message with its own life.

    A full bucket refuses the next one: forgetting an old one would let it be used again.
    """
    return StreamSpec(
        name=names.nonces_stream(shard),
        subjects=(names.nonce(shard, "*", "*"),),
        replicas=replicas,
        max_bytes=MAX_NONCE_BYTES,
        max_per_subject=1,
        max_message_bytes=MAX_NONCE_MESSAGE_BYTES,
        own_lives=True,
    )


class SyncReport(msgspec.Struct, frozen=True):
    """How one server syncs its writes."""

    server_id: str
    server_name: str
    always: bool
    interval_ns: int


async def sync_reports(monitor: Wire, servers: Iterable[str]) -> list[SyncReport]:
    """Ask all servers how they sync, until each of `servers` (ids or names) has answered.

    `monitor` is a connection of that role. Returns what was heard within MONITOR_TIMEOUT_S,
    raises LogUnavailable for a connection that is lost.
    """
    missing = set(servers)
    heard: list[SyncReport] = []
    complete = asyncio.Event()

    def hear(_subject: bytes, _reply: bytes, _header: bytes, payload: bytes) -> None:
        if payload:  # a bare status: nobody listens there
            heard.append(_report(msgspec.json.decode(payload)["data"]))
            missing.difference_update((heard[-1].server_id, heard[-1].server_name))
            if not missing:
                complete.set()

    answers = f"{monitor.inbox}.varz"
    subscription = monitor.subscribe(answers, hear)
    try:
        monitor.write(f"PUB {_ASK_ALL} {answers} 0\r\n\r\n".encode())
        async with asyncio.timeout(MONITOR_TIMEOUT_S):
            await complete.wait()
    except TimeoutError:
        pass
    finally:
        monitor.unsubscribe(subscription)
    return heard


def _report(told: dict[str, Any]) -> SyncReport:
    config = told.get("jetstream", {}).get("config") or {}
    return SyncReport(
        server_id=str(told.get("server_id", "")),
        server_name=str(told.get("server_name", "")),
        always=config.get("sync_always") is True,
        interval_ns=int(config.get("sync_interval", 0)),
    )


def check_sync(reports: Sequence[SyncReport], relaxed_sync: str | None = None) -> None:
    """Raise ConfigDrift unless every server syncs always, or as `relaxed_sync` allows."""
    if relaxed_sync not in (None, RELAXED_SYNC):
        raise ConfigDrift(f"relaxed_sync can only be {RELAXED_SYNC!r}, not {relaxed_sync!r}")
    for report in reports:
        relaxed = relaxed_sync is not None and 0 < report.interval_ns <= RELAXED_SYNC_NS
        if not report.always and not relaxed:
            raise ConfigDrift(
                f"server {report.server_name}: jetstream.sync_interval is declared "
                f"{relaxed_sync or 'always'!r}, live {report.interval_ns / 1e9:g} s"
            )


async def ensure_streams(
    wire: Wire,
    specs: Sequence[StreamSpec],
    monitor: Wire,
    relaxed_sync: str | None = None,
    *,
    create: bool = True,
) -> None:
    """Create the streams that are absent, and refuse any that is not as declared.

    With `create` False, as for a venue that has been founded, an absent stream raises
    LogDiverged: nats-server forgets a stream whose store it cannot read, and an empty one
    in its place would look like a new venue. Raises ConfigDrift naming the field, or the
    server that does not say how it syncs.
    Needs `$JS.API.STREAM.INFO.*` and `$JS.API.STREAM.CREATE.*`.
    """
    reports = await sync_reports(monitor, [wire.server_id])
    check_sync(reports, relaxed_sync)
    if wire.server_id not in {report.server_id for report in reports}:
        raise ConfigDrift("the server that we talk to does not say how it syncs")
    for spec in specs:
        info = await _info(wire, spec)
        if info is None:
            if not create:
                raise LogDiverged(f"{spec.name} is gone from the server")
            info = await _create(wire, spec)
        check_stream(spec, info["config"])
        if keepers := _keepers(info):
            reports = await sync_reports(monitor, keepers)
            check_sync(reports, relaxed_sync)
            _check_keepers(spec, keepers, reports)


async def ensure_shard(
    wire: Wire,
    shard: str,
    monitor: Wire,
    relaxed_sync: str | None = None,
    *,
    founded: bool,
) -> None:
    """See to all streams of `shard`. Raises as `ensure_streams` does.

    A founded venue's log must exist. The other streams are created when they are absent: all
    that they hold can be made again, and older venues were founded without some of them.
    """
    log = log_spec(shard)
    others = [feed_spec(shard), jobs_spec(shard), raw_spec(shard), nonces_spec(shard)]
    await ensure_streams(wire, [log], monitor, relaxed_sync, create=not founded)
    await ensure_streams(wire, others, monitor, relaxed_sync)


async def check_consumers(wire: Wire) -> None:
    """Raise ConfigDrift unless the account says how many consumers a stream may have.

    A server that is not told takes 1,000, without a word of it in any configuration.
    Needs `$JS.API.INFO`.
    """
    answer = await _ask(wire, "$JS.API.INFO", b"")
    live = answer.get("limits", {}).get("max_consumers")
    if live != MAX_STREAM_CONSUMERS:
        raise ConfigDrift(f"max_consumers is declared {MAX_STREAM_CONSUMERS}, live {live}")


def check_stream(spec: StreamSpec, live: dict[str, Any]) -> None:
    """Raise ConfigDrift unless the `live` configuration is the declared one, field by field."""
    declared = spec.config()
    for field in sorted(declared.keys() | live.keys()):
        if field == "metadata":
            continue  # the server's own notes on versions
        wanted, found = declared.get(field), live.get(field)
        # A field that only the server knows may be there as long as it is off.
        if wanted != found and (field in declared or found):
            raise ConfigDrift(f"{spec.name}.{field} is declared {wanted!r}, live {found!r}")


def _keepers(info: dict[str, Any]) -> set[str]:
    """Return the servers that keep a stream, by name; none where there is no cluster."""
    cluster = info.get("cluster") or {}
    keepers = [cluster.get("leader"), *[one["name"] for one in cluster.get("replicas") or []]]
    return {str(one) for one in keepers if one}


def _check_keepers(spec: StreamSpec, keepers: set[str], reports: Sequence[SyncReport]) -> None:
    unknown = keepers - {report.server_name for report in reports}
    if unknown:
        raise ConfigDrift(f"{spec.name} is kept by {sorted(unknown)}, whose syncing is unknown")


async def _info(wire: Wire, spec: StreamSpec) -> dict[str, Any] | None:
    answer = await _ask(wire, f"$JS.API.STREAM.INFO.{spec.name}", b"")
    error = answer.get("error")
    if error is None:
        return answer
    if error.get("err_code") == _NO_STREAM:
        return None
    raise LogUnavailable(f"{spec.name}: {error.get('description')}")


async def _create(wire: Wire, spec: StreamSpec) -> dict[str, Any]:
    answer = await _ask(wire, f"$JS.API.STREAM.CREATE.{spec.name}", encode(spec.config()))
    if "error" in answer:
        raise ConfigDrift(f"{spec.name} cannot be created: {answer['error'].get('description')}")
    return answer


async def _ask(wire: Wire, subject: str, payload: bytes) -> dict[str, Any]:
    reply = await wire.request(subject, payload)
    if not reply.payload:
        raise LogUnavailable(f"{subject}: status {reply.status}")
    answer: dict[str, Any] = msgspec.json.decode(reply.payload)
    return answer
