"""The exchange core by itself: operations per second beside two peers, memory, snapshots.

`python -m tests.bench.bench_book [operations]` prints a table. All engines get the same
seeded operations on one symbol and must make the same trades, or the run fails. The peers
are pure Python and match only; the exchange's own rows say how much more they do.
"""

import gc
import json
import platform
import random
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from engines.exchange.accounts import Account, Holding
from engines.exchange.book import Book, RestingOrder
from engines.exchange.decide.matching import match
from engines.exchange.decide.orders import judge
from engines.exchange.engine import ExchangeEngine
from engines.exchange.limits import MAX_MINTED_CENTS, MAX_TRADES_PER_ORDER
from engines.exchange.state import State
from engines.kernel import decide_group, write
from schemas.codec import encode
from schemas.commands import CancelOrder, OrderCommand, PlaceOrder
from schemas.events import Event
from schemas.events.exchange import (
    AccountOpened,
    BookOpened,
    CashCredited,
    LimitsSet,
    Traded,
)
from schemas.limits import MAX_BATCH_ORDERS
from schemas.policy import ExchangePolicy
from schemas.record_chain import Head
from schemas.stored import Stored
from schemas.units import PAR_TICKS

OPERATIONS = 500_000
SEED = 20_240_817
MIDDLE_TICKS = 5_000
GROUP = 1_000
NOW_NS = 1_700_000_000_000_000_000
ACCOUNTS = 1_000
SYMBOLS = 50


class Operation(NamedTuple):
    """A limit order, or with `cancels` the cancel of what operation `cancels` left to rest."""

    buys: bool
    price: int
    lots: int
    cancels: int


Trade = tuple[int, int, int]
"""Number of the maker's operation, price, lots."""


def operations(count: int, seed: int = SEED) -> list[Operation]:
    """Return 60% orders that rest, 20% that cross, 20% cancels of orders that may rest."""
    draw = random.Random(seed)
    made: list[Operation] = []
    open_orders: list[int] = []
    for number in range(count):
        kind = draw.random()
        if kind >= 0.8 and open_orders:
            at = draw.randrange(len(open_orders))
            open_orders[at], open_orders[-1] = open_orders[-1], open_orders[at]
            made.append(Operation(False, 0, 0, open_orders.pop()))
            continue
        buys = draw.random() < 0.5
        away = draw.randrange(1, 100)
        crosses = 0.6 <= kind < 0.8
        price = MIDDLE_TICKS + (away if buys == crosses else -away)
        made.append(Operation(buys, price, draw.randrange(1, 100), -1))
        if not crosses:
            open_orders.append(number)
    return made


def checksum(trades: Iterable[Trade]) -> str:
    """Return a checksum over all trades in their order."""
    total = 0
    for trade in trades:
        total = zlib.crc32(b"%d %d %d;" % trade, total)
    return f"{total:08x}"


class Timed(NamedTuple):
    seconds: float
    trades: list[Trade]


def timed(work: Callable[[], Any]) -> float:
    """Return the processor seconds that `work` takes.

    Without the garbage collector's passes, as in the engine host, for all alike. Processor
    time leaves out what else runs on the machine.
    """
    gc.collect()
    gc.disable()
    started = time.process_time()
    work()
    seconds = time.process_time() - started
    gc.enable()
    return seconds


# -- ours ------------------------------------------------------------------------------


def book_alone(work: list[Operation]) -> Timed:
    """Match, rest and cancel in the book; nobody owns anything."""
    book = Book("X", 1)
    nobody = Holding(Account("nobody", ""), "X")
    orders: dict[int, RestingOrder] = {}
    trades: list[Trade] = []

    def run() -> None:
        for number, (buys, price, lots, cancels) in enumerate(work):
            if cancels >= 0:
                order = orders.pop(cancels, None)
                if order is not None:
                    order.level.side.remove(order)
                continue
            if buys:
                own, other, cost = book.bids, book.asks, price
            else:
                own, other, cost = book.asks, book.bids, PAR_TICKS - price
            if cost + other.best >= PAR_TICKS:
                fills, lots, _, _ = match(other, cost, lots, None, MAX_TRADES_PER_ORDER)
                for maker, taken in fills:
                    made_at = maker.level.cost
                    trades.append((maker.id, PAR_TICKS - made_at if buys else made_at, taken))
                    if other.take(maker, taken):
                        del orders[maker.id]
            if lots:
                order = orders[number] = RestingOrder(number, nobody, lots)
                own.add(order, cost)

    return Timed(timed(run), trades)


def commands(work: list[Operation], accounts: int) -> list[tuple[int, str, OrderCommand]]:
    """Return the operations as commands: odd accounts buy and even ones sell."""
    made: list[tuple[int, str, OrderCommand]] = []
    owners: list[str] = []
    draw = random.Random(SEED)
    for number, (buys, price, lots, cancels) in enumerate(work):
        sequence = number + 1
        client_id, sent_ns = f"id-{number}", NOW_NS
        if cancels >= 0:
            owner = owners[cancels]
            order_id = (cancels + 1) * MAX_BATCH_ORDERS
            made.append((sequence, owner, CancelOrder(client_id, sent_ns, order_id)))
        else:
            owner = f"acct{draw.randrange(0, accounts, 2) + buys:06d}"
            side = "buy" if buys else "sell"
            order = PlaceOrder(client_id, sent_ns, "SYM0", side, lots, price_ticks=price)  # type: ignore[arg-type]
            made.append((sequence, owner, order))
        owners.append(owner)
    return made


def rich_venue(engine: ExchangeEngine, accounts: int, symbols: int) -> State:
    """Return a throwaway state whose accounts can pay for everything."""
    state = engine.initial()
    events: list[Event] = [LimitsSet(0, ExchangePolicy(max_position_lots=10**12), "bench")]
    for number in range(accounts):
        name = f"acct{number:06d}"
        events.append(AccountOpened(0, name, ""))
        events.append(CashCredited(0, name, MAX_MINTED_CENTS // accounts, "mint"))
    events += [BookOpened(0, f"SYM{number}", 1) for number in range(symbols)]
    for event in events:
        engine.evolve(state, event)
    return state


def traded(events: Iterable[Event]) -> list[Trade]:
    return [
        (e.maker_order_id // MAX_BATCH_ORDERS - 1, e.price_ticks, e.quantity_lots)
        for e in events
        if isinstance(e, Traded)
    ]


def exchange_core(work: list[Operation]) -> Timed:
    """Judge and apply decoded commands: accounts, ids, collateral, positions, events."""
    engine = ExchangeEngine()
    state = rich_venue(engine, ACCOUNTS, 1)
    given = commands(work, ACCOUNTS)
    events: list[Event] = []

    def run() -> None:
        evolve = engine.evolve
        for sequence, account, command in given:
            for event in judge(state, sequence, account, command, NOW_NS):
                evolve(state, event)
                events.append(event)

    return Timed(timed(run), traded(events))


def exchange_whole(work: list[Operation]) -> Timed:
    """From the bytes of commands to the bytes of records, in groups of GROUP."""
    engine = ExchangeEngine()
    state = rich_venue(engine, ACCOUNTS, 1)
    given = [
        Stored(sequence, f"main.cmd.order.{account}", encode(command))
        for sequence, account, command in commands(work, ACCOUNTS)
    ]
    events: list[Event] = []

    def run() -> None:
        head = Head()
        for first in range(0, len(given), GROUP):
            inputs = given[first : first + GROUP]
            group = decide_group(engine, state, inputs, NOW_NS)
            assert group.taken == len(inputs)
            covered = (inputs[0].sequence, inputs[-1].sequence)
            _, head = write(engine, state, head, 1, covered, NOW_NS, group.events)
            events.extend(group.events)

    return Timed(timed(run), traded(events))


# -- peers -----------------------------------------------------------------------------


def peer_lightmatchingengine(work: list[Operation]) -> Timed:
    from lightmatchingengine.lightmatchingengine import LightMatchingEngine, Side

    engine = LightMatchingEngine()
    numbers: list[int] = []
    orders: dict[int, Any] = {}
    found: list[Any] = []

    def run() -> None:
        for number, (buys, price, lots, cancels) in enumerate(work):
            if cancels >= 0:
                if orders[cancels].leaves_qty:  # to cancel a filled one fails an assertion
                    engine.cancel_order(orders[cancels].order_id, "X")
                continue
            order, trades = engine.add_order("X", price, lots, Side.BUY if buys else Side.SELL)
            orders[number] = order
            numbers.append(number)
            if trades:
                found.append((order.order_id, trades))

    seconds = timed(run)
    trades = [
        (numbers[trade.order_id - 1], trade.trade_price, trade.trade_qty)
        for taker, some in found
        for trade in some
        if trade.order_id != taker
    ]
    return Timed(seconds, trades)


def peer_pyorderbook(work: list[Operation]) -> Timed:
    from pyorderbook import Book as PeerBook
    from pyorderbook import ask, bid

    book = PeerBook()
    orders: dict[int, Any] = {}
    found: list[Any] = []

    def run() -> None:
        for number, (buys, price, lots, cancels) in enumerate(work):
            if cancels >= 0:
                order = orders[cancels]
                if order.id in book.order_map:
                    book.cancel(order)
                continue
            order = orders[number] = (bid if buys else ask)("X", price, lots)
            blotter = book.match(order)
            if blotter.trades:
                found.append(blotter.trades)

    seconds = timed(run)
    numbers = {order.id: number for number, order in orders.items()}
    trades = [
        (numbers[trade.standing_order_id], int(Decimal(trade.fill_price)), trade.fill_quantity)
        for some in found
        for trade in some
    ]
    return Timed(seconds, trades)


ENGINES: dict[str, Callable[[list[Operation]], Timed]] = {
    "book alone": book_alone,
    "exchange: decide + evolve (accounts, ids, collateral, events)": exchange_core,
    "exchange: command bytes to record bytes": exchange_whole,
    "peer lightmatchingengine": peer_lightmatchingengine,
    "peer pyorderbook": peer_pyorderbook,
}


# -- memory and snapshots --------------------------------------------------------------


def resident_mb() -> float:
    """Return this process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4_096 / 2**20


def resting(count: int) -> dict[str, float]:
    """Let `count` orders rest over all symbols and accounts; measure memory and snapshots."""
    engine = ExchangeEngine()
    state = rich_venue(engine, ACCOUNTS, SYMBOLS)
    gc.collect()
    before = resident_mb()
    draw = random.Random(SEED)
    for number in range(count):
        buys = draw.random() < 0.5
        price = MIDDLE_TICKS + (draw.randrange(1, 1_000) * (-1 if buys else 1))
        order = PlaceOrder(
            f"id-{number}",
            NOW_NS,
            f"SYM{draw.randrange(SYMBOLS)}",
            "buy" if buys else "sell",
            draw.randrange(1, 100),
            price_ticks=price,
        )
        for event in judge(state, number, f"acct{number % ACCOUNTS:06d}", order, NOW_NS):
            engine.evolve(state, event)
    gc.collect()
    memory = resident_mb() - before
    assert len(state.orders) == count
    data = b""

    def dump() -> None:
        nonlocal data
        data = engine.dump(state)

    dumped = timed(dump)
    loaded = timed(lambda: engine.load(data))
    return {
        "orders": count,
        "memory_mb": round(memory),
        "snapshot_mb": round(len(data) / 2**20, 1),
        "dump_s": round(dumped, 2),
        "load_s": round(loaded, 2),
    }


def resting_in_a_fresh_process(count: int) -> dict[str, float]:
    """Measure in a process of its own, so that nothing else's memory is counted."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_book", "--resting", str(count)],
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--resting"]:
        print(json.dumps(resting(int(arguments[1]))))
        return 0
    count = int(arguments[0]) if arguments else OPERATIONS
    work = operations(count)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{count:,} operations on one symbol, seed {SEED}, {python}, processor time\n")
    print("| engine | operations/s | ns/operation | trades | checksum |")
    print("|---|---:|---:|---:|---|")
    sums = set()
    for name, engine in ENGINES.items():
        seconds, trades = engine(work)
        sums.add(checksum(trades))
        rate, each = round(count / seconds), round(seconds / count * 1e9)
        print(f"| {name} | {rate:,} | {each:,} | {len(trades):,} | {checksum(trades)} |")
    print("\n| resting orders, ids in memory | memory MB | snapshot MB | dump s | load s |")
    print("|---:|---:|---:|---:|---:|")
    for orders in (100_000, 1_000_000):
        row = resting_in_a_fresh_process(orders)
        print(
            f"| {row['orders']:,} | {row['memory_mb']} | {row['snapshot_mb']} "
            f"| {row['dump_s']} | {row['load_s']} |"
        )
    if len(sums) != 1:
        print("\nthe engines did not make the same trades", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
