"""nats.conf at the root: equal to `roles`, run by the real server, refused when it is not."""

import asyncio
import json
import os
import ssl
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from nats.aio.client import Client

from schemas.errors import ConfigDrift
from streams.broker import config, dialect, limits, roles
from streams.broker.config import ListenConfig
from streams.broker.keyring import ISSUER, Keyring, ensure_service_keys
from streams.broker.server import NatsServer, binary
from tests.house.source import ROOT
from tests.support.ports import free_port

SHARD = "main"


class Tls(NamedTuple):
    certificate: Path
    key: Path


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
    tls = Tls(folder / "cert.pem", folder / "key.pem")
    tls.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    tls.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return tls


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return ensure_service_keys(tmp_path / "keys", SHARD)


def where(folder: Path, **more: Any) -> ListenConfig:
    return ListenConfig(store=folder / "the store", port=free_port(), **more)


def test_the_file_is_what_the_roles_say() -> None:
    """`python -P -m streams.broker.config > nats.conf` mends it."""
    assert config.shipped() == ROOT / "nats.conf"
    assert config.shipped().read_text(encoding="utf-8") == config.text(SHARD)


def test_the_file_passes_its_own_check(tmp_path: Path, keyring: Keyring) -> None:
    variables = config.environment(where(tmp_path), SHARD, keyring)
    config.check(config.shipped(), SHARD, variables)


def test_the_file_holds_no_value_of_a_venue() -> None:
    held = config.shipped().read_text(encoding="utf-8")
    users = [line.split()[-1] for line in held.splitlines() if "nkey:" in line]
    assert len(users) == len(roles.services(SHARD))
    assert all(user.startswith("$EVERYTHING_NATS_KEY_") for user in users)
    assert "127.0.0.1" not in held


async def test_the_real_server_runs_the_file(tmp_path: Path, keyring: Keyring) -> None:
    at = where(tmp_path)
    variables = config.environment(at, SHARD, keyring)
    server = NatsServer(config.shipped(), at.port, tmp_path / "nats.log", variables)
    await server.start()
    client = Client()
    try:
        await client.connect(
            server.url, nkeys_seed_str=keyring.seed("replay"), inbox_prefix=roles.inbox("replay")
        )
        await client.flush(3)
        assert client.max_payload == dialect.read(config.shipped(), variables)["max_payload"]
        assert (tmp_path / "the store").is_dir()
    finally:
        await client.close()
        await server.kill9()


def test_every_user_has_an_allow_list(tmp_path: Path, keyring: Keyring) -> None:
    held = dialect.read(config.shipped(), config.environment(where(tmp_path), SHARD, keyring))
    users = [user for account in held["accounts"].values() for user in account["users"]]
    assert len(users) == len(roles.services(SHARD))
    for user in users:
        for rules in user["permissions"].values():
            assert rules.get("allow") or rules["deny"] == [">"]
            assert ">" not in rules.get("allow", [])


Edit = Callable[[str], str]


def without(line: str) -> Edit:
    return lambda text: text.replace(line, "", 1)


def behind(line: str, more: str) -> Edit:
    return lambda text: text.replace(line, line + more, 1)


FOREIGN = "UD" + "A" * 54
EDITS: dict[str, tuple[Edit, str]] = {
    "foreign user": (
        behind("    users: [", "\n      { nkey: " + FOREIGN + " }"),
        f"account LOG: user {FOREIGN} is foreign",
    ),
    "user with a password": (
        behind("    users: [", "\n      { user: eve, password: eve }"),
        r"user \['password', 'user'\] is foreign",
    ),
    "missing user": (
        lambda text: text.replace("nkey: $EVERYTHING_NATS_KEY_GATEWAY", f"nkey: {FOREIGN}", 1),
        "user gateway is missing",
    ),
    "missing permission": (
        without('"main.cmd.>"'),
        "user gateway: the permission to publish main.cmd.> is missing",
    ),
    "foreign permission": (
        behind('"main.cmd.>"', '\n "main.evt.>"'),
        "user gateway: the permission to publish main.evt.> is foreign",
    ),
    "missing denial": (
        without('"$JS.API.STREAM.DELETE.>"'),
        r"engine-governance: the permission to not publish \$JS.API.STREAM.DELETE.> is missing",
    ),
    "foreign account": (
        behind("accounts: {", "\n  EVE: { users: [] }"),
        "account EVE is foreign",
    ),
    "another export": (
        lambda text: text.replace('service: "door.main.order.*"', 'service: "main.cmd.>"', 1),
        "account LOG: exports differs",
    ),
    "a login for nobody": (
        lambda text: text + f"no_auth_user: {FOREIGN}\n",
        "no_auth_user is no setting of a venue",
    ),
    "a web socket": (
        lambda text: text + "websocket { port: 8443, no_tls: true }\n",
        "websocket is no setting of a venue",
    ),
    "a monitoring port": (
        lambda text: text + 'http: "127.0.0.1:8222"\n',
        "http is no setting of a venue",
    ),
    "larger messages": (
        lambda text: text.replace("max_payload: 8388608", "max_payload: 64MB", 1),
        "max_payload is not 8388608",
    ),
    "a sync interval": (
        lambda text: text.replace("$EVERYTHING_NATS_SYNC", '"2m"', 1),
        "jetstream is not",
    ),
    "another issuer": (
        lambda text: text.replace("$EVERYTHING_NATS_ISSUER", "AB" + "A" * 54, 1),
        "authorization is not",
    ),
    "all addresses": (
        lambda text: text.replace("$EVERYTHING_NATS_LISTEN", '"0.0.0.0:4222"', 1),
        "only with TLS",
    ),
    "no listener": (without("listen: $EVERYTHING_NATS_LISTEN"), "only with TLS"),
    "an unknown variable": (
        lambda text: text + "pid_file: $NOBODY\n",
        "the environment has no NOBODY",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_file_that_differs_is_refused_by_name(
    tmp_path: Path, keyring: Keyring, name: str
) -> None:
    edit, match = EDITS[name]
    shipped = config.shipped().read_text(encoding="utf-8")
    path = tmp_path / "own.conf"
    path.write_text(edit(shipped))
    assert path.read_text() != shipped
    with pytest.raises(ConfigDrift, match=match):
        config.check(path, SHARD, config.environment(where(tmp_path), SHARD, keyring))


def test_another_shard_is_refused(tmp_path: Path) -> None:
    keyring = ensure_service_keys(tmp_path / "keys", "other")
    with pytest.raises(ConfigDrift, match=r"account LOG: exports differs"):
        config.check(
            config.shipped(), "other", config.environment(where(tmp_path), "other", keyring)
        )


def test_many_differences_are_counted(tmp_path: Path, keyring: Keyring) -> None:
    path = tmp_path / "own.conf"
    path.write_text("listen: $EVERYTHING_NATS_LISTEN\naccounts: {}\n")
    with pytest.raises(ConfigDrift, match=r"account AUDITORS is missing.*and \d+ more"):
        config.check(path, SHARD, config.environment(where(tmp_path), SHARD, keyring))


def test_what_is_the_operators_own_may_differ(tmp_path: Path, keyring: Keyring) -> None:
    name = os.path.relpath(config.shipped(), tmp_path)
    path = tmp_path / "own.conf"
    path.write_text(f'include "{name}"\nlogfile_size_limit: 20MB\ndebug: false\n')
    variables = config.environment(where(tmp_path), SHARD, keyring)
    config.check(path, SHARD, variables)
    checked = subprocess.run(
        [binary(), "-t", "-c", path], capture_output=True, check=False, env=variables
    )
    assert checked.returncode == 0, checked.stderr


def test_filled_in_it_needs_no_environment(tmp_path: Path, keyring: Keyring) -> None:
    text = config.filled(where(tmp_path), SHARD, keyring)
    path = tmp_path / "nats.conf"
    path.write_text(text)
    variables = config.environment(where(tmp_path), SHARD, keyring)
    config.check(path, SHARD, variables)
    checked = subprocess.run([binary(), "-t", "-c", path], capture_output=True, check=False, env={})
    assert checked.returncode == 0, checked.stderr
    for name in (ISSUER, *keyring.public):
        assert keyring.seed(name) not in text
        assert keyring.seed(name) not in json.dumps(variables)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_beyond_loopback_only_with_tls(tmp_path: Path, keyring: Keyring, host: str) -> None:
    at = where(tmp_path, host=host)
    with pytest.raises(ConfigDrift, match="TLS"):
        config.filled(at, SHARD, keyring)
    variables = config.environment(at, SHARD, keyring)
    with pytest.raises(ConfigDrift, match="TLS"):
        config.check(config.shipped(), SHARD, variables)
    config.check(with_tls(tmp_path, certificate(tmp_path)), SHARD, variables)


def with_tls(folder: Path, tls: Tls) -> Path:
    path = folder / "tls.conf"
    name = os.path.relpath(config.shipped(), folder)
    path.write_text(
        f'include "{name}"\ntls {{ cert_file: "{tls.certificate}", key_file: "{tls.key}" }}\n'
    )
    return path


async def test_a_listener_with_tls_takes_no_plain_connection(
    tmp_path: Path, keyring: Keyring
) -> None:
    tls, at = certificate(tmp_path), where(tmp_path)
    variables = config.environment(at, SHARD, keyring)
    server = NatsServer(with_tls(tmp_path, tls), at.port, tmp_path / "nats.log", variables)
    await server.start()
    trusting = ssl.create_default_context(cafile=tls.certificate)
    client = Client()
    try:
        await client.connect(
            f"tls://localhost:{at.port}", tls=trusting, nkeys_seed_str=keyring.seed("replay")
        )
        await client.flush(3)
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        assert json.loads((await reader.readline()).removeprefix(b"INFO "))["tls_required"]
        writer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')
        answer = await asyncio.wait_for(reader.read(1_000), 5)
        assert b"PONG" not in answer
        writer.close()
    finally:
        await client.close()
        await server.kill9()


def test_a_file_too_large_or_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigDrift, match="cannot be read"):
        dialect.read(tmp_path / "none.conf", {})
    path = tmp_path / "own.conf"
    path.write_text("#" * (limits.MAX_CONF_BYTES + 1))
    with pytest.raises(ConfigDrift, match="larger than"):
        dialect.read(path, {})
    path.write_text('include "own.conf"')
    with pytest.raises(ConfigDrift, match="files deep"):
        dialect.read(path, {})
