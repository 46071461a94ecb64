"""The memory of client ids, by which nothing is ever executed twice.

An id is used up by a command that was carried out. One that was refused changed nothing,
so its id stays free and a repetition is judged afresh: it can still execute only once.

Ids are kept in two generations. `now` collects; when the memory's time has come, `now`
becomes `before` and what was `before` is dropped. A generation is dropped no earlier than
REMEMBER_IDS_NS after its last id came in, when that id's command is stale for sure.
"""

from everything.schemas.errors import Refusal
from everything.schemas.limits import (
    FUTURE_AFTER_NS,
    MAX_CLIENT_ID_CHARS,
    MAX_IDS_PER_ACCOUNT,
    STALE_AFTER_NS,
)

Generation = dict[str, dict[str, int]]
"""By account name, then client id: the order id, or for other commands minus the sequence."""


class ClientIds:
    """Which client ids each account has used. `remember_until_ns` is the next generation's."""

    __slots__ = ("before", "now", "remember_until_ns")

    def __init__(self) -> None:
        self.now: Generation = {}
        self.before: Generation = {}
        self.remember_until_ns = 0

    def admit(
        self, account: str, client_id: str, client_time_ns: int, now_ns: int
    ) -> Refusal | None:
        """Return why a command with this id and time may not be carried out, or None."""
        if not 0 < len(client_id) <= MAX_CLIENT_ID_CHARS:
            return Refusal.BAD_CLIENT_ID
        if not (client_id.isascii() and client_id.isprintable()):
            return Refusal.BAD_CLIENT_ID
        if client_time_ns < now_ns - STALE_AFTER_NS:
            return Refusal.STALE
        if client_time_ns > now_ns + FUTURE_AFTER_NS:
            return Refusal.FROM_THE_FUTURE
        now, before = self.now.get(account), self.before.get(account)
        used = 0
        if now is not None:
            if client_id in now:
                return Refusal.DUPLICATE
            used = len(now)
        if before is not None:
            if client_id in before:
                return Refusal.DUPLICATE
            used += len(before)
        return Refusal.TOO_MANY_IDS if used >= MAX_IDS_PER_ACCOUNT else None

    def use(self, account: str, client_id: str, what: int) -> None:
        """Remember that the account used `client_id` for `what`."""
        mine = self.now.get(account)
        if mine is None:
            self.now[account] = {client_id: what}
        else:
            mine[client_id] = what

    def used_for(self, account: str, client_id: str) -> int:
        """Return what a remembered id was used for, 0 for one that is not remembered."""
        for generation in (self.now, self.before):
            what = generation.get(account, {}).get(client_id)
            if what is not None:
                return what
        return 0

    def any(self) -> bool:
        """Tell whether any id is remembered."""
        return bool(self.now or self.before)

    def forget(self, remember_until_ns: int) -> None:
        """Drop the older generation and begin a new one."""
        self.before, self.now = self.now, {}
        self.remember_until_ns = remember_until_ns
