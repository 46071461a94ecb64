"""The directory: the venue view of gateway and relay, with who holds which account."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from schemas.events.exchange import AccountLapsed, AccountOpened, CashCredited
from schemas.subjects import EXCHANGE, GOVERNANCE
from schemas.units import SECOND_NS
from streams.accounts.limits import LAPSED_NAME_KEPT_S
from streams.accounts.tail import Arrived
from streams.log.venue_view import VenueView

_OF_ACCOUNTS: Final = (b'"account_opened/1"', b'"account_lapsed/1"', b'"cash_credited/1"')
_KEPT_NS: Final = LAPSED_NAME_KEPT_S * SECOND_NS


@dataclass
class Directory(VenueView):
    """What it takes to refuse a request that the engines would refuse as well."""

    _key_of: dict[str, str] = field(default_factory=dict)
    _account_of: dict[str, str] = field(default_factory=dict)
    _more_of: dict[str, dict[str, None]] = field(default_factory=dict)
    """The other accounts of the keys that have several."""
    _credited: set[str] = field(default_factory=set)
    _lapsed_ns: OrderedDict[str, int] = field(default_factory=OrderedDict)
    """When accounts lapsed, the oldest first. An ordered dict gives up its first one at once."""

    def key_of(self, account: str) -> str | None:
        """Return the public key that controls `account`."""
        return self._key_of.get(account)

    def account_of(self, public_key: str) -> str | None:
        """Return the account that `public_key` controls; the first one, should it have more.

        Once that one has lapsed it is one of the others.
        """
        return self._account_of.get(public_key)

    def has_had_credit(self, account: str) -> bool:
        """Tell whether `account` ever had a credit: without one it can never do anything."""
        return account in self._credited

    def has_lapsed(self, account: str, now_ns: int) -> bool:
        """Tell whether `account` has lapsed less than LAPSED_NAME_KEPT_S ago.

        Until then somebody may be logged in as it, who would act for the next one of its name.
        """
        lapsed_ns = self._lapsed_ns.get(account)
        return lapsed_ns is not None and now_ns < lapsed_ns + _KEPT_NS

    def take(self, arrived: Arrived) -> None:
        """Fold one record."""
        if arrived.head.engine == GOVERNANCE:
            self.fold_events(arrived.sequence, arrived.events)
        # Most records of the exchange neither open nor credit nor end an account: not decoded.
        elif arrived.head.engine == EXCHANGE and any(
            tag in arrived.stored.payload for tag in _OF_ACCOUNTS
        ):
            for event in arrived.events:
                if isinstance(event, AccountOpened):
                    self._opened(event.account, event.public_key)
                elif isinstance(event, AccountLapsed):
                    self._lapsed(event.account, arrived.head.time_ns)
                elif isinstance(event, CashCredited):
                    self._credited.add(event.account)

    def _opened(self, account: str, public_key: str) -> None:
        self._key_of[account] = public_key
        if self._account_of.setdefault(public_key, account) != account:
            self._more_of.setdefault(public_key, {})[account] = None

    def _lapsed(self, account: str, now_ns: int) -> None:
        public_key = self._key_of.pop(account)
        self._credited.discard(account)
        more = self._more_of.get(public_key, {})
        if self._account_of[public_key] != account:
            del more[account]
        elif more:
            self._account_of[public_key] = more.popitem()[0]
        else:
            del self._account_of[public_key]
        if not more:
            self._more_of.pop(public_key, None)
        self._lapsed_ns[account] = now_ns
        self._lapsed_ns.move_to_end(account)
        while self._lapsed_ns[next(iter(self._lapsed_ns))] + _KEPT_NS <= now_ns:
            self._lapsed_ns.popitem(last=False)
