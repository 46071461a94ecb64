"""Streams as declared: created once, checked field by field, and the server's syncing."""

import json
from pathlib import Path
from typing import Any

import pytest

from everything.schemas.errors import ConfigDrift, LogUnavailable
from everything.streams.log.streams import (
    RELAXED_SYNC,
    StreamSpec,
    SyncReport,
    check_stream,
    check_sync,
    ensure_streams,
    feed_spec,
    log_spec,
    sync_report,
)
from tests.support.nats import TestServer, nats_server

SPECS = [log_spec("main"), feed_spec("main")]


async def update(server: TestServer, spec: StreamSpec, **changes: Any) -> None:
    wire = await server.wire("operator")
    reply = await wire.request(
        f"$JS.API.STREAM.UPDATE.{spec.name}", json.dumps(spec.config() | changes).encode()
    )
    assert b'"error"' not in reply.payload, reply.payload
    await wire.close()


async def test_declared_streams_are_created_once_and_found_again(server: TestServer) -> None:
    log = await server.connect()
    await log.send("main.cmd.order.ada", b"x")
    await server.declare()
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
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value.name,
)
async def test_drift_is_refused_and_named(
    server: TestServer, spec: StreamSpec, changes: dict[str, Any]
) -> None:
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
        await server.declare()
    assert any(f"{spec.name}.{field} is declared" in str(refused.value) for field in changes)


@pytest.mark.parametrize("field", sorted(SPECS[0].config()))
def test_every_declared_field_is_compared(field: str) -> None:
    spec = SPECS[0]
    check_stream(spec, spec.config())
    with pytest.raises(ConfigDrift, match=f"LOG_main.{field} is declared"):
        check_stream(spec, spec.config() | {field: "other"})
    absent = {key: value for key, value in spec.config().items() if key != field}
    if spec.config()[field]:
        with pytest.raises(ConfigDrift, match=f"LOG_main.{field} is declared"):
            check_stream(spec, absent)


def test_a_field_of_the_server_alone_must_be_off() -> None:
    spec = SPECS[0]
    off = {"sealed": False, "persist_mode": "", "consumer_limits": {}, "metadata": {"_nats": "2"}}
    check_stream(spec, spec.config() | off)
    with pytest.raises(ConfigDrift, match="persist_mode"):
        check_stream(spec, spec.config() | {"persist_mode": "async"})


def test_the_log_keeps_everything_and_the_feed_is_bounded() -> None:
    log, feed = (spec.config() for spec in SPECS)
    assert (log["max_age"], log["max_msgs"], log["max_msgs_per_subject"]) == (0, -1, -1)
    assert log["deny_delete"] and log["deny_purge"]
    assert feed["max_age"] > 0 and feed["max_msgs_per_subject"] > 0


async def test_a_server_that_does_not_sync_always_is_refused(tmp_path: Path) -> None:
    async with nats_server(tmp_path, sync='"2m"') as server:
        with pytest.raises(ConfigDrift, match=r"sync_interval is declared 'always', live 120 s"):
            await server.declare()


async def test_the_relaxed_mode_must_be_asked_for_by_name(tmp_path: Path) -> None:
    async with nats_server(tmp_path, sync='"10ms"') as server:
        with pytest.raises(ConfigDrift):
            await server.declare()
        wire = await server.wire("operator")
        await ensure_streams(wire, SPECS, [server.monitor_url], RELAXED_SYNC)
        with pytest.raises(ConfigDrift, match="can only be"):
            await ensure_streams(wire, SPECS, [server.monitor_url], "1s")
        await wire.close()


def test_relaxed_syncing_allows_no_longer_interval() -> None:
    def report(always: bool, interval_ns: int) -> SyncReport:
        return SyncReport("id", "name", always, interval_ns)

    check_sync([report(True, 0)], RELAXED_SYNC)
    check_sync([report(False, 10_000_000)], RELAXED_SYNC)
    for interval_ns in (0, 10_000_001):
        with pytest.raises(ConfigDrift):
            check_sync([report(True, 0), report(False, interval_ns)], RELAXED_SYNC)


async def test_a_server_that_nobody_reports_on_is_refused(
    server: TestServer, tmp_path: Path
) -> None:
    other_home = tmp_path / "other"
    other_home.mkdir()
    wire = await server.wire("operator")
    async with nats_server(other_home) as other:
        for urls in ([], [other.monitor_url]):
            with pytest.raises(ConfigDrift, match="no monitoring address"):
                await ensure_streams(wire, SPECS, urls)
        await ensure_streams(wire, SPECS, [other.monitor_url, server.monitor_url])
    await wire.close()


async def test_no_monitoring_is_unavailable() -> None:
    with pytest.raises(LogUnavailable):
        await sync_report("http://127.0.0.1:1")
