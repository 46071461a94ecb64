"""The directory: the venue view of the gateway, with who holds which account."""

from dataclasses import dataclass, field
from typing import Final

from schemas.events.exchange import AccountOpened, CashCredited
from schemas.subjects import EXCHANGE, GOVERNANCE
from streams.gateway.tail import Arrived
from streams.log.venue_view import VenueView

_OPENED: Final = b'"account_opened/1"'
_CREDITED: Final = b'"cash_credited/1"'


@dataclass
class Directory(VenueView):
    """What the gateway must know to refuse a request that the engines would refuse as well."""

    _key_of: dict[str, str] = field(default_factory=dict)
    _account_of: dict[str, str] = field(default_factory=dict)
    _credited: set[str] = field(default_factory=set)

    def key_of(self, account: str) -> str | None:
        """Return the public key that controls `account`."""
        return self._key_of.get(account)

    def account_of(self, public_key: str) -> str | None:
        """Return the account that `public_key` controls; the first one, should it have more."""
        return self._account_of.get(public_key)

    def has_had_credit(self, account: str) -> bool:
        """Tell whether `account` ever had a credit: without one it can never do anything."""
        return account in self._credited

    def take(self, arrived: Arrived) -> None:
        """Fold one record."""
        if arrived.head.engine == GOVERNANCE:
            self.fold_events(arrived.sequence, arrived.events)
        # Most records of the exchange neither open nor credit an account: not decoded.
        elif arrived.head.engine == EXCHANGE and (
            _OPENED in arrived.stored.payload or _CREDITED in arrived.stored.payload
        ):
            for event in arrived.events:
                if isinstance(event, AccountOpened):
                    self._key_of[event.account] = event.public_key
                    self._account_of.setdefault(event.public_key, event.account)
                elif isinstance(event, CashCredited):
                    self._credited.add(event.account)
