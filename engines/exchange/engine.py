"""The exchange engine: commands and governance records in; orders, trades and balances out."""

from collections.abc import Iterable, Sequence
from typing import Final

from engines.exchange import inputs, snapshot
from engines.exchange.decide import governance, group_end, openings, orders
from engines.exchange.decide.refusals import refused, sayable
from engines.exchange.evolve import EVENT_HANDLERS
from engines.exchange.limits import IDS_LIKE_AN_EVENT
from engines.exchange.state import State
from engines.kernel import Grouping
from schemas import subjects
from schemas.errors import BrokenInvariant, InputError, Refusal, UnknownRecord
from schemas.events import Event
from schemas.events.exchange import CommandRefused, OrdersCancelled
from schemas.records import read
from schemas.stored import Stored

DECIDER: Final = "exchange/2"


class ExchangeEngine:
    """Decide on accounts, money and the books of one shard."""

    name = subjects.EXCHANGE
    decider = DECIDER
    grouping = Grouping()

    def __init__(self, shard: str = subjects.DEFAULT_SHARD) -> None:
        self._orders = subjects.order_command(shard, "")
        self._accounts = subjects.account_command(shard, "")
        self._governance = subjects.events(shard, subjects.GOVERNANCE)
        self.reads = (f"{self._orders}*", f"{self._accounts}*", self._governance)

    def initial(self) -> State:
        """Return the state of a venue without accounts and books."""
        return State()

    def decide(self, state: State, message: Stored, now_ns: int) -> Iterable[Event]:
        """Judge one message; a command gets its outcome whatever stands in it.

        Raises UnknownRecord for a governance record that this version cannot read.
        """
        sequence, subject, payload = message
        if subject.startswith(self._orders):
            account = subject[len(self._orders) :]
            try:
                command = inputs.order_command(payload)
            except InputError as error:
                return (_unreadable(sequence, account, error),)
            return orders.judge(state, sequence, account, command, now_ns)
        if subject == self._governance:
            return governance.judge(state, sequence, read(message))
        if subject.startswith(self._accounts):
            account = subject[len(self._accounts) :]
            try:
                opening = inputs.account_command(payload)
            except InputError as error:
                return (_unreadable(sequence, account, error),)
            return openings.judge(state, sequence, account, opening, now_ns)
        return ()

    def on_group_end(self, state: State, inputs: Sequence[Stored], now_ns: int) -> Iterable[Event]:
        """State what the group touched, and forget the ids whose time is over."""
        return group_end.on_group_end(state, inputs, now_ns)

    def weight(self, event: Event) -> int:
        """Count a mass cancel by its list, which is as long as what rests."""
        if type(event) is OrdersCancelled:
            return 1 + len(event.order_ids) // IDS_LIKE_AN_EVENT
        return 1

    def evolve(self, state: State, event: Event) -> None:
        """Apply one event, as `kernel.apply_event` does.

        It is written out because a call of that costs the exchange one operation in fifty.
        """
        handler = EVENT_HANDLERS.get(type(event))
        if handler is None:
            raise UnknownRecord(f"exchange does not decide {type(event).__name__}")
        try:
            handler(state, event)
        except (KeyError, IndexError, AttributeError) as error:
            raise BrokenInvariant(f"{event} does not fit the state: {error!r}") from error

    def next_due_ns(self, state: State) -> int | None:
        return group_end.next_due_ns(state)

    def dump(self, state: State) -> bytes:
        """Return the state's canonical bytes; raises BrokenInvariant if money does not add up."""
        return snapshot.dump(state)

    def load(self, data: bytes) -> State:
        return snapshot.load(data)


def _unreadable(sequence: int, account: str, error: InputError) -> CommandRefused:
    code = Refusal(error.code)
    return refused(sequence, sayable(account), "", code, inputs.UNREADABLE[code])
