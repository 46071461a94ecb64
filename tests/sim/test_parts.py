"""The parts that the simulation's own honesty rests on."""

import asyncio
import random
from typing import Any

import asyncpg
import pytest

from projections.store.postgres import transaction
from projections.tables import PROJECTIONS
from schemas.stored import Stored
from tests.sim.checks import account_for
from tests.sim.life import Life, make_task
from tests.sim.plan import Storing
from tests.sim.store import Connection, Store, _translate
from tests.sim.trace import Trace
from tests.sim.world import Sent
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import simulate


async def _walk(passed: list[int]) -> None:
    try:
        for number in range(100):
            passed.append(number)
            await asyncio.sleep(0)
    finally:
        passed.append(-1)


@pytest.mark.parametrize("steps", [1, 2, 17])
def test_a_life_ends_at_its_last_step(steps: int) -> None:
    async def main() -> list[int]:
        asyncio.get_running_loop().set_task_factory(make_task)
        passed: list[int] = []
        ended: list[str] = []
        life = Life("one", steps)
        life.dies_with(lambda: ended.append("connection"))
        task = life.spawn(_walk(passed))
        await asyncio.wait([task])
        assert task.cancelled()
        assert (life.killed, ended) == (True, ["connection"])
        await life.gone()
        return passed

    done = list(range(steps - 1))
    assert simulate(main()) == ([*done, -1] if done else [])


def test_all_tasks_of_a_life_die_with_it_and_no_others() -> None:
    async def family(passed: list[int]) -> None:
        await asyncio.gather(_walk(passed), _walk(passed))

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(make_task)
        dying, living = Life("dying", 9), Life("living")
        short, long = list[int](), list[int]()
        other = living.spawn(family(long))
        await asyncio.wait([dying.spawn(family(short))])
        await dying.gone()
        assert len(short) < 12
        await other
        assert len(long) == 202

    simulate(main())


def _connection(store: Store, rates: Storing | None = None) -> Any:
    return Connection(store, rates or Storing(), random.Random(1))


def test_what_a_dying_connection_had_not_committed_is_gone() -> None:
    async def main() -> None:
        store = Store(PROJECTIONS)
        one, two = _connection(store), _connection(store)
        with pytest.raises(asyncpg.PostgresConnectionError):
            async with transaction(one):
                await one.execute("UPDATE checkpoint SET sequence = 5")
                waiting = asyncio.ensure_future(two.fetchrow("SELECT sequence FROM checkpoint"))
                await asyncio.sleep(1)
                assert not waiting.done(), "it sees what is not committed"
                one.die()
        assert await waiting == (0,)
        async with transaction(two):
            await two.execute("UPDATE checkpoint SET sequence = 6")
        assert store.checkpoint() == 6

    simulate(main())


def test_a_lost_answer_leaves_the_commit_standing() -> None:
    async def main() -> None:
        store = Store(PROJECTIONS)
        one = _connection(store, Storing(answer_lost_e4=10_000))
        with pytest.raises(asyncpg.PostgresConnectionError, match="after the commit"):
            async with transaction(one):
                await one.execute("UPDATE checkpoint SET sequence = 5")
        assert store.checkpoint() == 5

    simulate(main())


def test_every_statement_of_every_projection_is_one_that_sqlite_reads() -> None:
    store = Store(PROJECTIONS)
    for projection in PROJECTIONS:
        for statement in projection.statements:
            if statement.sql is not None:
                store.run(_translate(statement.stage_ddl))
                store.run(f"EXPLAIN {_translate(statement.sql)}")


def test_a_trace_tells_two_histories_apart() -> None:
    def digest(*payloads: bytes) -> str:
        trace = Trace()
        server = SimulatedServer("main", trace)
        for payload in payloads:
            simulate(_stored(server, payload), trace.moved)
        return trace.digest

    assert digest(b"a", b"b") == digest(b"a", b"b")
    assert len({digest(b"a", b"b"), digest(b"b", b"a"), digest(b"a"), digest()}) == 4


async def _stored(server: SimulatedServer, payload: bytes) -> None:
    server.store([("main.cmd.order.ann", payload)])


def _sent(payload: bytes, *acked: int, follows: int = 0, attempts: int = 1) -> Sent:
    sent = Sent("main.cmd.order.ann", payload)
    sent.acked, sent.follows, sent.attempts = list(acked), follows, attempts
    return sent


def _log(*payloads: bytes) -> list[Stored]:
    return [Stored(at, "main.cmd.order.ann", data) for at, data in enumerate(payloads, 1)]


def test_a_log_with_all_that_was_acked_in_its_order_adds_up() -> None:
    sents = [_sent(b"a", 1), _sent(b"b", 2, follows=1), _sent(b"c", attempts=3)]
    account, problems = account_for(sents, _log(b"a", b"b", b"c", b"c"))
    assert problems == []
    assert str(account) == (
        "3 sent, 5 attempts, 2 acknowledged, 4 present, 0 lost, 0 doubled, 0 reordered"
    )


@pytest.mark.parametrize(
    ("sents", "log", "what"),
    [
        ([_sent(b"a", 1), _sent(b"b", 2)], [b"a"], "lost"),
        ([_sent(b"a", 1), _sent(b"b", 1)], [b"a"], "lost"),
        ([_sent(b"a", 1)], [b"a", b"a"], "doubled"),
        ([_sent(b"a", 2), _sent(b"b", 1, follows=2)], [b"b", b"a"], "reordered"),
        ([_sent(b"a", 2), _sent(b"b", follows=2)], [b"b", b"a"], "reordered"),
    ],
)
def test_what_is_lost_doubled_or_out_of_order_is_counted(
    sents: list[Sent], log: list[bytes], what: str
) -> None:
    account, problems = account_for(sents, _log(*log))
    assert len(problems) == 1
    counts = {name: getattr(account, name) for name in ("lost", "doubled", "reordered")}
    assert counts == {"lost": 0, "doubled": 0, "reordered": 0, what: 1}
