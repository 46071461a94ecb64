"""What a stranger with a valid login can try, on a real server."""

import asyncio
import importlib.util
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from schemas.codec import encode
from schemas.commands import Order, PlaceOrders
from schemas.errors import BatchesFull
from schemas.limits import (
    MAX_BATCH_ORDERS,
    MAX_CLIENT_ID_CHARS,
    MAX_PAYLOAD_BYTES,
    MAX_QUANTITY_LOTS,
    MAX_SYMBOL_CHARS,
)
from schemas.units import PAR_TICKS
from streams.broker import config, limits, roles
from streams.broker.front import Front
from streams.log.appender import append_all
from streams.log.limits import DEDUPE_WINDOW_NS
from streams.log.nats_wire import Wire
from streams.log.publishing import batch
from tests.house.source import ROOT
from tests.streams.broker.venue import BrokerVenue, Dialled, new_trader
from tests.support.waiting import wait_until

Silent = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _example(name: str) -> Any:
    """Load an example, which belongs to no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


read_log = _example("read_log")
ORDER = "main.cmd.order.alice"
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


@asynccontextmanager
async def bounded(folder: Path) -> AsyncIterator[BrokerVenue]:
    """Run a broker of its own under the limits as they stand now, with its desk."""
    conf = folder / "bounded.conf"
    conf.write_text(config.text("main"))
    own = BrokerVenue(folder, conf=conf)
    try:
        await own.start()
        async with own.desk():
            yield own
    finally:
        await own.server.kill9()


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
    async with bounded(folder) as own, own.native("alice") as alice, own.native("bob") as bob:
        yield alice, bob


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


async def test_few_batches_may_be_left_open_for_each_costs_the_server_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for a hundred, one stranger's 150 a second held up every order for seconds."""
    async with patient(tmp_path, monkeypatch) as (alice, _):
        for number in range(200):
            await alice.client.publish(ORDER, b"x", headers=part(1, name=f"open{number}"))
        await alice.ask(ORDER)
        held = [path for path in (tmp_path / "store").rglob("batches/*") if path.is_dir()]
        assert len(held) == limits.MAX_OPEN_BATCHES <= 16


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


async def test_batches_left_open_do_not_stop_the_venues_own_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measurer and fetcher share the stream's bound with strangers, and do without a batch."""
    signals = [("main.obs.signals", b"%d" % number) for number in range(40)]
    monkeypatch.setattr(limits, "MAX_OPEN_BATCHES", 10)
    monkeypatch.setattr(limits, "OPEN_BATCH_LIFE_S", 60)
    async with bounded(tmp_path) as own, own.native("alice") as alice:
        for number in range(10):
            await alice.client.publish(ORDER, b"x", headers=part(1, name=f"open{number}"))
        await alice.ask(ORDER)
        log = await own.log("measurer")
        with pytest.raises(BatchesFull):
            await log.append_batch(signals)
        await append_all(log, signals)
        assert await log.append_batch(signals[:1]) == 42
        stored = [await log.get(sequence) for sequence in range(2, 42)]
        await log.close()
    assert [(one.subject, one.payload) for one in stored if one] == signals


# -- bounds ------------------------------------------------------------------------------


async def test_a_payload_beyond_the_bound_ends_the_connection(venue: BrokerVenue) -> None:
    before = await venue.end()
    async with venue.native("alice") as alice:
        await alice.ask(ORDER, b"x" * limits.MAX_NATIVE_BYTES)
        await alice.client.publish(ORDER, b"x" * (limits.MAX_NATIVE_BYTES + 1))
        await wait_until(lambda: alice.client.is_closed)
    assert await venue.end() == before + 1


async def test_headers_count_as_payload(venue: BrokerVenue) -> None:
    before = await venue.end()
    async with venue.native("alice") as alice:
        await alice.client.publish(ORDER, b"x", headers={"Junk": "x" * limits.MAX_NATIVE_BYTES})
        await wait_until(lambda: alice.client.is_closed)
    assert await venue.end() == before


def test_the_largest_honest_batch_fits() -> None:
    order = Order(
        client_order_id="x" * MAX_CLIENT_ID_CHARS,
        symbol="S" * MAX_SYMBOL_CHARS,
        side="sell",
        quantity_lots=MAX_QUANTITY_LOTS,
        order_type="market",
        price_ticks=PAR_TICKS,
        time_in_force="gtc",
        post_only=False,
    )
    largest = PlaceOrders(client_time_ns=2**63 - 1, orders=[order] * MAX_BATCH_ORDERS)
    spaced = json.dumps(json.loads(encode(largest)), indent=1)
    assert len(spaced) <= limits.MAX_NATIVE_BYTES


@pytest.mark.parametrize(
    ("name", "subject", "bound"),
    [
        ("orders", "_INBOX_alice.n{}", limits.TRADER_SUBSCRIPTIONS),
        ("feeds", "feed.main.market.M{}.trades", limits.READER_SUBSCRIPTIONS),
    ],
)
async def test_subscriptions_beyond_the_bound_are_refused(
    venue: BrokerVenue, name: str, subject: str, bound: int
) -> None:
    async with venue.raw(venue.trader("alice").seed, name) as alice:
        for number in range(bound):
            assert await alice.said(f"SUB {subject.format(number)} {number}") == ""
        complaint = await alice.said(f"SUB {subject.format(bound)} {bound}")
        assert "maximum subscriptions exceeded" in complaint
        await alice.said("UNSUB 0")
        assert await alice.said(f"SUB {subject.format(bound)} {bound}") == ""


async def test_one_account_multiplies_a_feed_by_its_subscriptions_and_no_more(
    venue: BrokerVenue,
) -> None:
    """Once 20 connections with 255 subscriptions each made 4,500 copies of every message."""
    copies = 0

    async def heard(_message: Msg) -> None:
        nonlocal copies
        copies += 1

    async with AsyncExitStack() as stack:
        for _ in range(limits.ACCOUNT_READERS):
            reader = await stack.enter_async_context(venue.native("alice", "feeds"))
            for _ in range(limits.READER_SUBSCRIPTIONS):
                await reader.client.subscribe("feed.main.public.>", cb=heard)
            assert await reader.sync() == []
        with pytest.raises(NatsError, match="Authorization"):
            async with venue.native("alice", "feeds"):
                pass
        async with venue.service("feeds") as feeds:
            await feeds.ask("feed.main.public.markets", b"x")
        most = limits.ACCOUNT_READERS * limits.READER_SUBSCRIPTIONS
        await wait_until(lambda: copies == most)
    assert copies == most < 32


async def test_who_does_not_read_is_dropped_and_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_PENDING_BYTES", MAX_PAYLOAD_BYTES)
    message, count = b"x" * 64 * 1024, 400
    async with bounded(tmp_path) as own, own.raw(own.trader("alice").seed, "feeds") as alice:
        assert await alice.said("SUB feed.main.public.> 1") == ""
        async with own.native("bob", "feeds") as bob, own.service("feeds") as feeds:
            heard = await bob.hear("feed.main.public.>")
            for _ in range(count):
                await feeds.ask("feed.main.public.markets", message)
            await wait_until(lambda: len(heard) == count)
            assert await bob.sync() == []

            async def dropped() -> bool:
                return await own.held(roles.READERS, "alice") == 0

            await wait_until(dropped)
            assert await own.held(roles.READERS, "bob") == 1


# -- before a login ----------------------------------------------------------------------


async def silent(port: int, count: int, address: str = "127.0.0.1") -> list[Silent]:
    """Open sockets from `address` that say nothing; return them."""
    return [
        await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        for _ in range(count)
    ]


async def hang_up(sockets: list[Silent]) -> None:
    for _, writer in sockets:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def greeted(sockets: list[Silent]) -> int:
    """Count those on which the server is at the other end."""
    lines = await asyncio.gather(*(reader.readline() for reader, _ in sockets))
    return sum(line.startswith(b"INFO ") for line in lines)


async def test_sockets_that_say_nothing_fill_the_server_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why strangers come by the front: the server counts who has not logged in."""
    monkeypatch.setattr(limits, "MAX_CONNECTIONS", 20)
    async with bounded(tmp_path) as own:
        sockets = await silent(own.server.port, 40)
        assert await greeted(sockets) == 40
        complaints = [asyncio.create_task(reader.readline()) for reader, _ in sockets]
        # until it has sent the others away, the server may not have counted all of them
        await wait_until(lambda: sum(map(asyncio.Task.done, complaints)) >= 20)
        with pytest.raises((NatsError, OSError)):
            async with own.service("gateway"):
                pass
        await hang_up(sockets)
        await asyncio.gather(*complaints, return_exceptions=True)


async def test_sockets_that_say_nothing_leave_room_for_roles_and_other_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_CONNECTIONS", 40)
    async with bounded(tmp_path) as own:
        front = Front("127.0.0.1", own.server.port, most=30, per_address=20)
        await front.start("127.0.0.1", 0)
        sockets = await silent(front.port, 60)
        assert await greeted(sockets) == 20
        async with own.service("gateway") as gateway, own.native("alice") as alice:
            assert await gateway.sync() == await alice.sync() == []
        others = await silent(front.port, 40, "127.0.0.2")
        assert await greeted(others) == 10
        assert (front.connections, front.turned_away) == (30, 70)
        async with own.service("gateway") as gateway:
            assert await gateway.sync() == []
        await hang_up([*sockets, *others])
        await wait_until(lambda: front.connections == 0)
        await front.close()


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
        await auditor.sync()
    assert await venue.end() == end


def hostile(first_line: bytes, *lines: bytes, payload: bytes = b"x") -> bytes:
    """Return the bytes that publish an order whose header is as given."""
    header = b"\r\n".join((b"NATS/1.0" + first_line, *lines, b"", b""))
    sizes = (len(header), len(header) + len(payload))
    return b"HPUB main.cmd.order.alice %d %d\r\n%b%b" % (*sizes, header, payload)


HOSTILE: Final = (
    hostile(b"", b"Status: 503"),
    hostile(b"", b"Status: 404", payload=b""),
    hostile(b" 503 No Responders", b"A: b", payload=b""),
    hostile(b" 404 Message Not Found", b"Description: gone", payload=b""),
    hostile(b" 408", b"Nats-Pending-Messages: 1", payload=b""),
    hostile(b"", b"Nats-Sequence: 1", b"Nats-Subject: main.evt.notary", b"Nats-Stream: OTHER"),
    hostile(b"", b"Nats-Num-Pending: 0", b"Nats-Time-Stamp: never"),
    hostile(b"", b"no colon at all", b"\xff\xfe: \x00"),
    hostile(b"", b" folded", b": nameless", b"Nats-Sequence:9"),
)
"""Orders whose headers say what only the server says, or nothing that can be read."""


async def audit(venue: BrokerVenue) -> Any:
    auditor = read_log.Auditor()
    seed = venue.keyring.seed("auditor")
    await auditor.connect(
        venue.server.url, nkeys_seed_str=seed, inbox_prefix=roles.inbox("auditor")
    )
    return auditor


async def test_stored_headers_are_never_taken_for_the_servers(tmp_path: Path) -> None:
    """Neither by the auditor's example nor by the log's own client."""
    genesis = {"body": json.dumps({"notary_key": new_trader("notary").key})}
    async with bounded(tmp_path) as own:
        async with own.service("engine-governance") as governance:
            await governance.ask("main.evt.governance", json.dumps(genesis).encode())
        async with own.raw(own.trader("alice").seed, "orders") as alice:
            for order in HOSTILE:
                assert await alice.said(order) == "", order
        count = 1 + len(HOSTILE)
        assert await own.end() == count
        auditor = await audit(own)
        found = [await read_log.get(auditor, {"seq": n}) for n in range(2, count + 1)]
        assert await read_log.get(auditor, {"seq": count + 1}) is None
        verdict = await read_log.check(auditor)
        await auditor.close()
        assert [(one.sequence, one.subject) for one in found if one] == [
            (number, ORDER) for number in range(2, count + 1)
        ]
        assert verdict == f"{count} messages, 0 signed seals, all match"
        log = await own.log("replay")
        for sequence in range(2, count + 1):
            last = await log.last(ORDER, at=sequence)
            assert last is not None
            assert (last.sequence, last.subject) == (sequence, ORDER)
            assert await log.get(sequence) == last
        reader = await log.open_reader(["main.>"], 0)
        assert len(await reader.poll(100, 5)) == count
        await reader.close()
        await log.close()


async def test_an_auditor_says_which_message_is_gone(tmp_path: Path) -> None:
    """The check once ended at the first message that it did not get, and found all well."""
    async with bounded(tmp_path) as own, own.native("alice") as alice:
        await alice.ask(ORDER, b'{"body":"{\\"notary_key\\":\\"\\"}"}')
        await alice.ask(ORDER)

        async def without_the_second(client: Any, question: dict[str, Any]) -> Any:
            return None if question.get("seq") == 2 else await get(client, question)

        get = read_log.get
        auditor = await audit(own)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(read_log, "get", without_the_second)
            assert await read_log.check(auditor) == "NOT CLEAN: message 2 is missing"
        await auditor.close()
