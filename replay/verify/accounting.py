"""Add up what the records say: all that was asked has one outcome, the money is all there."""

from collections.abc import Callable, Iterable

from replay.verify.report import Finding, Totals
from schemas import subjects
from schemas.commands import ORDER_COMMANDS, PlaceOrders
from schemas.errors import InputError
from schemas.events import exchange as ex
from schemas.events import governance as gov
from schemas.events import reality
from schemas.limits import MAX_BALANCE_ROWS
from schemas.observations import is_measured_text
from schemas.records import Record
from schemas.stored import Stored
from schemas.units import PAR_TICKS

_ORDER_OUTCOMES = (ex.OrderPlaced, ex.OrderRejected)
_OTHER_OUTCOMES = (ex.OrdersCancelled, ex.AccountOpened, ex.CommandRefused)
_DECISION_OUTCOMES = (
    gov.DecisionAccepted,
    gov.DecisionPending,
    gov.DecisionCoSigned,
    gov.DecisionRefused,
)
_MEASURED_OUTCOMES = (reality.ArticleDropped, reality.ClusterOpened, reality.ArticleGrouped)
_BATCH_TAG = b'"place_orders/1"'

Tell = Callable[[Finding], None]


class Accounting:
    """Counts along the log. It trusts no engine: the sums must come out by themselves."""

    def __init__(self, shard: str, tell: Tell) -> None:
        self.account = Totals()
        self._tell = tell
        self._orders = f"{shard}.cmd.order."
        self._commands = (self._orders, f"{shard}.cmd.account.")
        self._decisions = f"{shard}.cmd.admin."
        self._signals = subjects.signals(shard)
        self._money: dict[str, tuple[int, int]] = {}
        self._positions: dict[tuple[str, str], int] = {}
        self._last_trade = 0

    def count(self, message: Stored) -> None:
        """Count a message by what it asks for."""
        self.account.messages += 1
        if message.subject.startswith(self._commands):
            self.account.commands += 1
        elif message.subject.startswith(self._decisions):
            self.account.decisions += 1
        elif message.subject == self._signals:
            if is_measured_text(message.payload):
                self.account.texts += 1
            else:
                self.account.measured += 1

    def take(self, sequence: int, record: Record, inputs: list[Stored]) -> None:
        """Add up one record of any engine."""
        self.account.events += len(record.events)
        match record.engine:
            case "exchange":
                self._take_exchange(sequence, record, inputs)
            case "governance":
                self._take_governance(sequence, record, inputs)
            case "reality":
                self._take_reality(sequence, record, inputs)
            case _:
                pass

    # -- outcomes --------------------------------------------------------------------

    def _take_exchange(self, sequence: int, record: Record, inputs: list[Stored]) -> None:
        account = self.account
        orders: dict[int, int] = {}
        others: dict[int, int] = {}
        for event in record.events:
            if isinstance(event, _ORDER_OUTCOMES):
                orders[event.cause] = orders.get(event.cause, 0) + 1
                account.orders += 1
                account.refused += isinstance(event, ex.OrderRejected)
            elif isinstance(event, ex.Traded):
                self._trade(sequence, record, event)
            elif isinstance(event, _OTHER_OUTCOMES):
                others[event.cause] = others.get(event.cause, 0) + 1
                account.refused += isinstance(event, ex.CommandRefused)
            elif isinstance(event, ex.CashCredited):
                account.minted_cents += event.amount_cents
            elif isinstance(event, ex.CashReturned):
                account.minted_cents -= event.amount_cents
            elif isinstance(event, ex.AccountLapsed):
                self._forget_money(event.account)
        for message in inputs:
            if message.subject.startswith(self._commands):
                given = orders.pop(message.sequence, 0), others.pop(message.sequence, 0)
                self._check_outcomes(sequence, record, message, *given)
        self._check_left_over(sequence, record, (*orders, *others))
        self._check_money(sequence, record)

    def _check_outcomes(
        self, sequence: int, record: Record, message: Stored, orders: int, others: int
    ) -> None:
        """A command has one outcome, or one for each of its orders."""
        account = self.account
        wanted = 1
        if orders and _BATCH_TAG in message.payload:
            wanted = _orders_in(message)
        account.outcomes += bool(orders + others)
        if orders + others == wanted and not (orders and others):
            return
        if orders + others < wanted:
            account.lost += 1
        else:
            account.doubled += 1
        note = f"the command at {message.sequence} has {orders + others} outcomes, not {wanted}"
        self._outcome(sequence, record, note)

    def _take_governance(self, sequence: int, record: Record, inputs: list[Stored]) -> None:
        causes: dict[int, int] = {}
        for event in record.events:
            if isinstance(event, _DECISION_OUTCOMES):
                causes[event.cause] = causes.get(event.cause, 0) + 1
                self.account.refused += isinstance(event, gov.DecisionRefused)
        for message in inputs:
            if not message.subject.startswith(self._decisions):
                continue
            if causes.pop(message.sequence, 0):
                self.account.outcomes += 1
            else:
                self.account.lost += 1
                note = f"the decision at {message.sequence} has no outcome"
                self._outcome(sequence, record, note)
        self._check_left_over(sequence, record, causes)

    def _take_reality(self, sequence: int, record: Record, inputs: list[Stored]) -> None:
        """A measured article is dropped, or grouped, or opens a cluster: just one of these.

        A measured text of a market or an event cannot be judged, so it is always dropped.
        """
        causes: dict[int, int] = {}
        for event in record.events:
            if isinstance(event, _MEASURED_OUTCOMES):
                causes[event.cause] = causes.get(event.cause, 0) + 1
        for message in inputs:
            if message.subject != self._signals:
                continue
            given = causes.pop(message.sequence, 0)
            self.account.judged += bool(given) and not is_measured_text(message.payload)
            if given == 1:
                continue
            if given:
                self.account.doubled += 1
            else:
                self.account.lost += 1
            note = f"what was measured at {message.sequence} has {given} outcomes, not 1"
            self._outcome(sequence, record, note)
        self._check_left_over(sequence, record, causes)

    def _check_left_over(self, sequence: int, record: Record, causes: Iterable[int]) -> None:
        for cause in causes:
            self.account.doubled += 1
            self._outcome(sequence, record, f"an outcome of {cause}, which it does not cover")

    def _trade(self, sequence: int, record: Record, event: ex.Traded) -> None:
        self.account.trades += 1
        if event.trade_id != self._last_trade + 1:
            note = f"trade {event.trade_id} follows trade {self._last_trade}"
            self._outcome(sequence, record, note)
        self._last_trade = event.trade_id

    # -- money -----------------------------------------------------------------------

    def _check_money(self, sequence: int, record: Record) -> None:
        """What was minted is cash, reserve or collateral, and longs are shorts.

        Only where the record says how all that it touched stands at its end.
        """
        stated = [event for event in record.events if isinstance(event, ex.BalancesChanged)]
        for event in stated:
            self._state_money(event.balances)
            self._state_positions(event.positions)
        if not stated or max(len(stated[-1].balances), len(stated[-1].positions)) >= (
            MAX_BALANCE_ROWS
        ):
            return
        account = self.account
        held = account.cash_cents + account.reserved_cents + PAR_TICKS * account.long_lots
        if account.long_lots != account.short_lots:
            self._wrong_money(sequence, record, "lots", account.long_lots, account.short_lots)
        elif held != account.minted_cents:
            self._wrong_money(sequence, record, "cents", account.minted_cents, held)

    def _forget_money(self, name: str) -> None:
        cash, reserved = self._money.pop(name, (0, 0))
        self.account.cash_cents -= cash
        self.account.reserved_cents -= reserved

    def _state_money(self, balances: Iterable[ex.Balance]) -> None:
        account, money = self.account, self._money
        for row in balances:
            cash, reserved = money.get(row.account, (0, 0))
            account.cash_cents += row.cash_cents - cash
            account.reserved_cents += row.reserved_cents - reserved
            money[row.account] = row.cash_cents, row.reserved_cents

    def _state_positions(self, positions: Iterable[ex.Position]) -> None:
        account, held = self.account, self._positions
        for row in positions:
            key = row.account, row.symbol
            before = held.get(key, 0)
            account.long_lots += max(row.lots, 0) - max(before, 0)
            account.short_lots += max(-row.lots, 0) - max(-before, 0)
            if row.lots:
                held[key] = row.lots
            else:
                held.pop(key, None)

    # -- findings --------------------------------------------------------------------

    def _wrong_money(
        self, sequence: int, record: Record, field: str, expected: int, found: int
    ) -> None:
        note = "longs are not shorts" if field == "lots" else "money came or went"
        self._tell(
            Finding(
                kind="money", sequence=sequence, engine=record.engine, record=record.number,
                note=note, field=field, expected=str(expected), found=str(found),
            )
        )  # fmt: skip

    def _outcome(self, sequence: int, record: Record, note: str) -> None:
        self._tell(
            Finding(
                kind="outcome",
                sequence=sequence,
                engine=record.engine,
                record=record.number,
                note=note,
            )
        )


def _orders_in(message: Stored) -> int:
    """Return how many orders a command asks for."""
    try:
        command = ORDER_COMMANDS.decode(message.payload)
    except InputError:
        return 1
    return len(command.orders) if isinstance(command, PlaceOrders) else 1
