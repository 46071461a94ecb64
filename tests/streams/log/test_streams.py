"""Streams as declared: created once, checked field by field, and the server's syncing."""

import json
import os
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js.errors import APIError

from schemas.errors import ConfigDrift, LogDiverged, LogUnavailable
from schemas.limits import MAX_KEEP_RAW_DAYS
from streams.log import streams
from streams.log.nats_wire import Wire
from streams.log.streams import (
    RELAXED_SYNC,
    StreamSpec,
    SyncReport,
    check_consumers,
    check_stream,
    check_sync,
    ensure_shard,
    ensure_streams,
    feed_spec,
    jobs_spec,
    log_spec,
    nonces_spec,
    raw_spec,
    sync_reports,
)
from tests.support.nats import TestServer, nats_server

SPECS = [make("main") for make in (log_spec, feed_spec, jobs_spec, raw_spec, nonces_spec)]


async def declare(server: TestServer, *, founded: bool = False) -> None:
    async with Wire.opened(server.url, name="operator") as wire, server.monitor() as monitor:
        await ensure_shard(wire, "main", monitor, founded=founded)


async def test_a_server_that_is_not_told_how_many_consumers_is_refused(server: TestServer) -> None:
    wire = await server.wire("operator")
    with pytest.raises(ConfigDrift, match="max_consumers is declared 1500, live -1"):
        await check_consumers(wire)
    await wire.close()


async def update(server: TestServer, spec: StreamSpec, **changes: Any) -> None:
    wire = await server.wire("operator")
    reply = await wire.request(
        f"$JS.API.STREAM.UPDATE.{spec.name}", json.dumps(spec.config() | changes).encode()
    )
    await wire.close()
    assert b'"error"' not in reply.payload, reply.payload


async def test_declared_streams_are_created_once_and_found_again(server: TestServer) -> None:
    log = await server.connect()
    await declare(server)
    await log.send("main.cmd.order.ada", b"x")
    await declare(server)
    assert await log.last_sequence() == 1
    await log.close()


@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        (SPECS[0], {"max_msgs": 10_000}),
        (SPECS[0], {"max_age": 3_600_000_000_000}),
        (SPECS[0], {"allow_atomic": False}),
        (SPECS[0], {"subjects": ["main.>", "other.>"]}),
        (SPECS[0], {"discard": "old"}),
        (SPECS[0], {"allow_rollup_hdrs": True, "deny_purge": False}),
        (SPECS[0], {"republish": {"src": ">", "dest": "copy.>"}}),
        (SPECS[1], {"max_msgs_per_subject": 5}),
        (SPECS[2], {"retention": "limits"}),
        (SPECS[2], {"max_msgs": -1}),
        (SPECS[2], {"discard": "old"}),
        (SPECS[2], {"max_age": 0}),
        (SPECS[2], {"duplicate_window": 1_000_000_000}),
        (SPECS[2], {"deny_purge": False}),
        (SPECS[3], {"max_age": 0}),
        (SPECS[3], {"max_bytes": -1}),
        (SPECS[3], {"allow_rollup_hdrs": False}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value.name,
)
async def test_drift_is_refused_and_named(
    server: TestServer, spec: StreamSpec, changes: dict[str, Any]
) -> None:
    await declare(server)
    try:
        await update(server, spec, **changes)
    except AssertionError:
        # What the server itself does not let be changed must be so from the start.
        wire = await server.wire("operator")
        await wire.request(f"$JS.API.STREAM.DELETE.{spec.name}")
        made = json.dumps(spec.config() | changes).encode()
        reply = await wire.request(f"$JS.API.STREAM.CREATE.{spec.name}", made)
        await wire.close()
        assert b'"error"' not in reply.payload, reply.payload
    with pytest.raises(ConfigDrift) as refused:
        await declare(server)
    assert any(f"{spec.name}.{field} is declared" in str(refused.value) for field in changes)


@pytest.mark.parametrize(
    ("spec", "field"), [(spec, field) for spec in SPECS for field in sorted(spec.config())]
)
def test_every_declared_field_is_compared(spec: StreamSpec, field: str) -> None:
    check_stream(spec, spec.config())
    with pytest.raises(ConfigDrift, match=f"{spec.name}.{field} is declared"):
        check_stream(spec, spec.config() | {field: "other"})
    absent = {key: value for key, value in spec.config().items() if key != field}
    if spec.config()[field]:
        with pytest.raises(ConfigDrift, match=f"{spec.name}.{field} is declared"):
            check_stream(spec, absent)


def test_a_field_of_the_server_alone_must_be_off() -> None:
    spec = SPECS[0]
    off = {"sealed": False, "persist_mode": "", "consumer_limits": {}, "metadata": {"_nats": "2"}}
    check_stream(spec, spec.config() | off)
    with pytest.raises(ConfigDrift, match="persist_mode"):
        check_stream(spec, spec.config() | {"persist_mode": "async"})


def test_the_log_keeps_everything_and_the_feed_is_bounded() -> None:
    log, feed, jobs, raw, nonces = (spec.config() for spec in SPECS)
    assert (log["max_age"], log["max_msgs"], log["max_msgs_per_subject"]) == (0, -1, -1)
    assert log["deny_delete"] and log["deny_purge"]
    assert feed["max_age"] > 0 and feed["max_msgs_per_subject"] > 0
    assert jobs["max_age"] > 0 and jobs["max_msgs"] > 0
    assert raw["max_age"] > 0 and raw["max_bytes"] > 0
    assert nonces["max_bytes"] > 0 and nonces["discard"] == "new" and nonces["deny_delete"]


async def test_a_founded_venue_gets_the_streams_that_came_later_but_no_new_log(
    server: TestServer,
) -> None:
    """The server of this test has LOG and FEED only, as venues once were founded."""
    log = await server.connect()
    await log.send("main.cmd.order.ada", b"x")
    await declare(server, founded=True)
    await declare(server, founded=True)
    assert await log.last_sequence() == 1
    await log.close()
    wire = await server.wire("operator")
    await wire.request("$JS.API.STREAM.DELETE.LOG_main")
    await wire.close()
    with pytest.raises(LogDiverged, match="LOG_main is gone"):
        await declare(server, founded=True)


async def test_a_job_is_gone_once_it_is_done_and_refused_when_there_are_too_many(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_JOBS", 2)
    await declare(server)
    client = await nats.connect(server.url)
    js = client.jetstream(timeout=2)
    waiting = await js.pull_subscribe("jobs.main.source", durable="source", stream="JOBS_main")
    for number in range(2):
        await js.publish("jobs.main.source", b"x", headers={"Nats-Msg-Id": str(number)})
    assert (await js.publish("jobs.main.source", headers={"Nats-Msg-Id": "1"})).duplicate
    with pytest.raises(APIError, match="maximum messages exceeded"):
        await js.publish("jobs.main.source", b"one too many")
    (job,) = await waiting.fetch(1, timeout=2)
    await job.ack_sync(timeout=2)
    assert (await js.stream_info("JOBS_main")).state.messages == 1
    await js.publish("jobs.main.source", b"x")
    with pytest.raises(APIError, match="filtered consumer not unique"):
        await js.pull_subscribe("jobs.main.*", durable="greedy", stream="JOBS_main")
    await client.close()


async def test_the_bucket_is_an_object_store_as_clients_know_it(
    server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_RAW_BYTES", 400_000)
    await declare(server)
    client = await nats.connect(server.url)
    store = await client.jetstream(timeout=2).object_store("raw-main")
    data = bytes(range(256)) * 1_000
    await store.put("page", data)
    assert (await store.get("page")).data == data
    assert (await store.status()).ttl == MAX_KEEP_RAW_DAYS * 86_400
    # a full bucket keeps what it has
    with pytest.raises(APIError, match="maximum bytes exceeded"):
        await store.put("more", os.urandom(500_000))
    assert (await store.get("page")).data == data
    await client.close()


async def test_a_server_that_does_not_sync_always_is_refused(tmp_path: Path) -> None:
    async with nats_server(tmp_path, sync='"2m"') as server:
        with pytest.raises(ConfigDrift, match=r"sync_interval is declared 'always', live 120 s"):
            await server.declare()


async def test_the_relaxed_mode_must_be_asked_for_by_name(tmp_path: Path) -> None:
    async with nats_server(tmp_path, sync='"10ms"') as server:
        with pytest.raises(ConfigDrift):
            await server.declare()
        async with Wire.opened(server.url, name="operator") as wire, server.monitor() as monitor:
            await ensure_streams(wire, SPECS, monitor, RELAXED_SYNC)
            with pytest.raises(ConfigDrift, match="can only be"):
                await ensure_streams(wire, SPECS, monitor, "1s")


def test_relaxed_syncing_allows_no_longer_interval() -> None:
    def report(always: bool, interval_ns: int) -> SyncReport:
        return SyncReport("id", "name", always, interval_ns)

    check_sync([report(True, 0)], RELAXED_SYNC)
    check_sync([report(False, 10_000_000)], RELAXED_SYNC)
    for interval_ns in (0, 10_000_001):
        with pytest.raises(ConfigDrift):
            check_sync([report(True, 0), report(False, interval_ns)], RELAXED_SYNC)


async def test_a_server_that_nobody_reports_on_is_refused(
    server: TestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MONITOR_TIMEOUT_S", 0.5)
    other_home = tmp_path / "other"
    other_home.mkdir()
    async with (
        nats_server(other_home) as other,
        other.monitor() as elsewhere,
        Wire.opened(server.url, name="operator") as wire,
    ):
        # another server answers, and a login that may not ask
        for monitor in (elsewhere, wire):
            with pytest.raises(ConfigDrift, match="does not say how it syncs"):
                await ensure_streams(wire, SPECS, monitor)
        async with server.monitor() as monitor:
            await ensure_streams(wire, SPECS, monitor)


async def test_a_monitor_that_is_lost_is_unavailable(server: TestServer) -> None:
    async with server.monitor() as monitor:
        await monitor.close()
        with pytest.raises(LogUnavailable):
            await sync_reports(monitor, ["anyone"])


async def test_each_server_is_asked_until_it_has_answered(server: TestServer) -> None:
    async with Wire.opened(server.url, name="test") as wire, server.monitor() as monitor:
        name = f"test-{server.port}"
        for wanted in ([wire.server_id], [name], [wire.server_id, name]):
            (report,) = await sync_reports(monitor, wanted)
            assert (report.server_id, report.server_name) == (wire.server_id, name)
            assert report.always
