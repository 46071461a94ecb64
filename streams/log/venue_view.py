"""The venue view: what governance has decided, folded once for every process that appends.

A process uses it to refuse at its entry what the engines would refuse as well, and to know
what exists. It is never authority: it lags the log a little, and the engines judge again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, assert_never

from schemas.decisions import Role
from schemas.events import Event, governance
from schemas.policy import Policy
from schemas.records import read
from schemas.sources import Source
from schemas.stored import Stored

MarketStatus = Literal["open", "halted", "closed", "resolved"]


class VenueIdentity(NamedTuple):
    """What the genesis said."""

    venue_id: str
    name: str
    root_key: str
    notary_key: str


@dataclass
class KeyHolder:
    """The person behind a key. `counter` is that of the newest decision."""

    holder: str
    role: Role
    counter: int = 0
    revoked: bool = False


class MarketNames(NamedTuple):
    """The names by which a market goes, beside its symbol, from `since` on."""

    since: int
    name: str
    aliases: tuple[str, ...]


@dataclass
class VenueView:
    """A fold of governance's records. `position` is the sequence of the last one."""

    position: int = 0
    venue: VenueIdentity | None = None
    policy: Policy | None = None
    policy_version: int = 0
    keys: dict[str, KeyHolder] = field(default_factory=dict)
    markets: dict[str, MarketStatus] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    quarantined_until_ns: dict[str, int] = field(default_factory=dict)
    _names: dict[str, list[MarketNames]] = field(default_factory=dict)

    def names_of(self, symbol: str) -> MarketNames:
        """Return the names of a market that was listed."""
        return self._names[symbol][-1]

    def name_at(self, symbol: str, sequence: int) -> str:
        """Return what a market was called at `sequence`: its symbol before it was listed."""
        names = [one.name for one in self._names.get(symbol, ()) if one.since < sequence]
        return names[-1] if names else symbol

    def fold(self, stored: Stored) -> list[str]:
        """Fold a record; return the symbols of the markets that it changed.

        Raises UnknownRecord.
        """
        return self.fold_events(stored.sequence, read(stored).events)

    def fold_events(self, sequence: int, events: Sequence[Event]) -> list[str]:
        """Fold the events of the record at `sequence`; otherwise as `fold`."""
        changed: dict[str, None] = {}
        for event in events:
            if isinstance(event, governance.Event):
                self._apply(sequence, event, changed)
        self.position = sequence
        return list(changed)

    def _apply(self, sequence: int, event: governance.Event, changed: dict[str, None]) -> None:
        match event:
            case governance.VenueFounded():
                names = (event.venue_id, event.venue, event.root_key, event.notary_key)
                self.venue, self.policy = VenueIdentity(*names), event.policy
            case governance.PolicySet():
                self.policy, self.policy_version = event.policy, event.version
            case (
                governance.DecisionAccepted()
                | governance.DecisionPending()
                | governance.DecisionCoSigned()
            ):
                self._count(event.key, event.counter)
            case (
                governance.KeyEnrolled()
                | governance.RoleGranted()
                | governance.KeyRotated()
                | governance.KeyRevoked()
            ):
                self._apply_key(event)
            case (
                governance.MarketListed()
                | governance.MarketEdited()
                | governance.MarketHalted()
                | governance.MarketResumed()
                | governance.MarketClosed()
                | governance.MarketResolved()
            ):
                self._apply_market(sequence, event)
                changed[event.symbol] = None
            case governance.SourceAdded() | governance.SourceChanged():
                self.sources[event.source.source] = event.source
            case governance.SourceQuarantineSet():
                self.quarantined_until_ns[event.source] = event.until_ns
            case (
                governance.DecisionLapsed()
                | governance.DecisionRefused()
                | governance.CreditsMinted()
                | governance.OpsOverridden()
                | governance.ReviewAnswered()
            ):
                pass
            case _:
                assert_never(event)

    def _count(self, key: str, counter: int) -> None:
        if (known := self.keys.get(key)) is not None:
            known.counter = max(known.counter, counter)

    def _apply_key(
        self,
        event: governance.KeyEnrolled
        | governance.RoleGranted
        | governance.KeyRotated
        | governance.KeyRevoked,
    ) -> None:
        match event:
            case governance.KeyEnrolled():
                self.keys[event.key] = KeyHolder(event.holder, event.role)
            case governance.RoleGranted():
                self.keys[event.key].role = event.role
            case governance.KeyRotated():
                old = self.keys[event.old_key]
                self.keys[event.new_key] = KeyHolder(old.holder, old.role)
            case governance.KeyRevoked():
                self.keys[event.key].revoked = True
            case _:
                assert_never(event)

    def _apply_market(
        self,
        sequence: int,
        event: governance.MarketListed
        | governance.MarketEdited
        | governance.MarketHalted
        | governance.MarketResumed
        | governance.MarketClosed
        | governance.MarketResolved,
    ) -> None:
        if isinstance(event, governance.MarketListed | governance.MarketEdited):
            names = MarketNames(sequence, event.name, tuple(event.aliases))
            self._names.setdefault(event.symbol, []).append(names)
        match event:
            case governance.MarketListed() | governance.MarketResumed():
                self.markets[event.symbol] = "open"
            case governance.MarketEdited():
                pass
            case governance.MarketHalted():
                self.markets[event.symbol] = "halted"
            case governance.MarketClosed():
                self.markets[event.symbol] = "closed"
            case governance.MarketResolved():
                self.markets[event.symbol] = "resolved"
            case _:
                assert_never(event)
