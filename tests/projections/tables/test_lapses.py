"""What tables say of accounts that lapsed, however the log is cut into batches."""

import pytest

from projections.store.projection import Entry, collect
from projections.tables import PROJECTIONS
from schemas.events import exchange as ex
from tests.projections.reading import hashes, project_all, rows
from tests.projections.story import Story, told
from tests.support.postgres import PostgresServer

OLD, NEW = "U" + "B" * 55, "U" + "C" * 55


def come_and_go(story: Story, account: str, *, again: bool = False) -> None:
    """Have an account open with a grant and lapse, and be opened by another key if `again`."""
    scribe = story.scribe
    cause = scribe.command()
    scribe.write(
        "exchange",
        ex.AccountOpened(cause, account, OLD),
        ex.CashCredited(cause, account, 500, "signup_grant"),
        ex.LapseScheduled(cause, scribe.time_ns),
        ex.BalancesChanged(cause, [ex.Balance(account, 500, 0)], []),
    )
    scribe.time_ns += 7
    scribe.write(
        "exchange",
        ex.CashReturned(cause, account, 500, "lapsed"),
        ex.AccountLapsed(cause, account),
    )
    if again:
        scribe.time_ns += 7
        cause = scribe.command()
        scribe.write("exchange", ex.AccountOpened(cause, account, NEW))


@pytest.fixture
def story() -> Story:
    story = told(seed=8, records=6)
    come_and_go(story, "gone")
    come_and_go(story, "anew", again=True)
    return story


async def test_a_lapsed_account_has_no_credits_and_a_time(dsn: str, story: Story) -> None:
    await project_all(story.scribe.server, dsn)
    found = {row["account"]: row for row in rows(dsn, "TABLE accounts")}
    gone, anew = found["gone"], found["anew"]
    assert (gone["cash_cents"], gone["public_key"]) == (0, OLD)
    assert gone["lapsed_ns"] == gone["opened_ns"] + 7
    assert (anew["cash_cents"], anew["public_key"], anew["lapsed_ns"]) == (0, NEW, 0)
    assert anew["opened_ns"] == story.scribe.time_ns
    assert anew["sequence"] == story.scribe.server.last_sequence
    assert all(found[name]["lapsed_ns"] == 0 for name in story.accounts)
    credited = "SELECT amount_cents, reason FROM credits WHERE account = 'gone' ORDER BY sequence"
    assert [tuple(row.values()) for row in rows(dsn, credited)] == [
        (500, "signup_grant"),
        (-500, "lapsed"),
    ]


async def test_how_the_log_was_cut_leaves_no_trace(dsn: str, postgres: PostgresServer) -> None:
    story = told(seed=9, records=4)
    await project_all(story.scribe.server, dsn)
    for name in ("one", "two", "one"):
        come_and_go(story, name)
        await project_all(story.scribe.server, dsn)
        story.trade(1)
        story.scribe.write("exchange", ex.AccountOpened(1, name, NEW))
        await project_all(story.scribe.server, dsn)
        story.scribe.write("exchange", ex.AccountLapsed(1, name))
        await project_all(story.scribe.server, dsn)
    other = postgres.new_database()
    await project_all(story.scribe.server, other)
    assert await hashes(dsn) == await hashes(other)


def test_an_account_without_a_grant_returns_nothing() -> None:
    entry = Entry(9, 1, [ex.AccountLapsed(1, "gone")])
    changed = {change.statement.table.name for change in collect(PROJECTIONS, [entry])}
    assert changed == {"accounts"}
