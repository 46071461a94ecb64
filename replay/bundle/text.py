"""What a bundle proves, in words, for a terminal."""

from replay.bundle.check import BundleReport
from replay.verify.report import CLEAN, FINDINGS


def describe(report: BundleReport) -> list[str]:
    """Return the lines that tell a person what a bundle proves and what it does not."""
    lines = [
        f"venue {report.venue_id or 'unknown'}, shard {report.shard}",
        f"messages {report.start:,} to {report.end:,}; asked for were {report.first:,} to "
        f"{report.last:,}; checked in {report.seconds:.1f} s",
        f"chain after message {report.end}: {report.chain or 'not reached'}",
    ]
    lines += [f"PROVED {text}" for text in report.proved]
    lines += [f"NOT PROVED {text}" for text in report.not_proved]
    lines += [f"FOUND {finding}" for finding in report.findings]
    lines += [f"NOT CHECKED {reason}" for reason in report.unable]
    lines.append(_verdict(report))
    return lines


def _verdict(report: BundleReport) -> str:
    if report.exit_code == CLEAN:
        return "good: it proves what is said above"
    if report.exit_code == FINDINGS:
        return f"NOT GOOD: the first thing wrong is at sequence {report.findings[0].sequence}"
    return "could not be checked to the end"
