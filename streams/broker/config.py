"""nats.conf: what must stand in it, what the environment gives, and what is refused.

The server runs the file at the root of the repository as it is. Users and permissions stand
there, as `roles` has them; only scalars differ from venue to venue, and those come from
environment variables (`environment`). `check` reads the file as the server would and compares
it with `roles`, so that a user or a permission that nobody meant is refused by name before
the server starts.

    python -m streams.broker.config > nats.conf     writes it again after a change of `roles`
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import streams
from schemas import subjects
from schemas.errors import ConfigDrift
from schemas.limits import MAX_ATOMIC_BATCH, MAX_PAYLOAD_BYTES
from schemas.subjects import DEFAULT_SHARD
from streams.broker import dialect, limits, roles
from streams.broker.dialect import Conf, Variable
from streams.broker.keyring import Keyring
from streams.broker.roles import AUDITORS, DOOR, LOG, READERS, SYS, TRADERS, Role
from streams.log.limits import MAX_STREAM_CONSUMERS

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_PREFIX: Final = "EVERYTHING_NATS_"
_NAME: Final = Variable(f"{_PREFIX}NAME")
_LISTEN: Final = Variable(f"{_PREFIX}LISTEN")
_STORE: Final = Variable(f"{_PREFIX}STORE")
_SYNC: Final = Variable(f"{_PREFIX}SYNC")
_ISSUER: Final = Variable(f"{_PREFIX}ISSUER")

_OPERATORS_OWN: Final = frozenset(
    [
        "tls",
        "cluster",
        "server_tags",
        "server_name",
        "listen",
        "pid_file",
        "ports_file_dir",
        "log_file",
        "logfile_size_limit",
        "logfile_max_num",
        "debug",
        "trace",
        "logtime",
        "logtime_utc",
        "max_connections",
        "max_pending",
        "max_control_line",
        "write_deadline",
        "ping_interval",
        "ping_max",
        "lame_duck_duration",
        "lame_duck_grace_period",
    ]
)
"""Top-level keys that an operator may set or change. Any other must be as it is here: some
(`no_auth_user`, `websocket`, `leafnodes`) let strangers in."""
_HEADING: Final = f"""\
# nats.conf: what this venue's nats-server runs with.
#
# `everything up` starts the server on this very file. Who may publish and subscribe what is
# spelled out below; streams/broker/roles.py says why, and a test compares the two. What
# differs from venue to venue is a scalar and comes from the environment, which `up` sets:
#
#   {_NAME}, {_STORE}, {_SYNC}    name, folder, when to fsync
#   {_LISTEN}    address of the listener
#   {_ISSUER}    the account key that signs native logins
#   {_PREFIX}KEY_<ROLE>    the public nkey of each of the venue's own roles
#
# `everything nats-conf` prints the file with these filled in, for a server of your own. For
# TLS or routes write a file that includes this one (docs/how-to/operations.md). `everything up`
# runs it when EVERYTHING_NATS_CONF names it, and refuses one whose users or permissions differ.
"""


@dataclass(frozen=True, kw_only=True)
class ListenConfig:
    """Where one server listens and stores.

    `sync_interval` other than `always` trades the last moments before a power failure
    for nothing measurable; the venue refuses to start on it unless told to.
    """

    store: Path
    port: int
    host: str = "127.0.0.1"
    sync_interval: str = "always"


def shipped() -> Path:
    """Return the nats.conf that comes with this software, of the default shard.

    It stands at the root of the repository, or where an installed distribution keeps data.
    """
    beside = Path(streams.__file__).parents[1] / "nats.conf"
    return beside if beside.exists() else Path(sys.prefix) / "share/everything-market/nats.conf"


def key_variable(role: str) -> Variable:
    """Return the environment variable that holds the public key of `role`."""
    return Variable(f"{_PREFIX}KEY_{role.upper().replace('-', '_')}")


def environment(where: ListenConfig, shard: str, keyring: Keyring) -> dict[str, str]:
    """Return the variables that nats.conf names, each quoted as the server's dialect needs it."""
    scalars = {
        _NAME: f"everything-{shard}",
        _LISTEN: f"{where.host}:{where.port}",
        _STORE: str(where.store),
        _SYNC: where.sync_interval,
        _ISSUER: keyring.issuer,
        **{key_variable(name): key for name, key in keyring.public.items()},
    }
    return {str(name): dialect.quoted(value) for name, value in scalars.items()}


def template(shard: str) -> Conf:
    """Return nats.conf of `shard` as a map, with a `Variable` for each scalar that varies."""
    services = roles.services(shard)
    return {
        "server_name": _NAME,
        "listen": _LISTEN,
        "max_payload": MAX_PAYLOAD_BYTES,
        "max_connections": limits.MAX_CONNECTIONS,
        "max_subscriptions": limits.MAX_CONNECTION_SUBSCRIPTIONS,
        "max_pending": limits.MAX_PENDING_BYTES,
        "max_control_line": 4096,
        "write_deadline": f"{limits.WRITE_DEADLINE_S}s",
        "ping_interval": f"{limits.PING_EVERY_S}s",
        "ping_max": limits.MAX_PINGS_OUT,
        "jetstream": _jetstream(),
        "system_account": SYS,
        "accounts": {name: _account(name, shard, services) for name in roles.ACCOUNTS},
        "authorization": {
            "timeout": limits.LOGIN_TIMEOUT_S,
            "auth_callout": {
                "issuer": _ISSUER,
                "account": DOOR,
                "auth_users": [key_variable(role.name) for role in services],
            },
        },
    }


def text(shard: str) -> str:
    """Return nats.conf of `shard` as text, with comments for its readers."""
    comments = {str(key_variable(role.name)): _about(role) for role in roles.services(shard)}
    return f"{_HEADING}\n{dialect.write(template(shard), {**_COMMENTS, **comments})}\n"


def _about(role: Role) -> str:
    """Return a role's name and what the role is for, as `roles` says it."""
    known = getattr(roles, role.name, None)
    said = (known.__doc__ or "").partition("\n")[0] if known else "appends its own records"
    return f"{role.name}: {said}"


def filled(where: ListenConfig, shard: str, keyring: Keyring) -> str:
    """Return nats.conf with every variable filled in, for a server of somebody's own.

    Raises ConfigDrift for a listener beyond loopback: session tokens would travel in the
    clear. For that listener write a file with TLS that includes this one.
    """
    conf = _resolved(template(shard), environment(where, shard, keyring))
    _check_listener(conf)
    names = {keyring.public[role.name]: _about(role) for role in roles.services(shard)}
    return dialect.write(conf, {**_COMMENTS, **names}) + "\n"


def check(path: Path, shard: str, variables: Mapping[str, str]) -> None:
    """Compare the file at `path`, as the server would read it, with what must stand in it.

    Raises ConfigDrift that names each foreign or missing user, each permission too many or
    too few, and each other setting that differs and is not the operator's own.
    """
    held = dialect.read(path, variables)
    wanted = _resolved(template(shard), variables)
    names = {
        dialect.unquoted(variables[key_variable(role.name)]): role.name
        for role in roles.services(shard)
    }
    wrong = [*_differences(held, wanted, names)]
    if wrong:
        shown = "; ".join(wrong[: limits.MAX_CONF_DIFFERENCES])
        more = len(wrong) - limits.MAX_CONF_DIFFERENCES
        raise ConfigDrift(f"{path.name}: {shown}" + (f"; and {more} more" if more > 0 else ""))
    _check_listener(held)


def _check_listener(conf: Conf) -> None:
    host = str(conf.get("listen", "")).rpartition(":")[0].strip("[]")
    if "tls" not in conf and host not in LOOPBACK:
        raise ConfigDrift(f"the broker listens on {host or 'all addresses'} only with TLS")


def _resolved(value: Any, variables: Mapping[str, str]) -> Any:
    match value:
        case Variable():
            return dialect.unquoted(variables[value])
        case dict():
            return {key: _resolved(one, variables) for key, one in value.items()}
        case list():
            return [_resolved(one, variables) for one in value]
    return value


def _differences(held: Conf, wanted: Conf, names: Mapping[str, str]) -> Iterator[str]:
    """Yield in words what of `held` is not as in `wanted`."""
    for key in sorted({*held, *wanted}):
        if key in ("accounts", *_OPERATORS_OWN):
            continue
        if key not in wanted:
            yield f"{key} is no setting of a venue's server"
        elif held.get(key) != wanted[key]:
            yield f"{key} is not {json.dumps(wanted[key])[:200]}"
    accounts = held.get("accounts")
    if not isinstance(accounts, dict):
        yield "accounts are missing"
        return
    for name in sorted({*accounts, *wanted["accounts"]}):
        if name not in wanted["accounts"]:
            yield f"account {name} is foreign"
        elif not isinstance(accounts.get(name), dict):
            yield f"account {name} is missing"
        else:
            yield from _account_differences(name, accounts[name], wanted["accounts"][name], names)


def _account_differences(
    name: str, held: Conf, wanted: Conf, names: Mapping[str, str]
) -> Iterator[str]:
    for key in sorted({*held, *wanted} - {"users"}):
        if held.get(key) != wanted.get(key):
            yield f"account {name}: {key} differs"
    mine, theirs = _users(held), _users(wanted)
    for key in sorted({*mine, *theirs}):
        user = names.get(key, key)
        if key not in theirs:
            yield f"account {name}: user {user} is foreign"
        elif key not in mine:
            yield f"account {name}: user {user} is missing"
        else:
            yield from _permission_differences(user, mine[key], theirs[key])


def _users(account: Conf) -> dict[str, Conf]:
    """Return an account's users by key, and one without a key by the fields that it has."""
    found = {}
    for user in account.get("users") or []:
        shown = user if isinstance(user, dict) else {"?": user}
        found[str(shown.get("nkey") or sorted(shown))] = shown
    return found


def _permission_differences(user: str, held: Conf, wanted: Conf) -> Iterator[str]:
    """Yield which permissions `user` lacks and which it has too many."""
    for key in sorted({*held} - {"nkey", "permissions"}):
        yield f"user {user}: {key} is foreign"
    mine, theirs = [*_permissions(held)], [*_permissions(wanted)]
    for one in theirs:
        if one not in mine:
            yield f"user {user}: the permission to {one} is missing"
    for one in mine:
        if one not in theirs:
            yield f"user {user}: the permission to {one} is foreign"


def _permissions(user: Conf) -> Iterator[str]:
    rules = user.get("permissions")
    for direction, kinds in rules.items() if isinstance(rules, dict) else ():
        if not isinstance(kinds, dict):
            yield f"{direction} {json.dumps(kinds)}"
            continue
        for kind, patterns in kinds.items():
            for pattern in patterns if isinstance(patterns, list) else [patterns]:
                yield f"{'not ' if kind == 'deny' else ''}{direction} {pattern}"


def _jetstream() -> Conf:
    return {
        "store_dir": _STORE,
        "sync_interval": _SYNC,
        "limits": {
            "batch": {
                "max_inflight_per_stream": limits.MAX_OPEN_BATCHES,
                "max_inflight_total": 2 * limits.MAX_OPEN_BATCHES,
                "max_msgs": MAX_ATOMIC_BATCH,
                "timeout": f"{limits.OPEN_BATCH_LIFE_S}s",
            }
        },
    }


def _account(name: str, shard: str, services: tuple[Role, ...]) -> Conf:
    users = [_user(role) for role in services if role.account == name]
    return {**_account_extras(name, shard), "users": users}


def _account_extras(name: str, shard: str) -> Conf:
    """Return what crosses the account's border, and how much of it."""
    log = subjects.log_stream(shard)
    heard, orders = subjects.order_door(shard, "*"), subjects.order_command(shard, "*")
    live = subjects.live(shard, ">")
    audited = roles.auditor_services(log)
    match name:
        case roles.LOG:
            reply_life = f"{limits.REPLY_LIFE_S}s"
            exports: list[Conf] = [
                {"service": heard, "accounts": [TRADERS], "threshold": reply_life},
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
            return {
                "jetstream": {"max_consumers": MAX_STREAM_CONSUMERS},
                "exports": exports,
            }
        case roles.TRADERS:
            return {
                "imports": [{"service": {"account": LOG, "subject": heard}, "to": orders}],
                "limits": _limits(limits.MAX_TRADER_CONNECTIONS, limits.TRADER_SUBSCRIPTIONS),
            }
        case roles.READERS:
            return {
                "imports": [
                    {
                        "stream": {"account": LOG, "subject": live},
                        "to": subjects.feed(shard, ">"),
                    }
                ],
                "limits": _limits(limits.MAX_READER_CONNECTIONS, limits.READER_SUBSCRIPTIONS),
            }
        case roles.AUDITORS:
            return {
                "imports": [{"service": {"account": LOG, "subject": api}} for api in audited],
                "limits": _limits(limits.MAX_AUDITOR_CONNECTIONS, limits.TRADER_SUBSCRIPTIONS),
            }
        case roles.DOOR:
            asked = [{"account": SYS, "subject": subject} for subject in roles.DESK_SUBJECTS]
            return {"imports": [{"service": one} for one in asked]}
        case roles.SYS:
            given = [{"service": one, "accounts": [DOOR]} for one in roles.DESK_SUBJECTS]
            return {"exports": given}
        case _:
            return {}


def _limits(connections: int, subscriptions: int) -> dict[str, int]:
    return {
        "max_connections": connections,
        "max_subscriptions": subscriptions,
        "max_payload": limits.MAX_NATIVE_BYTES,
    }


def _user(role: Role) -> Conf:
    return {"nkey": key_variable(role.name), "permissions": permissions(role)}


def permissions(role: Role) -> Conf:
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


_COMMENTS: Final = {
    "listen": "Beyond loopback only with TLS: session tokens would travel in the clear.",
    "max_payload": "The largest record that an engine may append.",
    "write_deadline": "A connection that takes nothing for so long is dropped.",
    "max_consumers": "Of one stream. Left unsaid, the server takes 1000.",
    "max_pending": "Bytes held for a connection that does not read; then it is dropped.",
    "sync_interval": "always: an acknowledged message is on the disk (decision 0019).",
    "batch": "Atomic batches that are open at once: more would let a flood hold up everything.",
    LOG: "The streams, and the venue's own processes.",
    TRADERS: "Strangers who send order commands, to the relay alone (0101).",
    READERS: "Strangers who hear feeds and send nothing.",
    AUDITORS: "Strangers who read the log by direct get (0010).",
    DOOR: "Where the server asks who somebody is.",
    SYS: "The server's own account: monitoring, for the role of that name. It has no port.",
    "authorization": "Everyone who is not a role of the venue is judged by the auth callout.",
}
"""What a reader of nats.conf should know, above the key that it is about."""

if __name__ == "__main__":
    sys.stdout.write(text(DEFAULT_SHARD))
