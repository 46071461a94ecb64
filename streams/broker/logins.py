"""Who somebody is: the judgement behind native logins, without any I/O.

The server asks with a signed JWT that holds what the client sent (nats-server's auth
callout); the answer is a signed JWT that holds either the user's permissions or an error.
A trader proves who it is in one of two ways:

- nkey: it connects with its account's key. The server hands on the key, the nonce and
  the client's signature over it, and leaves the checking to us. Where one key holds
  several accounts, `user` or `auth_token` beside it names the one that is meant.
- token: it connects with a session token from the gateway.

A connection named `feeds` (or `feeds.` and anything) gets the reader's role, any other
the trader's: order entry and market data are separate sessions, as on most venues.

A login is judged in two steps. `judge` says who somebody is; `seat` lets them in, if the
account has a connection left by what the server then says of those that it has.

The server enforces no limit of the user's JWT where a callout gave it (tried on 2.15.1: it
forgets the JWT before it reads `subs` and `payload`). Those two stand in nats.conf, on the
accounts of traders and of readers.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from schemas import subjects
from schemas.errors import BadSignature, InputError, MalformedMessage
from schemas.signatures import verify
from streams.broker import limits, roles
from streams.broker.config import permissions
from streams.broker.jwt import KeyKind, check, is_key, issue

FEEDS: Final = "feeds"
_CONNECTION_KINDS: Final = frozenset({"Client"})
_CONNECTION_TYPES: Final = frozenset({"nats", ""})
"""Plain NATS only: `allowed_connection_types` in an answer is not enforced by the server."""
_REQUEST_AUDIENCE: Final = "nats-authorization-request"

Lookup = Callable[[str], str | None]
SeatsOf = Callable[[str], int | None]


def _no_quota(_account: str) -> None:
    """Return nothing, for a venue without quotas."""


def reader_seats(seats: int) -> int:
    """Return how many of an account's `seats` may listen to feeds: 2 of 5, at least one."""
    return max(1, seats * limits.ACCOUNT_READERS // limits.ACCOUNT_CONNECTIONS)


class Denied(InputError):
    """The login is refused; the text goes to the server's log, the client learns nothing."""

    code = "login_denied"


class Server(msgspec.Struct):
    id: str


class ConnectingClient(msgspec.Struct):
    kind: str = ""
    type: str = ""
    name: str = ""
    nonce: str = ""


class ConnectOptions(msgspec.Struct):
    nkey: str = ""
    sig: str = ""
    auth_token: str = ""
    user: str = ""


class Asked(msgspec.Struct):
    """The server's question, as nats-io/jwt writes an authorization request."""

    server_id: Server
    user_nkey: str
    client_info: ConnectingClient
    connect_opts: ConnectOptions


class Request(msgspec.Struct):
    aud: str
    nats: Asked


_decode_request = msgspec.json.Decoder(Request).decode


class Claimant(NamedTuple):
    """Who has proved to be whom, and has no seat yet."""

    asked: Asked
    account: str
    role: roles.Role

    @property
    def server(self) -> str:
        return self.asked.server_id.id


class Logins:
    """Judges logins to one shard.

    `account_of` tells which account a public key holds, `key_of` which key holds an
    account, `check_token` whose session a token is; each returns None where there is none.
    `seats_of` tells how many connections a quota lets an account hold; where there is none
    it is ACCOUNT_CONNECTIONS.
    """

    def __init__(
        self,
        *,
        shard: str,
        issuer_seed: str,
        account_of: Lookup,
        key_of: Lookup,
        check_token: Lookup,
        seats_of: SeatsOf = _no_quota,
    ) -> None:
        self._shard = shard
        self._issuer_seed = issuer_seed
        self._account_of = account_of
        self._key_of = key_of
        self._check_token = check_token
        self._seats_of = seats_of
        self._refusals = Budget(limits.REFUSALS_PER_S, limits.REFUSALS_BURST)
        self._per_account = Budget(
            limits.LOGINS_PER_ACCOUNT_PER_HOUR / 3_600, limits.LOGINS_PER_ACCOUNT_BURST
        )

    def judge(self, question: bytes, now_s: float) -> Claimant | bytes | None:
        """Return who asks to be let in, or the signed denial, or None for no answer at all.

        None is for what is no question by a server at all, and for refusals beyond their
        bound: then the server lets the client wait until its own timeout. Never raises
        for anything that a client can send.
        """
        try:
            request = _decode(question)
        except InputError:
            return None
        asked = request.nats
        try:
            account = self._judge(asked, now_s)
        except Denied as error:
            return self._deny(asked, error, now_s)
        return Claimant(asked, account, self._role(account, asked.client_info.name))

    def seat(self, login: Claimant, held: Mapping[str, int], now_s: float) -> bytes | None:
        """Return the signed answer to `login`, None for a refusal beyond the bound.

        `held` says how many connections the account has by NATS account, as the server that
        asks has just told it.
        """
        asked, account, role = login
        quota = self._seats_of(account)
        seats = limits.ACCOUNT_CONNECTIONS if quota is None else quota
        full = sum(held.values()) >= seats or (
            role.account == roles.READERS and held[roles.READERS] >= reader_seats(seats)
        )
        if full:
            return self._deny(asked, Denied(f"too many connections of {account}"), now_s)
        return self._respond(asked, now_s, jwt=self._user(asked, role, now_s))

    def _deny(self, asked: Asked, error: Denied, now_s: float) -> bytes | None:
        if not self._refusals.take("", now_s):
            return None
        return self._respond(asked, now_s, error=str(error))

    def _judge(self, asked: Asked, now_s: float) -> str:
        client = asked.client_info
        if client.kind not in _CONNECTION_KINDS or client.type not in _CONNECTION_TYPES:
            raise Denied("only plain NATS connections")
        account = self._account(asked)
        # Only who has proved to be the account can use its allowance up.
        if not self._per_account.take(account, now_s):
            raise Denied(f"too many logins by {account}")
        return account

    def _account(self, asked: Asked) -> str:
        given = asked.connect_opts
        if given.nkey:
            return self._by_key(given, asked.client_info.nonce)
        account = self._check_token(given.auth_token) if given.auth_token else None
        if account is None or not subjects.is_account(account):
            raise Denied("no key and no valid token")
        return account

    def _by_key(self, given: ConnectOptions, nonce: str) -> str:
        account = given.user or given.auth_token or self._account_of(given.nkey)
        # The name becomes part of subjects, so its form is always checked.
        if account is None or not subjects.is_account(account):
            raise Denied("unknown key")
        if self._key_of(account) != given.nkey:
            raise Denied("the key does not hold this account")
        if not nonce:
            raise Denied("no nonce was signed")
        try:
            verify(given.nkey, nonce.encode(), _url_safe(given.sig))
        except BadSignature as error:
            raise Denied("the nonce's signature does not match") from error
        return account

    def _role(self, account: str, connection_name: str) -> roles.Role:
        if connection_name.partition(".")[0] == FEEDS:
            return roles.reader(self._shard, account)
        return roles.trader(self._shard, account)

    def _user(self, asked: Asked, role: roles.Role, now_s: float) -> str:
        allowed = permissions(role)
        claims = {
            "sub": asked.user_nkey,
            "aud": role.account,
            "name": role.name,
            "iat": int(now_s),
            "exp": int(now_s) + limits.LOGIN_LIFE_S,
            "nats": {
                "pub": allowed["publish"],
                "sub": allowed["subscribe"],
                "subs": -1,
                "data": -1,
                "payload": -1,
                "type": "user",
                "version": 2,
            },
        }
        return issue(claims, self._issuer_seed)

    def _respond(self, asked: Asked, now_s: float, **outcome: str) -> bytes:
        claims: dict[str, Any] = {
            "sub": asked.user_nkey,
            "aud": asked.server_id.id,
            "iat": int(now_s),
            "nats": {**outcome, "type": "authorization_response", "version": 2},
        }
        return issue(claims, self._issuer_seed).encode()


class Budget:
    """Allows `rate` per second and `burst` at once, per name; bounded in the names it keeps."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str, now_s: float) -> bool:
        """Use one of `name`'s allowance and tell whether there was one."""
        left, then = self._left.pop(name, (self._burst, now_s))
        left = min(self._burst, left + (now_s - then) * self._rate)
        allowed = left >= 1
        self._left[name] = (left - 1 if allowed else left, now_s)
        if len(self._left) > limits.MAX_LOGIN_ACCOUNTS:
            del self._left[next(iter(self._left))]
        return allowed


def _decode(question: bytes) -> Request:
    try:
        request = _decode_request(check(question, KeyKind.SERVER))
    except msgspec.DecodeError as error:
        raise MalformedMessage("not an authorization request") from error
    asked = request.nats
    if (
        request.aud != _REQUEST_AUDIENCE
        or not is_key(asked.user_nkey, KeyKind.USER)
        or not is_key(asked.server_id.id, KeyKind.SERVER)
    ):
        raise MalformedMessage("not an authorization request")
    return request


def _url_safe(signature: str) -> str:
    """Return `signature` as this project writes them; some clients send plain base64."""
    return signature.rstrip("=").replace("+", "-").replace("/", "_")
