"""The key folder and the conf that is rendered from it."""

import asyncio
import json
import ssl
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from nats.aio.client import Client

from schemas.errors import ConfigDrift
from streams.broker import roles
from streams.broker.config import Place, Tls, render
from streams.broker.keyring import ISSUER, ensure_service_keys
from streams.broker.server import NatsServer, binary
from tests.support.ports import free_port


def place(folder: Path, **more: Any) -> Place:
    return Place(store=folder / "store", port=4222, monitor_port=8222, **more)


def certificate(folder: Path) -> Tls:
    """Make a certificate for loopback that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    tls = Tls(certificate=folder / "cert.pem", key=folder / "key.pem")
    tls.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    tls.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return tls


def test_keys_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    first = ensure_service_keys(tmp_path / "keys", "main")
    again = ensure_service_keys(tmp_path / "keys", "main")
    assert first.public == again.public
    assert first.issuer == again.issuer
    assert set(first.public) == {role.name for role in roles.services("main")}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    ensure_service_keys(tmp_path, "main")
    (tmp_path / "gateway.nk").chmod(0o640)
    with pytest.raises(ConfigDrift, match="gateway"):
        ensure_service_keys(tmp_path, "main")


@pytest.mark.parametrize("content", ["", "rubbish", "SU" + "A" * 56, "é"])
def test_a_file_without_a_seed_is_refused(tmp_path: Path, content: str) -> None:
    ensure_service_keys(tmp_path, "main")
    (tmp_path / "feeds.nk").write_text(content)
    with pytest.raises(ConfigDrift, match="feeds"):
        ensure_service_keys(tmp_path, "main")


def test_a_seed_of_another_kind_is_refused(tmp_path: Path) -> None:
    keyring = ensure_service_keys(tmp_path, "main")
    (tmp_path / "feeds.nk").write_text(keyring.seed(ISSUER))
    with pytest.raises(ConfigDrift, match="no seed of kind user"):
        ensure_service_keys(tmp_path, "main")


def test_the_server_accepts_the_conf(tmp_path: Path) -> None:
    keyring = ensure_service_keys(tmp_path / "keys", "main")
    conf = tmp_path / "nats.conf"
    conf.write_text(render(place(tmp_path), "main", keyring))
    checked = subprocess.run([binary(), "-t", "-c", conf], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_no_seed_is_in_the_conf(tmp_path: Path) -> None:
    keyring = ensure_service_keys(tmp_path / "keys", "main")
    text = render(place(tmp_path), "main", keyring)
    for name in (ISSUER, *keyring.public):
        assert keyring.seed(name) not in text


def test_the_conf_keeps_to_loopback_and_syncs_always(tmp_path: Path) -> None:
    keyring = ensure_service_keys(tmp_path / "keys", "main")
    conf = json.loads(render(place(tmp_path), "main", keyring).partition("\n")[2])
    assert conf["listen"] == "127.0.0.1:4222"
    assert conf["http"] == "127.0.0.1:8222"
    assert conf["jetstream"]["sync_interval"] == "always"
    assert "no_auth_user" not in conf


def test_every_user_has_an_allow_list(tmp_path: Path) -> None:
    keyring = ensure_service_keys(tmp_path / "keys", "main")
    conf = json.loads(render(place(tmp_path), "main", keyring).partition("\n")[2])
    users = [user for account in conf["accounts"].values() for user in account["users"]]
    assert len(users) == len(roles.services("main"))
    for user in users:
        for rules in user["permissions"].values():
            assert rules.get("allow") or rules["deny"] == [">"]
            assert ">" not in rules.get("allow", [])


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_beyond_loopback_only_with_tls(tmp_path: Path, host: str) -> None:
    keyring = ensure_service_keys(tmp_path / "keys", "main")
    with pytest.raises(ConfigDrift, match="TLS"):
        render(place(tmp_path, host=host), "main", keyring)
    json.loads(
        render(place(tmp_path, host=host, tls=certificate(tmp_path)), "main", keyring).partition(
            "\n"
        )[2]
    )


async def test_a_listener_with_tls_takes_no_plain_connection(tmp_path: Path) -> None:
    keyring = ensure_service_keys(tmp_path / "keys", "main")
    tls, port = certificate(tmp_path), free_port()
    where = Place(store=tmp_path / "store", port=port, monitor_port=free_port(), tls=tls)
    conf = tmp_path / "nats.conf"
    conf.write_text(render(where, "main", keyring))
    server = NatsServer(conf, port, tmp_path / "nats.log")
    await server.start()
    trusting = ssl.create_default_context(cafile=tls.certificate)
    client = Client()
    try:
        await client.connect(
            f"tls://localhost:{port}", tls=trusting, nkeys_seed_str=keyring.seed("replay")
        )
        await client.flush(3)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert json.loads((await reader.readline()).removeprefix(b"INFO "))["tls_required"]
        writer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')
        answer = await asyncio.wait_for(reader.read(1_000), 5)
        assert b"PONG" not in answer
        writer.close()
    finally:
        await client.close()
        await server.kill9()
