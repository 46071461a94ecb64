"""What the simulation prints: progress, accounting, paths taken, and what was found."""

from collections.abc import Iterable
from typing import Final

from tests.sim import swarm
from tests.sim.result import Account, Result

PATHS: Final = (
    "appender: batch refused, sent one by one",
    "clock: seen to go back",
    "damage: flip",
    "damage: gap",
    "damage: truncate",
    "damage: unknown",
    "exchange: duplicate refused",
    "exchange: old ids forgotten",
    "exchange: stale command refused",
    "feeds: bad answer, and the batch was not there",
    "feeds: bad answer, and the batch was there",
    "feeds: fenced, halted",
    "feeds: gave up, started again",
    "feeds: went on from the FEED",
    "governance: decision co-signed",
    "governance: waiting decision lapsed",
    "halt: log_diverged",
    "halt: log_gap",
    "halt: unknown_record",
    "host: origin not written",
    "host: fenced, halted",
    "host: leadership regained",
    "host: own late Epoch forgiven",
    "host: snapshot discarded",
    "host: snapshot not written",
    "host: snapshot used",
    "ingest: ack lost, handed out again",
    "ingest: handler failed, handed out again",
    "projector: fenced, halted",
    "projector: new session after the store was away",
    "reader: a delivery came twice",
    "reader: a delivery was missing",
    "reality: approval refused, holds_the_symbol",
    "reality: approval refused, unknown_review",
    "reality: repeated article dropped",
    "reality: review approved",
    "reality: review rejected",
    "reality: review withdrawn",
    "scrub: begun again",
    "sender: append_failed",
    "sender: append_unknown",
    "sender: the door died under an append",
)
"""The recovery paths that a whole default run must take."""


class Totals:
    """All runs together."""

    def __init__(self) -> None:
        self.account = Account()
        self.runs = self.twice = self.messages = self.deaths = 0
        self.virtual_s = self.real_s = 0.0
        self.marks: dict[str, int] = {}
        self.failures: list[Result] = []

    def add(self, result: Result) -> None:
        """Add one run."""
        self.runs += 1
        self.twice += result.twice
        self.messages += result.messages
        self.deaths += result.deaths
        self.virtual_s += result.virtual_s
        self.real_s += result.real_s
        self.account.add(result.account)
        for path, count in result.marks.items():
            self.marks[path] = self.marks.get(path, 0) + count
        if result.failed:
            self.failures.append(result)

    def never_taken(self) -> list[str]:
        """Return the recovery paths that no run took."""
        return [path for path in PATHS if path not in self.marks]

    def lines(self) -> Iterable[str]:
        """Say how it went."""
        yield f"{self.runs} runs, {self.twice} of them twice with one trace"
        yield f"{self.messages:,} messages on logs, {self.deaths:,} processes killed"
        yield f"{self.virtual_s / 3600:.1f} h of virtual time, {self.real_s:.0f} s of work"
        yield f"messages sent: {self.account}"
        yield "recovery paths taken:"
        for path in sorted(self.marks):
            yield f"  {self.marks[path]:>8,}  {path}"


def command(result: Result, commands: int, bug: str = "") -> str:
    """Return the line that makes this very run again."""
    planted = f" --bug {bug}" if bug else ""
    run = f"--seed {result.seed} --plan {result.plan} --commands {commands}"
    return f"python -m tests.sim {run}{planted}"


def failure(result: Result, commands: int, bug: str = "") -> str:
    """Say what a run found, and how to see it again."""
    again = command(result, commands, bug)
    found = "\n".join(f"  - {problem}" for problem in result.problems[:8])
    drawn = f"  options: {swarm.options(swarm.draw(result.seed))}\n" * (result.plan == swarm.NAME)
    return f"seed {result.seed}, plan {result.plan}:\n{found}\n{drawn}  again: {again} --trace"
