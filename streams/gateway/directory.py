"""The directory: who holds which account and key, which markets and sources there are."""

from dataclasses import dataclass, field
from typing import Final, Literal, assert_never

from schemas.decisions import Role
from schemas.events import governance
from schemas.events.exchange import AccountOpened
from schemas.policy import Policy
from schemas.sources import Source
from schemas.subjects import EXCHANGE, GOVERNANCE
from streams.gateway.tail import Arrived

MarketStatus = Literal["open", "halted", "closed", "resolved"]

_OPENED: Final = b'"account_opened/1"'


@dataclass(frozen=True)
class FoundedVenue:
    """What the genesis said."""

    venue_id: str
    name: str
    root_key: str
    notary_key: str


@dataclass
class KeyHolder:
    holder: str
    role: Role
    counter: int = 0
    revoked: bool = False


@dataclass
class Directory:
    """A fold, in memory, of what the gateway must know; it lags the log a little.

    The gateway uses it to refuse early what the engines would refuse as well, never to allow.
    """

    venue: FoundedVenue | None = None
    policy: Policy | None = None
    policy_version: int = 0
    keys: dict[str, KeyHolder] = field(default_factory=dict)
    markets: dict[str, MarketStatus] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    _key_of: dict[str, str] = field(default_factory=dict)
    _account_of: dict[str, str] = field(default_factory=dict)

    def key_of(self, account: str) -> str | None:
        """Return the public key that controls `account`."""
        return self._key_of.get(account)

    def account_of(self, public_key: str) -> str | None:
        """Return the account that `public_key` controls; the first one, should it have more."""
        return self._account_of.get(public_key)

    def take(self, arrived: Arrived) -> None:
        """Fold one record."""
        if arrived.head.engine == GOVERNANCE:
            for event in arrived.events:
                if isinstance(event, governance.Event):
                    self._fold_governance(event)
        # most of the exchange's records open no account: do not decode those
        elif arrived.head.engine == EXCHANGE and _OPENED in arrived.stored.payload:
            for event in arrived.events:
                if isinstance(event, AccountOpened):
                    self._key_of[event.account] = event.public_key
                    self._account_of.setdefault(event.public_key, event.account)

    def _fold_governance(self, event: governance.Event) -> None:
        match event:
            case governance.VenueFounded():
                self.venue = FoundedVenue(
                    event.venue_id, event.venue, event.root_key, event.notary_key
                )
                self.policy = event.policy
            case governance.PolicySet():
                self.policy, self.policy_version = event.policy, event.version
            case governance.DecisionAccepted() | governance.DecisionPending():
                self._count(event.key, event.counter)
            case governance.DecisionCoSigned():
                self._count(event.key, event.counter)
            case (
                governance.KeyEnrolled()
                | governance.RoleGranted()
                | governance.KeyRotated()
                | governance.KeyRevoked()
            ):
                self._fold_key(event)
            case governance.MarketListed() | governance.MarketResumed():
                self.markets[event.symbol] = "open"
            case governance.MarketHalted():
                self.markets[event.symbol] = "halted"
            case governance.MarketClosed():
                self.markets[event.symbol] = "closed"
            case governance.MarketResolved():
                self.markets[event.symbol] = "resolved"
            case governance.SourceAdded() | governance.SourceChanged():
                self.sources[event.source.source] = event.source
            case (
                governance.DecisionLapsed()
                | governance.DecisionRefused()
                | governance.MarketEdited()
                | governance.CreditsMinted()
                | governance.OpsOverridden()
                | governance.SourceQuarantineSet()
                | governance.ReviewAnswered()
            ):
                pass
            case _:
                assert_never(event)

    def _count(self, key: str, counter: int) -> None:
        if (known := self.keys.get(key)) is not None:
            known.counter = max(known.counter, counter)

    def _fold_key(
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
