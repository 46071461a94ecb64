"""The memory of client ids: no command is executed twice.

A command that was carried out uses up its id. A refused command changed nothing, so its id
stays free and a repetition is judged like a new command: it can still execute only once.

Ids are kept in two generations. `now` collects ids; at `remember_until_ns` it becomes
`before`, and the previous `before` is dropped. A generation is dropped no earlier than
REMEMBER_IDS_NS after its last id came in; by then that id's command is stale.

Each id is remembered with its use: the order id, or minus the sequence of a command that is
no order.
"""

from engines.exchange.accounts import Account
from engines.exchange.limits import FUTURE_AFTER_NS, MAX_IDS_PER_ACCOUNT, STALE_AFTER_NS
from schemas.errors import Refusal
from schemas.limits import MAX_CLIENT_ID_CHARS


class ClientIds:
    """Which accounts have ids in which generation. `remember_until_ns` is the next one's end."""

    __slots__ = ("before", "now", "remember_until_ns")

    def __init__(self) -> None:
        self.now: dict[str, Account] = {}
        self.before: dict[str, Account] = {}
        self.remember_until_ns = 0

    def use(self, account: Account, client_id: str, what: int) -> None:
        """Remember that `account` used `client_id` for `what`."""
        if not account.ids_now:
            self.now[account.name] = account
        account.ids_now[client_id] = what

    def any(self) -> bool:
        """Tell whether any id is remembered."""
        return bool(self.now or self.before)

    def drop(self, account: Account) -> None:
        """Drop the ids of an account that is no more."""
        self.now.pop(account.name, None)
        self.before.pop(account.name, None)

    def forget(self, remember_until_ns: int) -> None:
        """Drop the older generation and begin a new one."""
        for account in self.before.values():
            account.ids_before = {}
        for account in self.now.values():
            account.ids_before, account.ids_now = account.ids_now, {}
        self.before, self.now = self.now, {}
        self.remember_until_ns = remember_until_ns


def admit(account: Account, client_id: str, client_time_ns: int, now_ns: int) -> Refusal | None:
    """Return why the account's command with this id and time may not be carried out, or None."""
    if not (0 < len(client_id) <= MAX_CLIENT_ID_CHARS and client_id.isascii()):
        return Refusal.BAD_CLIENT_ID
    if not client_id.isprintable():
        return Refusal.BAD_CLIENT_ID
    age_ns = now_ns - client_time_ns
    if age_ns > STALE_AFTER_NS:
        return Refusal.STALE
    if age_ns < -FUTURE_AFTER_NS:
        return Refusal.FROM_THE_FUTURE
    now, before = account.ids_now, account.ids_before
    if client_id in now or client_id in before:
        return Refusal.DUPLICATE
    if len(now) + len(before) >= MAX_IDS_PER_ACCOUNT:
        return Refusal.TOO_MANY_IDS
    return None


def used_for(account: Account, client_id: str) -> int:
    """Return what a remembered id was used for, 0 for one that is not remembered."""
    return account.ids_now.get(client_id, 0) or account.ids_before.get(client_id, 0)
