"""Sessions: an account proves that it holds its key, and gets a token for some hours.

Challenges and tokens are JWTs (HS256) by one secret, for different audiences. So a gateway
keeps no state for those who only ask, and gateways with one secret accept each other's. What
has been answered is kept for all of them by `Nonces`.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt

from schemas.limits import MIN_SECRET_BYTES
from schemas.units import SECOND_NS
from streams.accounts.errors import BadChallenge, ChallengeUsed, SessionExpired, Unauthorized
from streams.accounts.limits import CHALLENGE_LIFE_S, MAX_KNOWN_TOKENS, SESSION_LIFE_S
from streams.accounts.nonces import Nonces
from streams.log.ports import Clock

_ALGORITHM: Final = "HS256"
_CHALLENGE: Final = "challenge"
_SESSION: Final = "session"
_REQUIRED: Final = ["sub", "aud", "exp", "jti"]


def _none_lapses(_account: str, _now_ns: int) -> bool:
    """Return False, for a venue whose accounts stay."""
    return False


class Sessions:
    """Give out challenges and tokens, and check them. Times are the injected clock's.

    `has_lapsed` tells whether an account that there was is no more at a time.
    """

    def __init__(
        self,
        secret: bytes,
        clock: Clock,
        nonces: Nonces,
        has_lapsed: Callable[[str, int], bool] = _none_lapses,
    ) -> None:
        if len(secret) < MIN_SECRET_BYTES:
            raise ValueError(f"the session secret is shorter than {MIN_SECRET_BYTES} bytes")
        self._secret = secret
        self._clock = clock
        self._nonces = nonces
        self._has_lapsed = has_lapsed
        self._known: dict[str, tuple[str, int]] = {}

    def challenge(self, account: str) -> str:
        """Return a nonce for `account` to sign."""
        return self._issue(account, _CHALLENGE, CHALLENGE_LIFE_S)

    def check_challenge(self, account: str, nonce: str) -> str:
        """Return the id of a challenge given out to `account` and still fresh.

        Raises BadChallenge.
        """
        claims = self._claims(nonce, _CHALLENGE)
        if claims is None or claims["sub"] != account or claims["exp"] <= self._now_s():
            raise BadChallenge("no such challenge, or it has expired; ask for a new one")
        return str(claims["jti"])

    async def open(self, account: str, challenge: str) -> str:
        """Use a checked challenge up and return a session token for `account`.

        Raises ChallengeUsed, and an OperatingError when it is not known whether it was.
        """
        # twice its life, for clocks that differ
        if not await self._nonces.use("challenge", challenge, 2 * CHALLENGE_LIFE_S):
            raise ChallengeUsed("this challenge has been answered before")
        return self._issue(account, _SESSION, SESSION_LIFE_S)

    def account(self, token: str) -> str:
        """Return the account of a session token. Raises Unauthorized or SessionExpired."""
        known = self._known.get(token)
        if known is None:
            claims = self._claims(token, _SESSION)
            if claims is None:
                raise Unauthorized("no valid session token")
            known = (claims["sub"], claims["exp"])
            # checking one costs ten times more than looking it up
            if len(self._known) >= MAX_KNOWN_TOKENS:
                self._known.pop(next(iter(self._known)))
            self._known[token] = known
        account, expires = known
        now_ns = self._clock.now_ns()
        if expires <= now_ns // SECOND_NS:
            raise SessionExpired("the session has expired; open a new one")
        if self._has_lapsed(account, now_ns):
            raise SessionExpired("the account has lapsed, for it was never used")
        return account

    def check_token(self, token: str) -> str | None:
        """Return the account of a session token, or None if it is worth nothing."""
        try:
            return self.account(token)
        except Unauthorized:
            return None

    def _now_s(self) -> int:
        return self._clock.now_ns() // SECOND_NS

    def _issue(self, account: str, audience: str, life_s: int) -> str:
        claims = {
            "sub": account,
            "aud": audience,
            "exp": self._now_s() + life_s,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode(claims, self._secret, _ALGORITHM)

    def _claims(self, token: str, audience: str) -> Mapping[str, Any] | None:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                [_ALGORITHM],
                audience=audience,
                # the injected clock judges the time, not the machine's
                options={"require": _REQUIRED, "verify_exp": False, "strict_aud": True},
            )
        except jwt.InvalidTokenError:
            return None
        return claims
