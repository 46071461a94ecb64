"""Accounts that lapse are decided again, and their grants do not come or go unseen."""

from typing import Any

import pytest
from msgspec.structs import replace

from engines.exchange.decide import group_end
from schemas.events import exchange as ex
from schemas.records import EVENT_MESSAGES, Record
from schemas.units import HOUR_NS
from tests.projections.real import GRANT_CENTS
from tests.replay.venue import HostedVenue
from tests.replay.verify.checking import check, check_server, only
from tests.replay.verify.forger import forge, records_of
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import START_NS, simulate

QUIET_S = 2 * 3_600.0


async def live() -> SimulatedServer:
    """Return a log on which two of five accounts lapse, and one of them is opened again."""
    venue = HostedVenue(seed=5)
    venue.now_ns = START_NS
    hosts = venue.hosts("only")
    await venue.settle()
    venue.list_markets(["M0", "M1"])
    venue.open_accounts([f"trader{number}" for number in range(3)])
    traders = list(venue.accounts)
    venue.open_accounts(["brief", "gone"])
    venue.accounts[:] = traders
    await venue.settle()
    venue.trade(60, step_ns=0)
    await venue.settle(QUIET_S)
    await venue.settle(QUIET_S)
    venue.open_accounts(["brief"])
    venue.accounts[:] = traders
    venue.trade(20, step_ns=0)
    await venue.settle()
    for host in hosts:
        await host.stopped()
    return venue.server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> SimulatedServer:
    monkeypatch.setattr(group_end, "UNUSED_ACCOUNT_NS", HOUR_NS)
    return simulate(live())


def test_a_log_with_lapses_is_clean_and_its_money_adds_up(server: SimulatedServer) -> None:
    report = check_server(server)
    assert (report.exit_code, report.findings, report.unable) == (0, [], [])
    messages = server.messages()
    events = [
        e for m in records_of(messages, "exchange") for e in EVENT_MESSAGES.decode(m.payload).events
    ]
    assert [e.account for e in events if isinstance(e, ex.AccountLapsed)] == ["brief", "gone"]
    account = report.account
    assert account.minted_cents == 4 * GRANT_CENTS
    held = account.cash_cents + account.reserved_cents + 10_000 * account.long_lots
    assert held == account.minted_cents


@pytest.mark.parametrize("kind", ["kept", "less", "another"])
def test_a_false_lapse_is_found(server: SimulatedServer, kind: str) -> None:
    messages = server.messages()
    lapse = next(m for m in records_of(messages, "exchange") if b'"account_lapsed/1"' in m.payload)

    def change(record: Record) -> Record:
        return replace(record, events=[e for one in record.events for e in _changed(one, kind)])

    report = check(forge(messages, lapse.sequence, change))
    assert report.exit_code == 1
    assert only(report, "decision").sequence == lapse.sequence


def _changed(event: Any, kind: str) -> list[Any]:
    if isinstance(event, ex.CashReturned) and kind == "less":
        return [replace(event, amount_cents=event.amount_cents - 1)]
    if isinstance(event, ex.CashReturned) and kind == "kept":
        return []
    if isinstance(event, ex.AccountLapsed) and kind == "another":
        return [replace(event, account="trader0")]
    return [event]
