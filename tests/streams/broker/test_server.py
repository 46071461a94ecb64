"""The launcher of the embedded nats-server."""

import asyncio
import os
from pathlib import Path

import pytest

from schemas.errors import LogUnavailable
from streams.broker import server as module
from streams.broker.server import NatsServer
from tests.support.nats import TestServer
from tests.support.ports import free_port


async def test_it_keeps_its_ports_and_store_over_stop_and_kill(tmp_path: Path) -> None:
    server = TestServer(tmp_path)
    await server.start()
    await server.declare()
    log = await server.connect()
    await log.send("main.cmd.order.ada", b"x")
    for number, end in enumerate((server.stop, server.kill9, server.stop), 1):
        pid = server.pid
        assert pid is not None
        await end()
        assert not server.running
        assert server.pid is None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        await server.start()
        assert await log.last_sequence() == number
        assert await log.send("main.cmd.order.ada", b"x") == number + 1
    await log.close()
    await server.stop()
    assert b"Listening for client connections" in server.log_file.read_bytes()


async def test_starting_and_stopping_twice_is_harmless(tmp_path: Path) -> None:
    server = TestServer(tmp_path)
    await server.stop()
    await server.start()
    pid = server.pid
    await server.start()
    assert server.pid == pid
    await server.stop()
    await server.stop()


async def test_a_bad_conf_is_told_with_the_end_of_the_log(tmp_path: Path) -> None:
    conf = tmp_path / "bad.conf"
    conf.write_text("no_such_setting: 1\n")
    server = NatsServer(conf, free_port(), tmp_path / "nats.log")
    with pytest.raises(LogUnavailable, match="no_such_setting"):
        await server.start()


async def test_a_server_that_never_greets_is_given_up_and_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SERVER_READY_S", 0.5)
    conf = tmp_path / "elsewhere.conf"
    conf.write_text(f'listen: "127.0.0.1:{free_port()}"\n')
    server = NatsServer(conf, free_port(), tmp_path / "nats.log")
    with pytest.raises(LogUnavailable, match="not ready"):
        await asyncio.wait_for(server.start(), 10)
    assert not server.running
