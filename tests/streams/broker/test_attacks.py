"""What a stranger with a valid login can try, on a real server."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.errors import Error as NatsError

from schemas.limits import MAX_COMMAND_BYTES
from streams.broker import config, limits
from streams.log.limits import DEDUPE_WINDOW_NS
from streams.log.nats_wire import Wire
from streams.log.publishing import batch
from tests.streams.broker.venue import BrokerVenue, Dialled
from tests.support.waiting import wait_until

ORDER = "main.cmd.order.alice"
BATCH_INCOMPLETE = 10176
FOREIGN_REPLIES = (
    "main.evt.exchange",
    "main.evt.exchange.epoch",
    "main.cmd.order.bob",
    "main.cmd.order.alice",
    "main.cmd.account.bob",
    "main.cmd.admin.KEY",
    "main.obs.article.nyt",
    "feed.main.public.markets",
    "feed.main.account.bob.orders",
    "live.main.public.markets",
    "$JS.API.STREAM.DELETE.LOG_main",
    "$JS.API.STREAM.PURGE.LOG_main",
    "$JS.API.STREAM.MSG.DELETE.FEED_main",
    "$JS.API.INFO",
    "$JS.ACK.LOG_main.r.1.1.1.1.0",
    "$JS.ACK.",
    "$SYS.REQ.USER.AUTH",
    "$SYS.REQ.SERVER.PING",
    "_INBOX_gateway.x",
    "_INBOX.x",
    "_R_.x",
    "_GR_.x.y",
)
INERT_HEADERS = (
    {"Nats-Rollup": "all"},
    {"Nats-Rollup": "sub"},
    {"Nats-TTL": "1s"},
    {"Nats-Incr": "+1"},
    {"Nats-Schedule": "@every 1s", "Nats-Schedule-Target": "main.evt.exchange"},
    {"Nats-Schedule": "@at 2030-01-01T00:00:00Z", "Nats-Schedule-Target": "main.evt.exchange"},
    {"Nats-Stream-Source": "LOG_main 1 main.evt.exchange"},
    {"Nats-Expected-Stream": "FEED_main"},
    {"Nats-Batch-Id": "x" * 65, "Nats-Batch-Sequence": "1", "Nats-Batch-Commit": "1"},
    {"Nats-Batch-Id": "x", "Nats-Batch-Sequence": "2", "Nats-Batch-Commit": "1"},
    {"Nats-Batch-Id": "x", "Nats-Batch-Sequence": "0", "Nats-Batch-Commit": "1"},
)


def part(number: int, *, name: str, last: bool = False) -> dict[str, str]:
    header = {"Nats-Batch-Id": name, "Nats-Batch-Sequence": str(number)}
    return header | ({"Nats-Batch-Commit": "1"} if last else {})


async def whole_batch(connection: Dialled, account: str) -> bool:
    """Send a batch of two as an honest client does, and tell whether it was stored."""
    name, subject = os.urandom(8).hex(), f"main.cmd.order.{account}"
    await connection.client.publish(subject, b"1", headers=part(1, name=name))
    answer = await connection.ask(subject, b"2", part(2, name=name, last=True))
    return answer.get("count") == 2


# -- answers sent where they do not belong ---------------------------------------------


@pytest.mark.parametrize("reply", FOREIGN_REPLIES)
async def test_an_answer_ends_in_the_traders_own_account(venue: BrokerVenue, reply: str) -> None:
    before = await venue.end()
    async with venue.native("alice") as alice, venue.native("bob", "feeds") as bob:
        heard = await bob.hear("feed.main.public.>", "feed.main.account.bob.>", "_INBOX_bob.>")
        await alice.client.publish(ORDER, b"injected", reply=reply)
        await alice.sync()
        await alice.ask(ORDER, b"the last")
        await bob.sync()
    stored = await venue.stored(before)
    assert stored[-1] == (ORDER, b"the last")
    assert set(stored) <= {(ORDER, b"injected"), (ORDER, b"the last")}
    assert heard == []


async def test_inside_the_logs_account_an_answer_lands_anywhere(venue: BrokerVenue) -> None:
    """Why strangers have an account of their own: the server judges no reply subject."""
    before = await venue.end()
    async with venue.service("gateway") as gateway:
        await gateway.client.publish(ORDER, b"x", reply="main.evt.other")
        assert await gateway.sync() == []
    stored = await venue.stored(before)
    assert [subject for subject, _ in stored] == [ORDER, "main.evt.other"]
    assert b'"stream":"LOG_main"' in stored[1][1]


async def test_a_forged_answer_needs_the_other_ones_inbox(venue: BrokerVenue) -> None:
    """Traders share an account: inboxes must be random, as every client makes them."""
    async with venue.native("alice") as alice, venue.native("bob") as bob:
        heard = await bob.hear("_INBOX_bob.secret.*")
        await alice.client.publish(ORDER, b"x", reply="_INBOX_bob.guess.1")
        await alice.client.publish(ORDER, b"x", reply="_INBOX_bob.secret.1")
        await alice.ask(ORDER)
        await bob.sync()
    assert [subject for subject, _ in heard] == ["_INBOX_bob.secret.1"]


async def test_a_trace_cannot_be_sent_elsewhere(venue: BrokerVenue) -> None:
    before = await venue.end()
    async with venue.native("alice") as alice:
        for destination in ("main.evt.exchange", "main.cmd.order.bob", "feed.main.public.x"):
            await alice.client.publish(ORDER, b"x", headers={"Nats-Trace-Dest": destination})
        await alice.client.publish(ORDER, b"x", headers={"Nats-Request-Info": '{"acc":"LOG"}'})
        await alice.sync()
        await alice.ask(ORDER)
    assert {subject for subject, _ in await venue.stored(before)} == {ORDER}


# -- headers -----------------------------------------------------------------------------


@pytest.mark.parametrize("headers", INERT_HEADERS, ids=lambda header: next(iter(header)))
async def test_a_header_that_could_do_harm_is_refused(
    venue: BrokerVenue, headers: dict[str, str]
) -> None:
    before = await venue.end()
    async with venue.native("alice") as alice:
        answer = await alice.ask(ORDER, b"x", headers)
        assert "error" in answer
        await alice.ask(ORDER, b"the last")
    assert await venue.stored(before) == [(ORDER, b"the last")]


async def test_fast_ingest_is_off(venue: BrokerVenue) -> None:
    before = await venue.end()
    async with venue.native("alice") as alice:
        await alice.client.publish(ORDER, b"x", reply="_INBOX_alice.f.10.ok.1.0.$FI")
        await alice.sync()
        await alice.ask(ORDER, b"the last")
    assert await venue.stored(before) == [(ORDER, b"the last")]


async def test_one_traders_message_id_shadows_anothers_only_for_a_moment(
    venue: BrokerVenue,
) -> None:
    """Message ids are stream-wide, so honest clients send none; the window is a second."""
    async with venue.native("alice") as alice, venue.native("bob") as bob:
        await alice.ask(ORDER, b"x", {"Nats-Msg-Id": "1"})
        answer = await bob.ask("main.cmd.order.bob", b"x", {"Nats-Msg-Id": "1"})
        assert answer["duplicate"]
        assert DEDUPE_WINDOW_NS <= 1_000_000_000


# -- batches -----------------------------------------------------------------------------


@asynccontextmanager
async def patient(
    folder: Path, monkeypatch: pytest.MonkeyPatch, batches: int = limits.MAX_OPEN_BATCHES
) -> AsyncIterator[tuple[Dialled, Dialled]]:
    """Dial alice and bob to a broker that forgets no open batch, however busy the machine is."""
    monkeypatch.setattr(limits, "MAX_OPEN_BATCHES", batches)
    monkeypatch.setattr(limits, "OPEN_BATCH_LIFE_S", 60)
    conf = folder / "patient.conf"
    conf.write_text(config.text("main"))
    own = BrokerVenue(folder, conf=conf)
    try:
        await own.start()
        async with own.desk(), own.native("alice") as alice, own.native("bob") as bob:
            yield alice, bob
    finally:
        await own.server.kill9()


async def test_a_batch_crosses_the_border_whole(venue: BrokerVenue) -> None:
    venue.trader("alice")
    wire = await Wire.open(
        venue.server.url,
        name="orders",
        seed=venue.trader("alice").seed,
        inbox_prefix="_INBOX_alice",
    )
    answers: list[bytes] = []
    wire.subscribe(f"{wire.inbox}.b.*", lambda _s, _r, _h, payload: answers.append(payload))
    before = await venue.end()
    messages = [(ORDER.encode(), b"%d" % number) for number in range(1_000)]
    inbox = f"{wire.inbox}.b".encode()
    wire.write(batch(messages, b"whole", inbox + b".first", inbox + b".last", b""))
    await wait_until(lambda: any(b'"count"' in answer for answer in answers))
    await wire.close()
    ack = json.loads(answers[-1])
    assert (ack["seq"], ack["count"]) == (before + 1_000, 1_000)
    stored = await venue.stored(before)
    assert stored == [(ORDER, payload) for _, payload in messages]


async def test_a_batch_whose_name_is_guessed_can_be_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of batches are stream-wide, so a client must make them of fresh random bytes."""
    async with patient(tmp_path, monkeypatch) as (alice, bob):
        await bob.client.publish("main.cmd.order.bob", b"1", headers=part(1, name="guess"))
        await bob.sync()
        stolen = await alice.ask(ORDER, b"x", part(2, name="guess", last=True))
        assert stolen["count"] == 2
        answer = await bob.ask("main.cmd.order.bob", b"2", part(2, name="guess", last=True))
        assert answer["error"]["err_code"] == BATCH_INCOMPLETE


async def test_batches_left_open_do_not_stop_those_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's own bound of 50 would let one trader stop everyone with five a second."""
    async with patient(tmp_path, monkeypatch) as (alice, bob):
        for number in range(60):
            await alice.client.publish(ORDER, b"x", headers=part(1, name=f"open{number}"))
        await alice.sync()
        assert await whole_batch(bob, "bob")


async def test_batches_left_open_are_forgotten_within_seconds(venue: BrokerVenue) -> None:
    """The gap that is left: while one trader floods, batches fail; single messages do not."""
    async with venue.native("alice") as alice, venue.native("bob") as bob:
        for number in range(2 * limits.MAX_OPEN_BATCHES):
            await alice.client.publish(ORDER, b"x", headers=part(1, name=f"flood{number}"))
        await alice.sync()
        assert "seq" in await bob.ask("main.cmd.order.bob", b"single")
        for _ in range(100 * limits.OPEN_BATCH_LIFE_S):
            if await whole_batch(bob, "bob"):
                return
            await asyncio.sleep(0.05)
        pytest.fail("no batch within the bound")


async def test_open_batches_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with patient(tmp_path, monkeypatch, batches=10) as (alice, bob):
        for number in range(9):
            await alice.client.publish(ORDER, b"x", headers=part(1, name=f"open{number}"))
        await alice.ask(ORDER)
        assert await whole_batch(bob, "bob")
        await alice.client.publish(ORDER, b"x", headers=part(1, name="one more"))
        await alice.ask(ORDER)
        assert not await whole_batch(bob, "bob")
        assert "seq" in await bob.ask("main.cmd.order.bob", b"single")


# -- bounds ------------------------------------------------------------------------------


async def test_a_payload_beyond_the_bound_ends_the_connection(venue: BrokerVenue) -> None:
    before = await venue.end()
    async with venue.native("alice") as alice:
        await alice.ask(ORDER, b"x" * MAX_COMMAND_BYTES)
        await alice.client.publish(ORDER, b"x" * (MAX_COMMAND_BYTES + 8_192))
        await wait_until(lambda: alice.client.is_closed)
    assert await venue.end() == before + 1


async def test_subscriptions_beyond_the_bound_end_the_connection(venue: BrokerVenue) -> None:
    async with venue.native("alice") as alice:
        with pytest.raises(NatsError):
            for number in range(limits.MAX_CONNECTION_SUBSCRIPTIONS + 1):
                await alice.client.subscribe(f"_INBOX_alice.n{number}")
            for _ in range(100):
                await alice.client.flush(1)


# -- feeds and auditors ------------------------------------------------------------------


async def test_readers_hear_what_was_stored_and_nothing_else(venue: BrokerVenue) -> None:
    subject = "feed.main.market.ABC.trades"
    async with venue.service("feeds") as feeds, venue.native("alice", "feeds") as alice:
        heard = await alice.hear("feed.main.market.>", "feed.main.account.alice.>")
        refused = await feeds.ask(subject, b"refused", {"Nats-Expected-Last-Sequence": "99999"})
        assert "error" in refused
        await feeds.client.publish(subject, b"never committed", headers=part(1, name="open"))
        await feeds.client.publish(subject, b"1", headers=part(1, name="done"))
        await feeds.ask(subject, b"2", part(2, name="done", last=True))
        await feeds.ask("feed.main.account.bob.orders", b"bob's")
        await feeds.ask("feed.main.account.alice.orders", b"alice's")
        await wait_until(lambda: len(heard) >= 3)
    assert heard == [
        (subject, b"1"),
        (subject, b"2"),
        ("feed.main.account.alice.orders", b"alice's"),
    ]


async def test_an_auditor_reads_the_log_in_batches_and_injects_nothing(venue: BrokerVenue) -> None:
    async with venue.native("alice") as alice:
        for number in range(20):
            end = (await alice.ask(ORDER, b"%d" % number))["seq"]
    async with venue.service("auditor") as auditor:
        heard = await auditor.hear("_INBOX_auditor.read")
        wanted = json.dumps({"seq": end - 19, "batch": 20}).encode()
        get = "$JS.API.DIRECT.GET.LOG_main"
        await auditor.client.publish(get, wanted, reply="_INBOX_auditor.read")
        await wait_until(lambda: len(heard) == 21)
        assert [payload for _, payload in heard] == [*(b"%d" % n for n in range(20)), b""]
        await auditor.client.publish(get, wanted, reply="main.evt.exchange")
        await auditor.sync()
        await auditor.ask("$JS.API.STREAM.INFO.LOG_main", b"")
    assert await venue.end() == end
