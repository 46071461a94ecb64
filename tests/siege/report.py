"""What a siege showed, as tables, and which of its bounds hold."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from schemas.limits import MAX_COMMAND_BYTES
from schemas.policy import QuotasPolicy, UnsignedMoves
from schemas.units import PAR_TICKS
from streams.broker.limits import ACCOUNT_READERS, MAX_PENDING_BYTES
from streams.gateway.limits import ACCOUNTS_PER_MINUTE
from streams.ingest.limits import MAX_READER_BYTES
from tests.siege.attacks import ATTACKS
from tests.siege.bounds import PRICE_MOVE_E2, whispered_e2
from tests.siege.ground import Side
from tests.siege.measures import MB, Memory
from tests.siege.people import FOUNDINGS, SIGN_UPS
from tests.siege.run import FREE, GAMED, RULES, SIDES, WASH, Findings

P99_RATIO: Final = 2.0
MEMORY_RATIO: Final = 1.5
MEMORY_ROOM: Final = 64 * 1024 * 1024
"""What those who do not read may hold at the gateway, and what a state grows by meanwhile."""
ROOM_OF: Final = {
    "fetcher": MAX_READER_BYTES,
    # Go's heap holds as much again as is in use, before it is swept
    "nats-server": 2 * ACCOUNT_READERS * MAX_PENDING_BYTES,
}
"""What the bounds allow beyond that: a reader of robots.txt, and readers who do not read."""
DISK_RATIO: Final = 1.5
DISK_ROOM_PER_MINUTE: Final = 4 * 1024 * 1024
"""Log lines are bounded by cause and second, not by who made them."""
_SHOWN_ANSWERS: Final = 6


class Bound(NamedTuple):
    """One thing that must hold. What depends on the machine's speed is `timed`."""

    what: str
    seen: str
    allowed: str
    holds: bool
    timed: bool = False


def bounds(found: Findings) -> list[Bound]:
    """Return every bound with what was seen."""
    return [
        *_latencies(found),
        *_memory(found),
        *_disk(found),
        *_orders(found),
        *_processes(found),
        *_doors(found),
        *_prices(found),
    ]


def _latencies(found: Findings) -> Iterator[Bound]:
    for door in sorted(found.times.took_s["attack"]):
        beside, under = (found.times.percentile_ms(side, door, 99) for side in SIDES)
        ratio = under / beside if beside else 0.0
        yield Bound(
            f"honest p99, {door}: under attack by beside well-behaved clients",
            f"{ratio:.2f}",
            f"{P99_RATIO}",
            0 < ratio <= P99_RATIO,
            timed=True,
        )


def _most(memory: Memory, side: Side, rounds: range) -> int:
    return max(memory.most[f"{side} {number}"] for number in rounds)


def _memory(found: Findings) -> Iterator[Bound]:
    assert found.memory is not None
    last = range(found.plan.rounds - 1, found.plan.rounds)
    for name, memory in sorted(found.memory.processes.items()):
        room = MEMORY_ROOM + ROOM_OF.get(name, 0)
        under = _most(memory, "attack", range(found.plan.rounds))
        beside = _most(memory, "behaved", range(found.plan.rounds))
        allowed = beside * MEMORY_RATIO + room
        yield _in_mb(f"memory of {name}: most under attack", under, allowed)
        if found.plan.rounds > 1:
            allowed = _most(memory, "attack", range(1)) * MEMORY_RATIO + room
            yield _in_mb(f"memory of {name}: last round", _most(memory, "attack", last), allowed)


def _in_mb(what: str, seen: float, allowed: float) -> Bound:
    return Bound(what, f"{seen / MB:,.1f} MB", f"{allowed / MB:,.1f} MB", seen <= allowed)


def _disk(found: Findings) -> Iterator[Bound]:
    minutes = {side: found.seconds[side] / 60 or 1 for side in SIDES}
    for part, grown in sorted(found.grown["attack"].items()):
        beside = max(found.grown["behaved"][part], 0) / minutes["behaved"]
        allowed = (beside * DISK_RATIO + DISK_ROOM_PER_MINUTE) * minutes["attack"]
        yield _in_mb(f"bytes added under attack: {part}", grown, allowed)


def _orders(found: Findings) -> Iterator[Bound]:
    wrong = found.reckoning.wrong
    told = "; ".join(f"{kind}: {len(examples)}" for kind, examples in wrong.items())
    yield Bound("orders, money, tables, feed, verify", told or "all right", "all right", not wrong)
    yield Bound("the auditor's check of the whole log", found.audit, "all well",
                found.audit == "audits that found all well")  # fmt: skip


def _processes(found: Findings) -> Iterator[Bound]:
    assert found.memory is not None
    restarted = [name for name, pids in found.memory.pids.items() if len(pids) > 1]
    ended = "; ".join((*restarted, *found.ended))
    yield Bound(
        "processes that ended, halted or were restarted", ended or "none", "none", not ended
    )
    stopped = f"exit {found.exit_code}, {len(found.left)} left"
    yield Bound(
        "the end of `everything up`", stopped, "exit 0, 0 left", stopped == "exit 0, 0 left"
    )


def _doors(found: Findings) -> Iterator[Bound]:
    under = found.tallies["attack"]
    stolen = under[FOUNDINGS]["served"] + (not found.unfounded)
    yield _at_most("venues founded with a guessed code", stolen, 0)
    for said in ("REPLAYED", "AUDIT FAILED"):
        times = sum(
            count
            for answers in under.values()
            for answer, count in answers.items()
            if answer.startswith(said)
        )
        yield _at_most(f"{said.lower()}", times, 0)
    minutes = -(-found.seconds["attack"] // 60)
    allowed = ACCOUNTS_PER_MINUTE * (minutes + found.plan.rounds)
    yield _at_most("accounts opened by the sign-up flood", under[SIGN_UPS]["served"], allowed)
    quotas = RULES.quotas
    assert isinstance(quotas, QuotasPolicy)
    most = max((found.moved.bytes_by_account[account] for account in FREE[-2:]), default=0)
    allowed = quotas.newcomer_bytes_per_s * found.seconds["attack"] + MAX_COMMAND_BYTES
    yield _at_most("bytes on the log of one account without a credit", most, allowed)


def _prices(found: Findings) -> Iterator[Bound]:
    moved = found.moved
    yield _at_most(
        f"MarketPrice of {WASH}, hundredths within any hour, {moved.trades[WASH]:,} wash trades",
        moved.price_move_e2(WASH, PAR_TICKS // 2),
        PRICE_MOVE_E2,
    )
    rules = RULES.unsigned
    assert isinstance(rules, UnsignedMoves)
    for symbol in GAMED:
        seen, allowed = moved.scores_e2[symbol], whispered_e2(rules, 2 * found.plan.rounds)
        yield _at_most(f"RealityScore of {symbol}, hundredths moved unsigned", seen, allowed)


def _at_most(what: str, seen: int, allowed: int) -> Bound:
    return Bound(what, f"{seen:,}", f"{allowed:,}", seen <= allowed)


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Return the lines of a markdown table."""
    return [
        f"| {' | '.join(header)} |",
        f"|{'---|' * len(header)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]


def report(found: Findings) -> list[str]:
    """Return all tables, the bounds last."""
    return [
        f"seed {found.plan.seed}: {found.seconds['attack']} s under attack and"
        f" {found.seconds['behaved']} s beside well-behaved clients, in {found.plan.rounds} rounds",
        "",
        *_latency_table(found),
        *_order_table(found),
        *_memory_table(found),
        *_disk_table(found),
        *_attack_table(found),
        *table(
            ["bound", "seen", "at most", "holds"],
            [
                [one.what, one.seen, one.allowed, "yes" if one.holds else "**NO**"]
                for one in bounds(found)
            ],
        ),
    ]


def _latency_table(found: Findings) -> list[str]:
    rows = []
    for door in sorted(found.times.took_s["attack"]):
        row = [door]
        for side in SIDES:
            took = found.times.took_s[side][door]
            row += [f"{len(took):,}"]
            row += [f"{found.times.percentile_ms(side, door, one):.1f}" for one in (50, 99)]
        rows.append(row)
    columns = ["commands", "p50 ms", "p99 ms"]
    beside, under = ([f"{name} ({word})" for name in columns] for word in ("beside", "attack"))
    return table(["honest traders", *beside, *under], rows)


def _order_table(found: Findings) -> list[str]:
    rows = [[name.strip(), f"{count:,}"] for name, count in found.reckoning.figures.items()]
    for side in SIDES:
        told = ", ".join(f"{code}: {count}" for code, count in found.refusals[side].most_common())
        rows.append([f"honest commands refused ({side})", told or "none"])
    return table(["orders", "figure"], rows)


def _memory_table(found: Findings) -> list[str]:
    assert found.memory is not None
    rows = []
    for name, memory in sorted(found.memory.processes.items()):
        most = (_most(memory, side, range(found.plan.rounds)) for side in SIDES)
        rows.append([name, *(f"{one / MB:,.0f}" for one in (memory.start, memory.end, *most))])
    return table(["memory, MB", "start", "end", "most beside", "most under attack"], rows)


def _disk_table(found: Findings) -> list[str]:
    rows = []
    for part, start in found.disk.get("start", {}).items():
        figures = [start, found.disk.get("end", {}).get(part, 0)]
        per_minute = [found.grown[side][part] * 60 / (found.seconds[side] or 1) for side in SIDES]
        rows.append([part, *(f"{one / MB:,.2f}" for one in (*figures, *per_minute))])
    return table(["disk, MB", "start", "end", "a minute beside", "a minute under attack"], rows)


def _attack_table(found: Findings) -> list[str]:
    rows = []
    for attack in ATTACKS:
        told = []
        for side in ("attack", "behaved"):
            answers = found.tallies[side][attack.name]
            most = [f"{said} {count:,}" for said, count in answers.most_common(_SHOWN_ANSWERS)]
            told.append("; ".join(most).replace("|", "/") or "nothing")
        rows.append([attack.items, attack.name, *told])
    return table(["item", "attack", "how it was answered", "its well-behaved twin"], rows)
