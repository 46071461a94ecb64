"""The CLI's side of the gateway: HTTP with typed errors, sessions, signed decisions."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from deploy.cli.output import errors
from deploy.venue import keys
from deploy.venue.settings import Home, Settings
from schemas import signatures
from schemas.codec import encode
from schemas.commands import AccountOpening
from schemas.decisions import Decision, Genesis
from schemas.errors import InputError, OperatingError, Refusal, Refused
from schemas.sessions import opening_text
from schemas.units import MINUTE_NS

DECISION_LIFE_NS = 10 * MINUTE_NS
TIMEOUT_S = 30
_AS_OF = ("At-Sequence", "State-Hash")


class VenueUnreachable(OperatingError):
    code = "venue_unreachable"


class GatewayError(InputError):
    """What the gateway answered, with its stable code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.answer_code = code


class Client:
    """One CLI run's connection to a venue's gateway."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.home = Home(self.settings.home)
        self._http = httpx.Client(
            base_url=f"{self.settings.gateway_url}/api/v1",
            timeout=TIMEOUT_S,
            # nobody closes this client, so each connection is closed with its answer
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._told = ""

    def get(self, path: str, account: str | None = None, **query: Any) -> Any:
        """Return the answer to a GET, as `account` if one is given.

        As of which sequence it is, if `at` asked for one, is said on stderr.
        """
        wanted = {key: value for key, value in query.items() if value is not None}
        return self._ask("GET", path, params=wanted, headers=self._headers(account))

    def post(self, path: str, body: Any, account: str | None = None, **query: Any) -> Any:
        """Return the answer to a POST of `body` as JSON."""
        return self._ask("POST", path, json=body, params=query, headers=self._headers(account))

    def stream(self, channels: list[str]) -> Iterator[dict[str, Any]]:
        """Yield the feed's envelopes of `channels` as they come, until interrupted."""
        query = {"channel": channels}
        try:
            with self._http.stream("GET", "/feed", params=query, timeout=None) as response:
                if response.is_error:
                    response.read()
                    raise _error(response)
                for line in response.iter_lines():
                    if line.startswith("data:"):
                        yield msgspec.json.decode(line[5:].strip())
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def open_account(self, account: str) -> dict[str, Any]:
        """Make a key for `account`, kept in the key folder, and open it."""
        folder = self.home.keys / "accounts"
        seed = keys.ensure(folder, account)
        public_key, now_ns = signatures.public_key(seed), time.time_ns()
        opening = AccountOpening(
            account=account,
            public_key=public_key,
            client_time_ns=now_ns,
            venue_id=self.venue_id(),
        )
        body = {
            "account": account,
            "public_key": public_key,
            "client_time_ns": now_ns,
            "signature": signatures.sign(seed, encode(opening)),
        }
        answer: dict[str, Any] = self.post("/accounts", body)
        return answer

    def session(self, account: str) -> str:
        """Return a fresh session token, for which the account's key signs. Raises KeyMissing."""
        seed = keys.load(self.home.keys / "accounts", account)
        challenge = self.post("/session/challenge", {"account": account})
        nonce = challenge["nonce"]
        text = opening_text(account, nonce, challenge["venue_id"])
        body = {"account": account, "nonce": nonce, "signature": signatures.sign(seed, text)}
        return str(self.post("/session", body)["token"])

    def venue_id(self) -> str:
        """Return what ties decisions to this venue. Raises Refused before it is founded."""
        venue = self.get("/venue")
        if not venue["founded"]:
            raise Refused(Refusal.NO_GENESIS, "found the venue first: everything init")
        return str(venue["venue_id"])

    def decide(self, key_name: str, decision: Decision | Genesis) -> dict[str, Any]:
        """Sign `decision` with the key called `key_name` and hand it in."""
        seed = keys.load(self.home.keys, key_name)
        text = encode(decision)
        body = {
            "key": signatures.public_key(seed),
            "body": text.decode(),
            "signature": signatures.sign(seed, text),
        }
        answer: dict[str, Any] = self.post("/admin/action", body)
        return answer

    def decision_fields(self) -> dict[str, Any]:
        """Return what every decision carries: the venue, a fresh counter, an expiry.

        The counter is the time in nanoseconds, so it grows without anything being stored.
        """
        now_ns = time.time_ns()
        return {
            "venue_id": self.venue_id(),
            "counter": now_ns,
            "expires_ns": now_ns + DECISION_LIFE_NS,
        }

    def _headers(self, account: str | None) -> dict[str, str]:
        return {} if account is None else {"Authorization": f"Bearer {self.session(account)}"}

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise _error(response)
        self._tell_at(response)
        return response.json()

    def _tell_at(self, response: httpx.Response) -> None:
        """Say, once, as of which sequence the answers are, and what the state hashes to."""
        sequence, state = (response.headers.get(f"X-{name}") for name in _AS_OF)
        if sequence is not None and sequence != self._told:
            self._told = sequence
            errors.print(f"as of message {sequence}, state {state}", markup=False)

    def _unreachable(self, error: Exception) -> VenueUnreachable:
        return VenueUnreachable(
            f"no venue answers at {self.settings.gateway_url} ({error}); is `make run` running?"
        )


def _error(response: httpx.Response) -> GatewayError:
    try:
        error = response.json()["error"]
        return GatewayError(response.status_code, error["code"], error["message"])
    except (ValueError, KeyError, TypeError):
        return GatewayError(response.status_code, f"http_{response.status_code}", response.text)
