"""What the governance engine remembers. `evolve.py` says how its own events change that."""

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from schemas.codec import encode
from schemas.decisions import RiskLevel, Role
from schemas.policy import MarketType, Policy
from schemas.sources import SourceKind

Phase = Literal["open", "halted", "closed", "resolved"]

RANKS: Final[dict[Role, int]] = {"viewer": 0, "editor": 1, "admin": 2, "super-admin": 3}


class EnrolledKey(msgspec.Struct):
    """A person's key. `counter` is the highest one that it has used.

    A rotated key has a time at which it lapses; its successor names it in `replaces`.
    """

    holder: str
    role: Role
    counter: int = 0
    revoked: bool = False
    lapses_ns: int | None = None
    replaces: str | None = None

    def accepted(self, now_ns: int) -> bool:
        """Tell whether a signature of this key counts at `now_ns`."""
        return not self.revoked and (self.lapses_ns is None or now_ns < self.lapses_ns)


class ListedMarket(msgspec.Struct):
    """The facts of a market by which later decisions about it are judged."""

    market_type: MarketType
    name: str
    description: str
    aliases: list[str]
    risk_level: RiskLevel
    market_weight_bp: int
    reality_weight_bp: int
    phase: Phase = "open"


class PendingDecision(msgspec.Struct):
    """A decision that waits for more people; `cause` is the message that proposed it."""

    cause: int
    body: str
    signers: list[str]
    signers_needed: int
    expires_ns: int


class State(msgspec.Struct):
    """All of governance. `venue_id` is empty until the venue is founded.

    The dump leaves `sources` out before the first one is added, because older logs hold
    hashes of states without it.
    """

    venue_id: str = ""
    policy: Policy | None = None
    policy_version: int = 0
    keys: dict[str, EnrolledKey] = {}
    markets: dict[str, ListedMarket] = {}
    pending: dict[str, PendingDecision] = {}
    sources: dict[str, SourceKind] | UnsetType = UNSET

    def known_sources(self) -> dict[str, SourceKind]:
        """Return the kind of every source by its id."""
        return {} if isinstance(self.sources, UnsetType) else self.sources


_decode: Final = msgspec.json.Decoder(State).decode


def dump(state: State) -> bytes:
    """Return the state as canonical JSON; dicts keep the order of the events.

    The codec and the field names stay as they are: hashes of these bytes stand on logs.
    """
    return encode(state)


def load(data: bytes) -> State:
    """Return the state that `dump` wrote."""
    return _decode(data)
