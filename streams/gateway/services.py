"""Programs that sign their requests with a secret: who asks, and each request once.

`Nonces` keeps theirs for NONCE_LIFE_S, across gateways and restarts.
"""

import hmac
from collections.abc import Sequence
from typing import Final

from schemas.errors import BadSignature
from schemas.limits import SERVICE_CLOCK_S
from schemas.services import Claim, ServiceKeys, ServiceSecret, sign_request
from schemas.units import SECOND_NS
from streams.accounts.errors import NonceUsed, WrongTime
from streams.accounts.nonces import NonceKind, Nonces
from streams.gateway.limits import NONCE_LIFE_S
from streams.log.ports import Clock

_NO_SECRET: Final = "nobody holds this"


def no_service_keys(_: str) -> Sequence[ServiceSecret]:
    """Return nothing: a venue that has made no service key."""
    return ()


class Services:
    """Tell which program a request is from, and take each request once.

    Programs of another `kind` have keys of their own: none can do what only the others may.
    """

    def __init__(
        self, keys: ServiceKeys, clock: Clock, nonces: Nonces, kind: NonceKind = "service"
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._nonces = nonces
        self._kind: NonceKind = kind

    async def check(self, method: str, path: str, claim: Claim, body: bytes) -> str:
        """Return the key id of a request, whose nonce is then used up.

        Raises BadSignature for whatever is not known to be signed by a secret of ours,
        WrongTime and NonceUsed for what is, and an OperatingError when it is not known
        whether the nonce was used.
        """
        if not claim.is_shaped():
            raise BadSignature("X-Key-Id, X-Timestamp, X-Nonce and X-Signature say who asks")
        if not self._is_signed(method, path, claim, body):
            raise BadSignature("no secret of that key id gives this signature")
        now_s = self._clock.now_ns() // SECOND_NS
        if abs(now_s - int(claim.timestamp)) > SERVICE_CLOCK_S:
            raise WrongTime(f"X-Timestamp is more than {SERVICE_CLOCK_S} s from {now_s}")
        # no key id has a line break, so no two pairs are one text
        once = f"{claim.key_id}\n{claim.nonce}"
        if not await self._nonces.use(self._kind, once, NONCE_LIFE_S):
            raise NonceUsed("this nonce was used before")
        return claim.key_id

    def _is_signed(self, method: str, path: str, claim: Claim, body: bytes) -> bool:
        now_ns = self._clock.now_ns()
        secrets = [
            held.secret
            for held in self._keys(claim.key_id)
            if held.lapses_ns is None or now_ns < held.lapses_ns
        ]
        signed = False
        # an unknown key takes as long as a known one, and no secret is spared
        for secret in secrets or [_NO_SECRET]:
            wanted = sign_request(secret, method, path, claim.timestamp, claim.nonce, body)
            signed |= hmac.compare_digest(wanted, claim.signature)
        return signed and bool(secrets)
