"""A report in words, for a terminal."""

from replay.verify.report import CLEAN, FINDINGS, FollowedRange, Report
from schemas.units import to_decimal


def describe(report: Report) -> list[str]:
    """Return the lines that tell a person what `verify` found."""
    account = report.account
    lines = [
        f"read {report.through:,} of {report.end:,} messages of shard {report.shard}"
        f" in {report.seconds:.1f} s ({report.events_per_s:,} events/s)",
        f"chain after message {report.through}: {report.chain}",
        f"sealed through {report.sealed_through:,} by {report.seals:,} signed seals",
        f"{account.commands:,} commands and {account.decisions:,} decisions, "
        f"{account.outcomes:,} with their outcome, {account.refused:,} refused, "
        f"{account.lost:,} lost, {account.doubled:,} doubled",
        f"{account.measured:,} measured articles, {account.judged:,} judged, "
        f"{account.texts:,} texts of markets and events",
        f"{account.orders:,} orders, {account.trades:,} trades, {account.events:,} events",
        f"minted {to_decimal(account.minted_cents)} = cash {to_decimal(account.cash_cents)}"
        f" + reserved {to_decimal(account.reserved_cents)}"
        f" + {account.long_lots:,} pairs at 100.00",
    ]
    for name, engine in report.engines.items():
        lines.append(
            f"{name}: {engine.redecided:,} of {engine.records:,} records decided again, "
            f"{sum(engine.applied.values()):,} followed, "
            f"{engine.state_hashes:,} state hashes, {engine.epochs:,} epochs, "
            f"{engine.pending:,} inputs pending"
        )
    lines += [f"DECIDED ELSEWHERE {one}, by {one.decided_by}" for one in report.decided_elsewhere]
    lines += [f"FOUND {finding}" for finding in report.findings]
    if report.more_findings:
        lines.append(f"and {report.more_findings:,} more like these")
    lines += [f"NOT CHECKED {reason}" for reason in report.unable]
    lines += [f"NOT CHECKED {not_decided_again(one)}" for one in report.followed]
    lines.append(_verdict(report))
    return lines


def not_decided_again(followed: FollowedRange) -> str:
    """Say which records were followed, and what decides them again."""
    if followed.release:
        return f"{followed}: --with a checkout of {followed.release} decides them again"
    return f"{followed}: no release is known that decides them again"


def _verdict(report: Report) -> str:
    if report.exit_code == CLEAN:
        return "clean: all of it had to be as it is"
    if report.exit_code == FINDINGS:
        first = report.findings[0]
        return f"NOT CLEAN: the first thing wrong is at sequence {first.sequence}"
    return "could not be checked to the end"
