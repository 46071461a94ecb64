"""Run `verify` on messages, and look at what it found."""

from replay.verify.report import Finding, Report
from replay.verify.verify import verify
from schemas.stored import Stored
from tests.replay.venue import engines, server_with
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import simulate

Messages = list[Stored] | tuple[Stored, ...]


def check(messages: Messages, **options: object) -> Report:
    return check_server(server_with(messages), **options)


def check_server(server: SimulatedServer, **options: object) -> Report:
    return simulate(verify(server.connect(), engines(), **options))  # type: ignore[arg-type]  # passed on


def only(report: Report, kind: str) -> Finding:
    found = [finding for finding in report.findings if finding.kind == kind]
    assert found, report.findings
    return found[0]
