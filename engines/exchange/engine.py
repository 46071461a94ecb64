"""The exchange engine, as the kernel knows it."""

from collections.abc import Iterable, Sequence
from typing import Final

from engines.exchange import (
    conclude,
    decisions,
    evolve,
    openings,
    orders,
    snapshot,
)
from engines.exchange.refusals import refused, sayable
from engines.exchange.state import State
from engines.kernel import Grouping
from schemas import subjects
from schemas.commands import ACCOUNT_COMMANDS, ORDER_COMMANDS
from schemas.errors import (
    BrokenInvariant,
    InputError,
    Refusal,
    TooLarge,
    UnknownRecord,
)
from schemas.events import Event
from schemas.events.exchange import CommandRefused, OrdersCancelled
from schemas.limits import IDS_LIKE_AN_EVENT, MAX_COMMAND_BYTES
from schemas.records import EVENT_MESSAGES, Record
from schemas.stored import Stored

_UNREADABLE: Final = {
    Refusal.MALFORMED: "not a readable command",
    Refusal.UNKNOWN_MESSAGE: "no such command, or not in this version",
    Refusal.TOO_LARGE: f"a command has at most {MAX_COMMAND_BYTES} bytes",
}
"""Our own words: a decoder's may change with its version, and an event may not."""


class ExchangeEngine:
    """Accounts, money and the books of one shard."""

    name = subjects.EXCHANGE
    decider = "exchange/1"
    grouping = Grouping()

    def __init__(self, shard: str = subjects.DEFAULT_SHARD) -> None:
        self._orders = subjects.order_command(shard, "")
        self._accounts = subjects.account_command(shard, "")
        self._governance = subjects.events(shard, subjects.GOVERNANCE)
        self.reads = (f"{self._orders}*", f"{self._accounts}*", self._governance)

    def initial(self) -> State:
        return State()

    def decide(self, state: State, message: Stored, now_ns: int) -> Iterable[Event]:
        """Judge one message; a command gets its outcome whatever stands in it.

        Raises UnknownRecord for a governance record that this version cannot read.
        """
        sequence, subject, payload = message
        if subject.startswith(self._orders):
            account = subject[len(self._orders) :]
            try:
                if len(payload) > MAX_COMMAND_BYTES:
                    raise _too_large(payload)
                command = ORDER_COMMANDS.decode(payload)
            except InputError as error:
                return (_unreadable(sequence, account, error),)
            return orders.judge(state, sequence, account, command, now_ns)
        if subject == self._governance:
            return decisions.judge(state, sequence, _governance_record(sequence, payload))
        if subject.startswith(self._accounts):
            account = subject[len(self._accounts) :]
            try:
                if len(payload) > MAX_COMMAND_BYTES:
                    raise _too_large(payload)
                opening = ACCOUNT_COMMANDS.decode(payload)
            except InputError as error:
                return (_unreadable(sequence, account, error),)
            return openings.judge(state, sequence, account, opening, now_ns)
        return ()

    def on_group_end(self, state: State, inputs: Sequence[Stored], now_ns: int) -> Iterable[Event]:
        """State what the group touched, and forget the ids whose time is over."""
        return conclude.conclude(state, inputs, now_ns)

    def weight(self, event: Event) -> int:
        """Count a mass cancel by the length of its list: it is as long as what rests."""
        if type(event) is OrdersCancelled:
            return 1 + len(event.order_ids) // IDS_LIKE_AN_EVENT
        return 1

    def evolve(self, state: State, event: Event) -> None:
        """Apply one event; raises BrokenInvariant for one that cannot be true of this state."""
        step = evolve.STEPS.get(type(event))
        if step is None:
            raise UnknownRecord(f"{type(event).__name__} is no event of the exchange")
        try:
            step(state, event)
        except (KeyError, AttributeError) as error:
            raise BrokenInvariant(f"{event} does not fit the state: {error!r}") from error

    def next_due_ns(self, state: State) -> int | None:
        return conclude.next_due_ns(state)

    def dump(self, state: State) -> bytes:
        """Return the state's canonical bytes; raises BrokenInvariant if money does not add up."""
        return snapshot.dump(state)

    def load(self, data: bytes) -> State:
        return snapshot.load(data)


def _too_large(payload: bytes) -> TooLarge:
    return TooLarge(f"{len(payload)} bytes")


def _unreadable(sequence: int, account: str, error: InputError) -> CommandRefused:
    code = Refusal(error.code)
    return refused(sequence, sayable(account), "", code, _UNREADABLE[code])


def _governance_record(sequence: int, payload: bytes) -> Record:
    try:
        record = EVENT_MESSAGES.decode(payload)
    except InputError as error:
        raise UnknownRecord(f"governance record at sequence {sequence}: {error}") from error
    if record.engine != subjects.GOVERNANCE:
        raise UnknownRecord(f"a record of {record.engine!r} stands at sequence {sequence}")
    return record
