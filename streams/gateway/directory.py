"""The directory: the venue view of the gateway, with who holds which account."""

from dataclasses import dataclass, field
from typing import Final

from msgspec import UNSET

from schemas.events.exchange import AccountOpened
from schemas.subjects import EXCHANGE, GOVERNANCE
from streams.gateway.tail import Arrived
from streams.log.venue_view import VenueView

_OPENED: Final = b'"account_opened/1"'


@dataclass
class Directory(VenueView):
    """What the gateway must know to refuse a request that the engines would refuse as well."""

    _key_of: dict[str, str] = field(default_factory=dict)
    _account_of: dict[str, str] = field(default_factory=dict)

    def key_of(self, account: str) -> str | None:
        """Return the public key that controls `account`."""
        return self._key_of.get(account)

    def account_of(self, public_key: str) -> str | None:
        """Return the account that `public_key` controls; the first one, should it have more."""
        return self._account_of.get(public_key)

    def native_connections(self, account: str) -> int | None:
        """Return how many `account` may hold at the native door, None without a policy on it."""
        quotas = UNSET if self.policy is None else self.policy.quotas
        return None if quotas is UNSET else quotas.of(account).native_connections

    def take(self, arrived: Arrived) -> None:
        """Fold one record."""
        if arrived.head.engine == GOVERNANCE:
            self.fold_events(arrived.sequence, arrived.events)
        # Most records of the exchange open no account. These are not decoded.
        elif arrived.head.engine == EXCHANGE and _OPENED in arrived.stored.payload:
            for event in arrived.events:
                if isinstance(event, AccountOpened):
                    self._key_of[event.account] = event.public_key
                    self._account_of.setdefault(event.public_key, event.account)
