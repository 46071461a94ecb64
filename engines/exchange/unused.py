"""The memory of unused accounts: those that were opened, and nothing ever came of it.

An account is used once a credit was minted to it, or once it has held or rested a lot. What
costs nothing does not count: neither the grant that came with the opening, nor a cancel, nor an
order that left nothing behind.

They are kept in two generations, as client ids are: AccountOpened bears no time. `opened`
collects accounts; at `lapse_ns` those that are still `scheduled` lapse, and `opened` becomes
`scheduled` for the time after. So an account lapses UNUSED_ACCOUNT_NS after its opening at the
earliest, and twice that at the latest.
"""

from engines.exchange.accounts import Account
from schemas.errors import BrokenInvariant


class UnusedAccounts:
    """Which accounts are in which generation, in the order of their opening."""

    __slots__ = ("lapse_ns", "opened", "scheduled")

    def __init__(self) -> None:
        self.opened: dict[str, Account] = {}
        self.scheduled: dict[str, Account] = {}
        self.lapse_ns = 0

    def any(self) -> bool:
        """Tell whether any account is unused."""
        return bool(self.opened or self.scheduled)

    def use(self, account: Account) -> None:
        """Forget `account`: from now on it stays, whatever it does."""
        self.opened.pop(account.name, None)
        self.scheduled.pop(account.name, None)

    def schedule(self, lapse_ns: int) -> None:
        """Let the accounts opened so far lapse at `lapse_ns`, those before them being gone."""
        if self.scheduled:
            raise BrokenInvariant(f"{len(self.scheduled)} accounts were to lapse before")
        self.scheduled, self.opened = self.opened, {}
        self.lapse_ns = lapse_ns
