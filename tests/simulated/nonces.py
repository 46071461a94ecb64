"""What was used once, in memory: `Nonces` for gateways over the simulated log.

Several gateways over one `SimulatedNonces` are those of one venue. It passes the contract that
the broker passes (`tests/contract/test_nonces.py`).
"""

from schemas.errors import Busy, LogUnavailable
from schemas.units import SECOND_NS
from streams.accounts.nonces import NonceKind
from streams.log.ports import Clock


class SimulatedNonces:
    """Keeps at most `most` at a time; `away` makes it unreachable."""

    def __init__(self, clock: Clock, most: int = 1_000) -> None:
        self._clock = clock
        self._most = most
        self._until_ns: dict[tuple[NonceKind, str], int] = {}
        self.away = False

    async def use(self, kind: NonceKind, nonce: str, life_s: int) -> bool:
        """Use `nonce` up. See `Nonces`."""
        if self.away:
            raise LogUnavailable("the nonces cannot be reached")
        now_ns = self._clock.now_ns()
        self._until_ns = {one: until for one, until in self._until_ns.items() if until > now_ns}
        if (kind, nonce) in self._until_ns:
            return False
        if len(self._until_ns) >= self._most:
            raise Busy("too many requests are signed in too short a time")
        self._until_ns[kind, nonce] = now_ns + life_s * SECOND_NS
        return True
