"""How fast a log becomes tables: `python -m tests.bench.bench_rebuild [commands]`.

The real engines decide a seeded day of mixed commands beforehand, in records of 500
commands. Then a projector folds it into an empty Postgres, and a rebuild does it again
and compares every table. The log is the simulated one, so this is what projecting costs
by itself: reading, checking hashes and chains, folding, writing.
"""

import asyncio
import resource
import sys
import time

import structlog

from projections.store.rebuild import rebuild
from tests.projections.reading import project_all, rows
from tests.projections.real import RealVenue
from tests.support.postgres import postgres_server

COMMANDS = 200_000
ACCOUNTS = 1_000
SYMBOLS = 50
GROUP = 500


def build(commands: int) -> RealVenue:
    """Return a venue that has decided `commands` mixed commands."""
    venue = RealVenue(seed=1, group=GROUP)
    venue.list_markets([f"B{number}" for number in range(SYMBOLS)])
    venue.run()
    venue.open_accounts([f"bench{number}" for number in range(ACCOUNTS)])
    venue.run()
    venue.trade(commands)
    venue.run()
    return venue


async def measure(commands: int) -> list[tuple[str, str]]:
    """Return what was measured, as rows of a table."""
    began = time.perf_counter()
    venue = build(commands)
    told_s = time.perf_counter() - began
    with postgres_server() as server:
        dsn = server.new_database()
        began = time.perf_counter()
        projector = await project_all(venue.server, dsn)
        project_s = time.perf_counter() - began
        events = projector.status()["events"]
        report = await rebuild(venue.server.connect("rebuild"), dsn, switch=False)
        orders = rows(dsn, "SELECT count(*) AS n FROM orders")[0]["n"]
        trades = rows(dsn, "SELECT count(*) AS n FROM trade_history")[0]["n"]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return [
        ("commands decided beforehand", f"{commands:,} in {told_s:.1f} s"),
        ("records, events", f"{report.records:,}, {events:,}"),
        ("orders, trades", f"{orders:,}, {trades:,}"),
        ("projected", f"{events / project_s:,.0f} events/s, {orders / project_s:,.0f} orders/s"),
        ("rebuilt, hashed and compared", f"{report.events / report.seconds:,.0f} events/s"),
        ("tables equal", str(report.equal)),
        ("peak memory of the process, log included", f"{peak_mb:,} MB"),
    ]


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    commands = int(sys.argv[1]) if len(sys.argv) > 1 else COMMANDS
    print("| what | measured |\n|---|---|")
    for what, value in asyncio.run(measure(commands)):
        print(f"| {what} | {value} |")


if __name__ == "__main__":
    main()
