"""Sign-ins and sign-ups: how many of them one network may ask for.

Anyone may ask, so no key and no name can be what is counted. The venue as a whole has a budget
too, for those who have many networks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from schemas.errors import Busy
from schemas.networks import client_network
from streams.accounts.errors import TooManyAccounts, TooManySignIns
from streams.accounts.rate_limiter import Buckets, Rate, per_day, per_minute, seconds
from streams.gateway.limits import (
    ACCOUNT_OPENINGS_PER_DAY,
    ACCOUNT_OPENINGS_PER_MINUTE,
    ACCOUNTS_PER_DAY,
    ACCOUNTS_PER_MINUTE,
    SIGN_INS_PER_MINUTE,
)
from streams.log.ports import Clock

_VENUE: Final = "venue"


@dataclass(frozen=True)
class SignUpBounds:
    """How many a network may ask for, and the venue take; a test may have others."""

    sign_ins_per_minute: int = SIGN_INS_PER_MINUTE
    accounts_per_minute: int = ACCOUNTS_PER_MINUTE
    accounts_per_day: int = ACCOUNTS_PER_DAY
    venue_accounts_per_minute: int = ACCOUNT_OPENINGS_PER_MINUTE
    venue_accounts_per_day: int = ACCOUNT_OPENINGS_PER_DAY


class _Budget(NamedTuple):
    buckets: Buckets
    name: str
    rate: Rate


class SignUps:
    """The budgets of one gateway; a full bucket is what a network has that never came before."""

    def __init__(self, clock: Clock, bounds: SignUpBounds) -> None:
        self._bounds = bounds
        self._sign_ins = Buckets(clock)
        self._in_minutes = Buckets(clock)
        self._in_days = Buckets(clock)

    def admit_sign_in(self, address: str) -> None:
        """Count one sign-in from the network of `address`, good or bad. Raises TooManySignIns."""
        rate = per_minute(self._bounds.sign_ins_per_minute)
        wait_ns = self._sign_ins.take(client_network(address), rate)
        if wait_ns:
            raise TooManySignIns("this network signs in too often", seconds(wait_ns))

    def admit_account(self, address: str) -> None:
        """Count one account for the network of `address`.

        Raises TooManyAccounts when the network has had its share of the minute or of the day,
        Busy when the venue has opened as many as it does in one. A refusal costs nothing.
        """
        network, bounds = client_network(address), self._bounds
        own = (
            _Budget(self._in_minutes, network, per_minute(bounds.accounts_per_minute)),
            _Budget(self._in_days, network, per_day(bounds.accounts_per_day)),
        )
        venue = (
            _Budget(self._in_minutes, _VENUE, per_minute(bounds.venue_accounts_per_minute)),
            _Budget(self._in_days, _VENUE, per_day(bounds.venue_accounts_per_day)),
        )
        if wait_ns := _wait_ns(own):
            raise TooManyAccounts("this network opens too many accounts", seconds(wait_ns))
        if wait_ns := _wait_ns(venue):
            raise Busy("too many accounts are being opened", seconds(wait_ns))
        for one in own + venue:
            one.buckets.take(one.name, one.rate)


def _wait_ns(budgets: Iterable[_Budget]) -> int:
    return max(one.buckets.wait_ns(one.name, one.rate) for one in budgets)
