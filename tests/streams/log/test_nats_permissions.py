"""What the server's permissions forbid is told at once, not after a timeout."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import nkeys
import pytest

from schemas.errors import AppendFailed, LogUnavailable
from streams.broker.server import NatsServer
from streams.log import nats_appends, nats_log, nats_stream
from streams.log.nats_wire import Wire
from streams.log.streams import log_spec
from tests.support.nats import TestServer
from tests.support.ports import free_port

SEED = nkeys.encode_seed(bytes(range(32)), nkeys.PREFIX_BYTE_USER)

_CONF = """
listen: "127.0.0.1:{port}"
max_payload: 8MB
jetstream {{ store_dir: "{store}", sync_interval: always }}
authorization {{ users: [
  {{ user: operator, password: o }}
  {{ user: ada, password: a, permissions: {{
    publish: {{ deny: ["main.evt.>", "$JS.API.STREAM.MSG.GET.>"] }}, subscribe: "_INBOX_ada.>"
  }} }}
  {{ nkey: {nkey} }}
] }}
"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    port, conf = free_port(), tmp_path / "nats.conf"
    key = nkeys.from_seed(bytearray(SEED)).public_key.decode()
    conf.write_text(_CONF.format(port=port, store=tmp_path / "store", nkey=key))
    server = NatsServer(conf, port, tmp_path / "nats.log")
    await server.start()
    wire = await Wire.open(url(server, "operator:o"), name="operator")
    spec = log_spec("main")
    await wire.request(f"$JS.API.STREAM.CREATE.{spec.name}", TestServer.encoded(spec))
    await wire.close()
    yield server
    await server.kill9()


def url(server: NatsServer, login: str) -> str:
    return server.url.replace("nats://", f"nats://{login}@")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every timeout longer than a test may take: what must wait for one fails here."""
    monkeypatch.setattr(nats_appends, "APPEND_TIMEOUT_S", 3_600)
    monkeypatch.setattr(nats_appends, "RESOLVE_WITHIN_S", 3_600)
    monkeypatch.setattr(Wire.request, "__defaults__", (b"", 3_600))


@pytest.mark.usefixtures("patient")
@pytest.mark.timeout(30)
async def test_what_may_not_be_published_fails_alone_and_at_once(server: NatsServer) -> None:
    log = await nats_log.connect(
        url(server, "ada:a"), "main", name="ada", inbox_prefix="_INBOX_ada"
    )
    sent = [log.send(subject, b"x") for subject in ("main.cmd.a", "main.evt.Xy", "main.cmd.b")]
    got = await asyncio.gather(*sent, return_exceptions=True)
    assert isinstance(got[1], AppendFailed)
    assert [got[0], got[2]] == [1, 2]
    with pytest.raises(LogUnavailable, match="403"):
        await log.get(1)
    with pytest.raises(AppendFailed):
        await log.append_batch([("main.evt.x", b"1"), ("main.evt.x", b"2")])
    assert await log.last_sequence() == 2
    await log.close()


async def test_an_inbox_that_may_not_be_read_is_told(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_stream, "LOG_REQUEST_ATTEMPTS", 2)
    with pytest.raises(LogUnavailable, match="permissions violation for subscription"):
        await nats_log.connect(url(server, "ada:a"), "main", name="ada")


async def test_an_nkey_lets_in_and_no_other_does(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_stream, "CONNECT_ATTEMPTS", 2)
    log = await nats_log.connect(server.url, "main", name="engine", seed=SEED.decode())
    assert await log.send("main.evt.x", b"x") == 1
    await log.close()
    other = nkeys.encode_seed(bytes(32), nkeys.PREFIX_BYTE_USER).decode()
    with pytest.raises(LogUnavailable, match="uthorization"):
        await nats_log.connect(server.url, "main", name="engine", seed=other)
