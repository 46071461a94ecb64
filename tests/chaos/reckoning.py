"""The accounting: what stands on the log, against what the clients know and Postgres says.

It reads the log by itself and uses none of the engines' or projections' code.
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from schemas import subjects
from schemas.commands import ORDER_COMMANDS, PlaceOrders
from schemas.errors import InputError
from schemas.events import exchange as ex
from schemas.feed import decode_envelope
from schemas.limits import MAX_BATCH_ORDERS, READ_BATCH
from schemas.records import EPOCHS, EVENT_MESSAGES, Record
from schemas.stored import Stored
from schemas.units import PAR_TICKS
from streams.log.nats_log import NatsLog
from tests.chaos.ledger import Ledger
from tests.support.postgres import fetch

_POLL_S: Final = 10
_EXAMPLES: Final = 5


@dataclass
class Reckoning:
    """What was counted. `wrong` names every kind of error, how often, and some examples."""

    figures: dict[str, int] = field(default_factory=dict)
    wrong: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def blame(self, kind: str, what: object) -> None:
        self.wrong[kind].append(str(what))

    @property
    def sound(self) -> bool:
        return not self.wrong

    def lines(self) -> list[str]:
        """Return the table."""
        width = max(map(len, self.figures), default=0)
        table = [f"{name:<{width}}  {count:>12,}" for name, count in self.figures.items()]
        for kind, examples in self.wrong.items():
            shown = "; ".join(examples[:_EXAMPLES])
            table.append(f"WRONG  {kind}: {len(examples)} ({shown})")
        return table


class LogBook:
    """What one walk along the log found, engine by engine and command by command."""

    def __init__(self, reckoning: Reckoning) -> None:
        self._reckoning = reckoning
        self.commands: dict[tuple[str, bytes], list[int]] = defaultdict(list)
        self.wanted: dict[int, int] = {}
        """Outcomes that the order command at a sequence must have."""
        self.order_outcomes: dict[int, list[int]] = defaultdict(list)
        self.other_outcomes: Counter[int] = Counter()
        self.executed: Counter[tuple[str, str]] = Counter()
        self.placed = self.rejected = self.refused = 0
        self.trades = self.cancelled = self.records = 0
        self.money: dict[str, tuple[int, int]] = {}
        self.positions: dict[tuple[str, str], int] = {}
        self.minted_cents = 0
        self.epochs: dict[str, int] = {}
        self.offices: Counter[str] = Counter()
        self.numbers: dict[str, int] = {}
        self.covered: dict[str, int] = {}
        self.last = 0

    async def read(self, log: NatsLog) -> None:
        """Walk from the first message to where the log ends now."""
        end = await log.last_sequence()
        reader = await log.open_reader([f"{log.shard}.>"], 0)
        try:
            while self.last < end:
                messages = await reader.poll(READ_BATCH, _POLL_S)
                if not messages:
                    self._reckoning.blame("unreadable", f"nothing behind {self.last} of {end}")
                    return
                for message in messages:
                    self._take(message)
        finally:
            await reader.close()

    def _take(self, message: Stored) -> None:
        if message.sequence != self.last + 1:
            self._reckoning.blame("gap", message.sequence)
        self.last = message.sequence
        kind, _, name = message.subject.partition(".")[2].rpartition(".")
        if kind == "cmd.order":
            self._command(name, message)
        elif name == "epoch":
            self.epochs[EPOCHS.decode(message.payload).engine] = message.sequence
            self.offices[EPOCHS.decode(message.payload).engine] += 1
        elif kind == "evt":
            self._record(message, EVENT_MESSAGES.decode(message.payload))

    def _command(self, account: str, message: Stored) -> None:
        self.commands[account, message.payload].append(message.sequence)
        try:
            command = ORDER_COMMANDS.decode(message.payload)
        except InputError:
            self.wanted[message.sequence] = 1
            return
        orders = len(command.orders) if isinstance(command, PlaceOrders) else 1
        self.wanted[message.sequence] = orders

    def _record(self, message: Stored, record: Record) -> None:
        engine, blame = record.engine, self._reckoning.blame
        if record.epoch != self.epochs.get(engine):
            blame("record of an epoch gone by", message.sequence)
        if record.number != self.numbers.get(engine, 0) + 1:
            blame("record missing", f"{engine} {record.number} at {message.sequence}")
        covered = self.covered.get(engine, 0)
        if record.first_input <= covered and not record.tick:
            blame("input covered twice", f"{engine} {record.first_input} at {message.sequence}")
        self.numbers[engine], self.covered[engine] = record.number, record.last_input
        self.records += 1
        if engine == subjects.EXCHANGE:
            for event in record.events:
                self._event(event)

    def _event(self, event: Any) -> None:
        match event:
            case ex.OrderPlaced():
                self.placed += 1
                self.order_outcomes[event.cause].append(event.order_id)
                self.executed[event.account, event.client_order_id] += 1
            case ex.OrderRejected():
                self.rejected += 1
                self.order_outcomes[event.cause].append(event.order_id)
            case ex.OrdersCancelled():
                self.cancelled += len(event.order_ids)
                self.other_outcomes[event.cause] += 1
                self.executed[event.account, event.client_id] += 1
            case ex.CommandRefused():
                self.refused += 1
                self.other_outcomes[event.cause] += 1
            case ex.Traded():
                self.trades += 1
                if event.trade_id != self.trades:
                    self._reckoning.blame("trade number", event.trade_id)
            case ex.CashCredited():
                self.minted_cents += event.amount_cents
            case ex.BalancesChanged():
                for row in event.balances:
                    self.money[row.account] = (row.cash_cents, row.reserved_cents)
                for held in event.positions:
                    self.positions[held.account, held.symbol] = held.lots
            case _:
                pass


def check_outcomes(book: LogBook, reckoning: Reckoning) -> None:
    """Every order command has exactly one outcome, or one for each of its orders."""
    for sequence, wanted in book.wanted.items():
        orders, others = book.order_outcomes.pop(sequence, []), book.other_outcomes[sequence]
        first = sequence * MAX_BATCH_ORDERS
        whole = orders == list(range(first, first + wanted)) and not others
        if not whole and not (others == 1 and not orders):
            kind = "no outcome" if not orders and not others else "wrong outcomes"
            reckoning.blame(kind, f"{sequence}: {len(orders)} and {others}, not {wanted}")
    for cause in book.order_outcomes:
        reckoning.blame("outcome of no command", cause)
    for (account, client_id), times in book.executed.items():
        if times > 1:
            reckoning.blame("executed twice", f"{account} {client_id}: {times} times")


def check_clients(
    book: LogBook, ledger: Ledger, reckoning: Reckoning, outsiders: Collection[str] = ()
) -> None:
    """What was acknowledged stands where it was said to, and nothing stands more often.

    What `outsiders` sent is in nobody's ledger.
    """
    lost = doubled = phantom = 0
    present = unknown_there = unknown_not = 0
    for key, entry in ledger.entries.items():
        there = book.commands.get(key, [])
        present += len(there)
        for sequence in entry.acked:
            if sequence not in there:
                lost += 1
                reckoning.blame("lost", f"{entry.account} {sequence}")
        if len(set(entry.acked)) != len(entry.acked):
            doubled += 1
            reckoning.blame("one sequence for two", f"{entry.account} {entry.acked}")
        if len(there) > len(entry.acked) + entry.unknown:
            doubled += 1
            reckoning.blame("doubled", f"{entry.account} at {there}, acked {entry.acked}")
        if entry.refused and len(there) > entry.attempts - entry.refused:
            phantom += 1
            reckoning.blame("refused, yet there", f"{entry.account} at {there}")
        extra = len(there) - len(entry.acked)
        unknown_there += max(extra, 0)
        unknown_not += max(entry.unknown - max(extra, 0), 0)
    others = [key for key in book.commands if key not in ledger.entries]
    strangers = [key for key in others if key[0] not in outsiders]
    for account, _ in strangers:
        reckoning.blame("nobody sent it", account)
    reckoning.figures |= {
        "commands attempted": sum(entry.attempts for entry in ledger.entries.values()),
        **{f"  by {door}": count for door, count in sorted(ledger.by_door.items())},
        "acknowledged": ledger.acks,
        "refused at the door": sum(ledger.refusals.values()),
        "without an answer": sum(entry.unknown for entry in ledger.entries.values()),
        "  of these on the log": unknown_there,
        "  of these not": unknown_not,
        "present on the log": present,
        "lost": lost,
        "doubled": doubled,
        "refused, yet present": phantom,
        "sent by nobody": len(strangers),
    }


def check_money(book: LogBook, reckoning: Reckoning) -> None:
    """What was minted is cash, reserve or collateral; for every symbol longs are shorts."""
    net: Counter[str] = Counter()
    longs = 0
    for (_, symbol), lots in book.positions.items():
        net[symbol] += lots
        longs += max(lots, 0)
    for symbol, lots in net.items():
        if lots:
            reckoning.blame("longs are not shorts", f"{symbol} {lots}")
    cash = sum(cash for cash, _ in book.money.values())
    reserved = sum(reserved for _, reserved in book.money.values())
    held = cash + reserved + PAR_TICKS * longs
    if held != book.minted_cents:
        reckoning.blame("money came or went", f"{held} of {book.minted_cents}")
    for account, balances in book.money.items():
        if min(balances) < 0:
            reckoning.blame("below zero", f"{account} {balances}")
    reckoning.figures |= {
        "cents minted": book.minted_cents,
        "cents in cash": cash,
        "cents reserved": reserved,
        "cents in positions": PAR_TICKS * longs,
        "lots long (= short)": longs,
    }


def check_postgres(book: LogBook, dsn: str, reckoning: Reckoning) -> None:
    """The read models say what the log says."""
    (live,) = fetch(dsn, "SELECT model FROM control.switches ORDER BY number DESC LIMIT 1")
    schema = f"rm_{live[0]}"
    balances = "SELECT account, cash_cents, reserved_cents FROM accounts"
    money = {row[0]: (row[1], row[2]) for row in fetch(dsn, balances, schema=schema)}
    held = "SELECT account, symbol, lots FROM positions WHERE lots <> 0"
    positions = {(row[0], row[1]): row[2] for row in fetch(dsn, held, schema=schema)}
    both = "SELECT (SELECT count(*) FROM trade_history), (SELECT count(*) FROM orders)"
    (counts,) = fetch(dsn, both, schema=schema)
    if money != book.money:
        different = {
            name for name in money.keys() | book.money if money.get(name) != book.money.get(name)
        }
        reckoning.blame("Postgres: balances differ", sorted(different)[:_EXAMPLES])
    if positions != {key: lots for key, lots in book.positions.items() if lots}:
        reckoning.blame("Postgres: positions differ", len(positions))
    orders = book.placed + book.rejected
    if counts[1] != orders:
        reckoning.blame("Postgres: orders", f"{counts[1]} of {orders}")
    if counts[0] != book.trades:
        reckoning.blame("Postgres: trades", f"{counts[0]} of {book.trades}")
    reckoning.figures |= {
        "trades in Postgres": counts[0],
        "orders in Postgres": counts[1],
        "accounts in Postgres": len(money),
        "positions in Postgres": len(positions),
    }


async def check_feed(feed: NatsLog, book: LogBook, reckoning: Reckoning) -> None:
    """Every channel of the FEED is dense, and every trade was told exactly once."""
    numbers: dict[str, int] = {}
    trades: Counter[int] = Counter()
    end = await feed.last_sequence()
    reader = await feed.open_reader([f"feed.{feed.shard}.market.*.>"], 0)
    count = 0
    try:
        while messages := await reader.poll(READ_BATCH, 2):
            for message in messages:
                envelope = decode_envelope(message.payload)
                count += 1
                expected = numbers.get(envelope.channel, envelope.sequence_number - 1) + 1
                if envelope.sequence_number != expected:
                    reckoning.blame("FEED: gap", f"{envelope.channel} {envelope.sequence_number}")
                numbers[envelope.channel] = envelope.sequence_number
                if envelope.kind == "trades":
                    trades.update(one["trade_id"] for one in envelope.payload["trades"])
            if messages[-1].sequence >= end:
                break
    finally:
        await reader.close()
    told = sum(trades.values())
    if told != book.trades or len(trades) != told:
        reckoning.blame("FEED: trades", f"{told} told, {len(trades)} different, {book.trades} made")
    reckoning.figures |= {"feed messages": count, "trades on the feed": told}


def count_log(book: LogBook, reckoning: Reckoning) -> None:
    """Say what the log holds."""
    reckoning.figures |= {
        "messages on the log": book.last,
        "records": book.records,
        "offices taken": sum(book.offices.values()),
        "orders placed": book.placed,
        "orders rejected": book.rejected,
        "other commands refused": book.refused,
        "client ids executed": len(book.executed),
        "orders cancelled": book.cancelled,
        "trades": book.trades,
    }
