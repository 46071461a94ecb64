"""Reads with `wait_for` show what became of a message, or say that the tables are behind."""

import asyncio

import httpx
import pytest

from projections.store.projector import Projector
from schemas.records import Record, read
from schemas.stored import Stored
from schemas.subjects import EXCHANGE, events, matches
from tests.projections.api.test_history_api import prefix, reading
from tests.projections.reading import project_all, projected, running
from tests.projections.real import busy_day
from tests.simulated.log import SimulatedServer
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def server() -> SimulatedServer:
    return busy_day(seed=31, commands=300).server


def overtaken(server: SimulatedServer) -> tuple[Stored, Stored]:
    """Return an order and its record, between which another message is projected."""
    for order in server.messages():
        if not matches("main.cmd.order.*", order.subject):
            continue
        record = next(one for one in server.messages() if _covers(one, order.sequence))
        if any(order.sequence < one.sequence < record.sequence for one in projected(server)):
            return order, record
    raise AssertionError("every record follows its orders at once")


def _covers(message: Stored, sequence: int) -> bool:
    if message.subject != events("main", EXCHANGE) or message.sequence < sequence:
        return False
    record: Record = read(message)
    return record.first_input <= sequence <= record.last_input and not record.tick


async def asked(api: httpx.AsyncClient, sequence: int) -> tuple[int, str]:
    """Return status and code of a read that waits for `sequence`."""
    answer = await api.get("/markets", params={"wait_for": sequence})
    body = answer.json()
    return answer.status_code, body["error"]["code"] if "error" in body else ""


async def test_what_was_projected_is_not_waited_for(dsn: str, server: SimulatedServer) -> None:
    await project_all(server, dsn)
    async with reading(dsn, server) as api:
        for sequence in (1, overtaken(server)[0].sequence, projected(server)[-1].sequence):
            assert await asked(api, sequence) == (200, "")


async def test_an_order_is_shown_once_its_record_is_projected(
    dsn: str, server: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, record = overtaken(server)
    live = prefix(server, record.sequence - 1)
    projector = Projector(live.connect("live"), dsn)
    async with running(projector) as task, reading(dsn, live) as api:
        between = projected(live)[-1].sequence
        assert between > order.sequence
        await wait_until(lambda: projector.status()["sequence"] >= between, task)
        monkeypatch.setattr("projections.api.at.TABLES_WAIT_S", 0.1)
        assert await asked(api, order.sequence) == (503, "tables_behind")
        monkeypatch.setattr("projections.api.at.TABLES_WAIT_S", 30)
        waiting = asyncio.create_task(asked(api, order.sequence))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        live.store([(record.subject, record.payload)])
        assert await waiting == (200, "")


async def test_many_wait_with_one_look_at_a_time(
    dsn: str, server: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await project_all(prefix(server, 30), dsn)
    monkeypatch.setattr("projections.api.at.TABLES_WAIT_S", 0.1)
    async with reading(dsn, server) as api:
        last = server.last_sequence
        found = await asyncio.gather(*(asked(api, last) for _ in range(50)))
        assert set(found) == {(503, "tables_behind")}
        answer = await api.get("/markets", params={"wait_for": last})
        assert int(answer.headers["Retry-After"]) >= 1


async def test_what_the_log_does_not_have_is_not_waited_for(
    dsn: str, server: SimulatedServer
) -> None:
    await project_all(prefix(server, 30), dsn)
    async with reading(dsn, server) as api:
        assert await asked(api, server.last_sequence + 1) == (404, "not_found")
        assert await asked(api, 0) == (422, "bad_input")


async def test_without_tables_nothing_is_waited_for(dsn: str, server: SimulatedServer) -> None:
    async with reading(dsn, server) as api:
        assert await asked(api, 1) == (503, "store_unavailable")
