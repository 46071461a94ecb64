"""nats.conf as a function of the venue's keys and ports.

The server reads JSON as well as its own dialect, so the file is JSON under a comment.
What it sets and why is in this module; who may do what is in `roles`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from schemas import subjects
from schemas.errors import ConfigDrift
from schemas.limits import MAX_ATOMIC_BATCH, MAX_COMMAND_BYTES, MAX_PAYLOAD_BYTES
from streams.broker import limits, roles
from streams.broker.keyring import Keyring
from streams.broker.roles import AUDITORS, DOOR, LOG, READERS, SYS, TRADERS, Role

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_HEADING: Final = "# Rendered from the venue's keys at every start: changes made here are lost.\n"


@dataclass(frozen=True, kw_only=True)
class Tls:
    """Files for the listener. With them a venue may listen beyond loopback."""

    certificate: Path
    key: Path
    authority: Path | None = None
    """Where given, clients must show a certificate that this authority signed."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one server listens and stores.

    `sync_interval` other than `always` trades the last moments before a power failure
    for nothing measurable; the venue refuses to start on it unless told to.
    """

    store: Path
    port: int
    monitor_port: int
    host: str = "127.0.0.1"
    sync_interval: str = "always"
    tls: Tls | None = None


def render(place: Place, shard: str, keyring: Keyring) -> str:
    """Return the text of nats.conf for a server that serves `shard`.

    Raises ConfigDrift for a listener beyond loopback without TLS: session tokens would
    travel in the clear.
    """
    if place.tls is None and place.host not in _LOOPBACK:
        raise ConfigDrift(f"the broker listens on {place.host} only with TLS")
    services = roles.services(shard)
    conf: dict[str, Any] = {
        "server_name": f"everything-{shard}",
        "listen": f"{place.host}:{place.port}",
        # Monitoring tells who is connected, so it is never offered beyond this machine.
        "http": f"127.0.0.1:{place.monitor_port}",
        "max_payload": MAX_PAYLOAD_BYTES,
        "max_connections": limits.MAX_CONNECTIONS,
        "max_subscriptions": limits.MAX_CONNECTION_SUBSCRIPTIONS,
        "max_pending": limits.MAX_PENDING_BYTES,
        "max_control_line": 4096,
        "jetstream": _jetstream(place),
        "system_account": SYS,
        "accounts": {name: _account(name, shard, services, keyring) for name in roles.ACCOUNTS},
        "authorization": {
            "timeout": limits.LOGIN_TIMEOUT_S,
            "auth_callout": {
                "issuer": keyring.issuer,
                "account": DOOR,
                "auth_users": [keyring.public[role.name] for role in services],
            },
        },
    }
    if place.tls is not None:
        conf["tls"] = _tls(place.tls)
    return _HEADING + json.dumps(conf, indent=2) + "\n"


def _jetstream(place: Place) -> dict[str, Any]:
    return {
        "store_dir": str(place.store),
        "sync_interval": place.sync_interval,
        "limits": {
            "batch": {
                "max_inflight_per_stream": limits.MAX_OPEN_BATCHES,
                "max_inflight_total": 2 * limits.MAX_OPEN_BATCHES,
                "max_msgs": MAX_ATOMIC_BATCH,
                "timeout": f"{limits.OPEN_BATCH_LIFE_S}s",
            }
        },
    }


def _account(name: str, shard: str, services: tuple[Role, ...], keyring: Keyring) -> dict[str, Any]:
    users = [_user(role, keyring.public[role.name]) for role in services if role.account == name]
    return {"users": users, **_account_extras(name, shard)}


def _account_extras(name: str, shard: str) -> dict[str, Any]:
    """Return what crosses the account's border, and how much of it."""
    log = subjects.log_stream(shard)
    orders = subjects.order_command(shard, "*")
    live = subjects.live(shard, ">")
    audited = roles.auditor_services(log)
    match name:
        case roles.LOG:
            reply_life = f"{limits.REPLY_LIFE_S}s"
            exports: list[dict[str, Any]] = [
                {"service": orders, "accounts": [TRADERS], "threshold": reply_life},
                {"stream": live, "accounts": [READERS]},
            ]
            exports += [
                {
                    "service": api,
                    "accounts": [AUDITORS],
                    "response_type": "stream",
                    "threshold": reply_life,
                }
                for api in audited
            ]
            return {"jetstream": "enabled", "exports": exports}
        case roles.TRADERS:
            return {
                "imports": [{"service": {"account": LOG, "subject": orders}}],
                "limits": _limits(limits.MAX_TRADER_CONNECTIONS),
            }
        case roles.READERS:
            return {
                "imports": [
                    {
                        "stream": {"account": LOG, "subject": live},
                        "to": subjects.feed(shard, ">"),
                    }
                ],
                "limits": _limits(limits.MAX_READER_CONNECTIONS),
            }
        case roles.AUDITORS:
            return {
                "imports": [{"service": {"account": LOG, "subject": api}} for api in audited],
                "limits": _limits(limits.MAX_AUDITOR_CONNECTIONS),
            }
        case _:
            return {}


def _limits(connections: int) -> dict[str, int]:
    return {
        "max_connections": connections,
        "max_subscriptions": limits.MAX_CONNECTION_SUBSCRIPTIONS,
        "max_payload": MAX_COMMAND_BYTES + limits.MAX_HEADER_BYTES,
    }


def _user(role: Role, public_key: str) -> dict[str, Any]:
    return {
        "nkey": public_key,
        "permissions": permissions(role),
    }


def permissions(role: Role) -> dict[str, Any]:
    """Return a role's permissions as nats.conf and JWTs both write them.

    An empty allow-list would allow everything, so a role that may publish nothing is
    denied everything.
    """
    return {
        "publish": _rules(role.publish, role.never_publish),
        "subscribe": _rules(role.hears, role.never_subscribe),
    }


def _rules(allow: tuple[str, ...], deny: tuple[str, ...]) -> dict[str, list[str]]:
    rules = {"allow": list(allow)} if allow else {}
    denied = deny if allow else (">",)
    return {**rules, "deny": list(denied)} if denied else rules


def _tls(tls: Tls) -> dict[str, Any]:
    files: dict[str, Any] = {"cert_file": str(tls.certificate), "key_file": str(tls.key)}
    if tls.authority is not None:
        files |= {"ca_file": str(tls.authority), "verify": True}
    return files
