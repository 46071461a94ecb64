"""The CLI's side of the gateway: HTTP with typed errors, sessions, signed decisions.

What signs is imported when something is signed: most commands only read.
"""

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from deploy import http
from deploy.cli.errors import GatewayError, VenueUnreachable
from deploy.cli.output import say_aside
from deploy.venue.settings import Home, Settings
from schemas.errors import Refusal, Refused
from schemas.units import MINUTE_NS

if TYPE_CHECKING:
    from schemas.codec import Message
    from schemas.decisions import Decision, Genesis

DECISION_LIFE_NS = 10 * MINUTE_NS
_AS_OF = ("At-Sequence", "State-Hash")


class Client:
    """One CLI run's connection to a venue's gateway."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.home = Home(self.settings.home)
        self._base_url = f"{self.settings.gateway_url}/api/v1"
        self._reported = ""

    def get(self, path: str, account: str | None = None, **query: Any) -> Any:
        """Return the answer to a GET, as `account` if one is given.

        If `at` asked for the past, the sequence that the answer is of is printed on stderr.
        """
        wanted = {key: value for key, value in query.items() if value is not None}
        return self._ask("GET", path, query=wanted, headers=self._headers(account))

    def post(self, path: str, body: Any, account: str | None = None, **query: Any) -> Any:
        """Return the answer to a POST of `body` as JSON."""
        return self._ask("POST", path, body=body, query=query, headers=self._headers(account))

    def stream(self, channels: list[str]) -> Iterator[dict[str, Any]]:
        """Yield the feed's envelopes of `channels` as they come, until interrupted."""
        try:
            with http.lines(f"{self._base_url}/feed", {"channel": channels}) as answer:
                if isinstance(answer, http.Answer):
                    raise _error(answer)
                for line in answer:
                    if line.startswith("data:"):
                        yield json.loads(line[5:])
        except http.FAILURES as error:
            raise self._unreachable(error) from error

    def open_account(self, account: str) -> dict[str, Any]:
        """Make a key for `account`, kept in the key folder, and open it."""
        from deploy.venue import keys
        from schemas import signatures
        from schemas.codec import encode
        from schemas.commands import AccountOpening

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
        from deploy.venue import keys
        from schemas import signatures
        from schemas.sessions import opening_text

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

    def decide(
        self, key_name: str, decision: "Decision | Genesis", founding_code: str | None = None
    ) -> dict[str, Any]:
        """Sign `decision` with the key called `key_name` and hand it in."""
        body = self.signed(key_name, decision)
        headers = {} if founding_code is None else {"X-Founding-Code": founding_code}
        answer: dict[str, Any] = self._ask("POST", "/admin/action", body=body, headers=headers)
        return answer

    def signed(self, key_name: str, message: "Message") -> dict[str, str]:
        """Return the body that carries `message`, signed with the key called `key_name`."""
        from deploy.venue import keys
        from schemas import signatures
        from schemas.codec import encode

        seed = keys.load(self.home.keys, key_name)
        text = encode(message)
        return {
            "key": signatures.public_key(seed),
            "body": text.decode(),
            "signature": signatures.sign(seed, text),
        }

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
            answer = http.request(method, self._base_url + quote(path), **options)
        except http.FAILURES as error:
            raise self._unreachable(error) from error
        if answer.is_error:
            raise _error(answer)
        self._report_at(answer)
        return answer.json()

    def _report_at(self, answer: http.Answer) -> None:
        """Print once which sequence the answers are of, and the state's hash there."""
        sequence, state = (answer.headers.get(f"X-{name}") for name in _AS_OF)
        if sequence is not None and sequence != self._reported:
            self._reported = sequence
            say_aside(f"as of message {sequence}, state {state}")

    def _unreachable(self, error: Exception) -> VenueUnreachable:
        return VenueUnreachable(
            f"no venue answers at {self.settings.gateway_url} ({error}); is `make run` running?"
        )


def _error(answer: http.Answer) -> GatewayError:
    try:
        error = answer.json()["error"]
        return GatewayError(answer.status, error["code"], error["message"])
    except (ValueError, KeyError, TypeError):
        text = answer.body.decode(errors="replace")
        return GatewayError(answer.status, f"http_{answer.status}", text)
