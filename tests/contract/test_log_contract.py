"""What `ports.Log` promises, held against the simulated log and a real nats-server."""

import asyncio
from collections.abc import Sequence

import pytest

from schemas.errors import (
    AppendFailed,
    BatchesFull,
    Fenced,
    LogDiverged,
    LogUnavailable,
    OperatingError,
)
from schemas.limits import MAX_ATOMIC_BATCH, MAX_PAYLOAD_BYTES
from schemas.stored import Stored
from streams.host.limits import MAX_RECORD_BYTES
from streams.log.appender import append_all
from streams.log.limits import APPEND_SINGLES
from streams.log.ports import Fence, Log
from tests.contract.conftest import Connect, Fill

ORDERS = "main.cmd.order.ada"
RECORDS = "main.evt.exchange"
EPOCHS = "main.evt.exchange.epoch"

BAD_SUBJECTS = [
    "",
    "main",
    "main.",
    "main..x",
    "main.cmd.>",
    "main.cmd.*",
    "main.cmd.order.a b",
    "main.cmd.order.a\r\nPUB main.x 1\r\nx",
    "other.cmd.order.ada",
    "mainly.cmd.order.ada",
    "$JS.API.STREAM.DELETE.LOG_main",
]


async def read(log: Log, subjects: Sequence[str], after: int = 0, to: int = 0) -> list[Stored]:
    """Return what a new reader finds up to sequence `to`, or to the end of the log."""
    end = to or await log.last_sequence()
    reader = await log.open_reader(subjects, after)
    found: list[Stored] = []
    while not found or found[-1].sequence < end:
        got = await reader.poll(1_000, 0.5)
        if not got:
            break
        found.extend(got)
    await reader.close()
    return found


async def test_appends_are_stored_in_the_order_of_the_calls(log: Log) -> None:
    payloads = [b"%d" % number for number in range(300)]
    sequences = await asyncio.gather(*[log.send(ORDERS, payload) for payload in payloads])
    assert sequences == list(range(1, 301))
    assert [one.payload for one in await read(log, ["main.>"])] == payloads


async def test_a_batch_gets_consecutive_sequences_between_other_writers(connect: Connect) -> None:
    one, two = await connect("one"), await connect("two")

    async def chatter() -> None:
        for number in range(100):
            await two.send("main.cmd.order.bob", b"%d" % number)

    async def batches() -> list[int]:
        batch = [(ORDERS, b"%d" % number) for number in range(50)]
        return [await one.append_batch(batch) for _ in range(10)]

    _, ends = await asyncio.gather(chatter(), batches())
    mine = [message.sequence for message in await read(one, [ORDERS])]
    assert mine == [sequence for end in ends for sequence in range(end - 49, end + 1)]
    assert await one.last_sequence() == 600


@pytest.mark.parametrize("size", [1, 2, MAX_ATOMIC_BATCH])
async def test_batches_of_every_size(log: Log, size: int) -> None:
    batch = [(f"main.cmd.order.a{number % 7}", b"%d" % number) for number in range(size)]
    assert await log.append_batch(batch) == size
    assert [(one.subject, one.payload) for one in await read(log, ["main.>"])] == batch


@pytest.mark.parametrize("size", [0, MAX_ATOMIC_BATCH + 1])
async def test_batches_of_no_size_are_refused(log: Log, size: int) -> None:
    with pytest.raises(AppendFailed):
        await log.append_batch([(ORDERS, b"x")] * size)
    assert await log.last_sequence() == 0


async def test_one_bad_message_refuses_its_whole_batch_and_no_other(log: Log) -> None:
    good = [(ORDERS, b"x")] * 5
    for bad in [(ORDERS, b"x" * (MAX_PAYLOAD_BYTES + 1)), ("main.cmd.>", b"x")]:
        with pytest.raises(AppendFailed):
            await log.append_batch([*good, bad])
    assert await log.last_sequence() == 0
    assert await log.append_batch(good) == 5


async def test_batches_of_others_stop_a_batch_and_no_single_message(
    log: Log, fill_batches: Fill
) -> None:
    await fill_batches()
    with pytest.raises(BatchesFull):
        await log.append_batch([(ORDERS, b"x"), (ORDERS, b"y")])
    assert await log.append_batch([(ORDERS, b"alone")]) == 1
    fence = Fence(EPOCHS, await log.append_batch([(EPOCHS, b"epoch")]))
    assert await log.append_batch([(RECORDS, b"r")], fence) == 3
    with pytest.raises(Fenced):
        await log.append_batch([(RECORDS, b"r")], Fence(EPOCHS, 1))


async def test_what_needs_no_batch_falls_back_to_single_messages(
    log: Log, fill_batches: Fill
) -> None:
    messages = [(ORDERS, b"%d" % number) for number in range(3 * APPEND_SINGLES + 1)]
    await fill_batches()
    await append_all(log, messages)
    assert [(one.subject, one.payload) for one in await read(log, ["main.>"])] == messages


async def test_a_message_that_the_log_refuses_is_said_after_a_fall_back(
    log: Log, fill_batches: Fill
) -> None:
    await fill_batches()
    with pytest.raises(AppendFailed):
        await append_all(log, [(ORDERS, b"x"), ("main.cmd.>", b"y")])


async def test_batches_in_flight_keep_their_order(log: Log) -> None:
    batches = [[(ORDERS, b"%d.%d" % (a, b)) for b in range(100)] for a in range(8)]
    ends = await asyncio.gather(*[log.append_batch(batch) for batch in batches])
    assert ends == [100 * (number + 1) for number in range(8)]
    stored = [one.payload for one in await read(log, [ORDERS])]
    assert stored == [payload for batch in batches for _, payload in batch]


async def test_a_fence_that_holds_lets_through(log: Log) -> None:
    fence = Fence(EPOCHS, await log.send(EPOCHS, b"epoch"))
    assert await asyncio.gather(*[log.send(RECORDS, b"r", fence) for _ in range(5)]) == [
        2,
        3,
        4,
        5,
        6,
    ]


async def test_a_fence_that_does_not_hold_stores_nothing(connect: Connect) -> None:
    one, two = await connect("one"), await connect("two")
    old = Fence(EPOCHS, await one.send(EPOCHS, b"one"))
    new = Fence(EPOCHS, await two.send(EPOCHS, b"two"))
    with pytest.raises(Fenced):
        await one.send(RECORDS, b"late", old)
    assert await one.last_sequence() == 2
    assert await two.send(RECORDS, b"mine", new) == 3


async def test_a_fence_holds_for_a_batch_as_a_whole(connect: Connect) -> None:
    one, two = await connect("one"), await connect("two")
    old = Fence(EPOCHS, await one.send(EPOCHS, b"one"))
    batch = [(RECORDS, b"%d" % number) for number in range(5)]
    assert await one.append_batch(batch, old) == 6
    new = Fence(EPOCHS, await two.send(EPOCHS, b"two"))
    with pytest.raises(Fenced):
        await one.append_batch(batch, old)
    assert await one.last_sequence() == 7
    assert await two.append_batch(batch, new) == 12


async def test_takeover_in_one_try_from_a_zombie_at_full_speed(connect: Connect) -> None:
    zombie, heir = await connect("zombie"), await connect("heir")
    fence = Fence(EPOCHS, await zombie.send(EPOCHS, b"zombie"))
    written = 0
    at_speed = asyncio.Event()

    async def run_on() -> None:
        nonlocal written
        while True:
            window = [zombie.send(RECORDS, b"zombie %d" % n, fence) for n in range(20)]
            results = await asyncio.gather(*window, return_exceptions=True)
            written += sum(isinstance(one, int) for one in results)
            if written > 500:
                at_speed.set()
            for one in results:
                if isinstance(one, BaseException):
                    raise one
            await asyncio.sleep(0)

    running = asyncio.create_task(run_on())
    await asyncio.wait_for(at_speed.wait(), 20)
    epoch = await heir.send(EPOCHS, b"heir")
    first = await heir.send(RECORDS, b"heir 0", Fence(EPOCHS, epoch))
    with pytest.raises(Fenced):
        await asyncio.wait_for(running, 20)
    records = await read(heir, [RECORDS])
    assert sum(one.payload.startswith(b"zombie") for one in records) == written
    assert [one for one in records if one.sequence > epoch] == [Stored(first, RECORDS, b"heir 0")]


async def test_found_only_on_an_empty_log(connect: Connect) -> None:
    one, two = await connect("one"), await connect("two")
    assert await one.found("main.cmd.admin.K", b"genesis") == 1
    for log in (one, two):
        with pytest.raises(AppendFailed):
            await log.found("main.cmd.admin.K", b"genesis")
    assert await one.last_sequence() == 1


async def test_of_many_founders_one_wins(connect: Connect) -> None:
    logs = [await connect(f"founder {number}") for number in range(5)]
    results = await asyncio.gather(
        *[log.found("main.cmd.admin.K", b"%d" % n) for n, log in enumerate(logs)],
        return_exceptions=True,
    )
    assert sorted(isinstance(one, AppendFailed) for one in results) == [False] + [True] * 4
    assert await logs[0].last_sequence() == 1


@pytest.mark.parametrize("subject", BAD_SUBJECTS)
async def test_bad_subjects_are_refused(log: Log, subject: str) -> None:
    with pytest.raises(AppendFailed):
        await log.send(subject, b"x")
    with pytest.raises(AppendFailed):
        await log.append_batch([(ORDERS, b"x"), (subject, b"x")])
    assert await log.last_sequence() == 0
    assert await log.send(ORDERS, b"x") == 1


async def test_what_is_too_large_is_refused_and_nothing_else_is_lost(log: Log) -> None:
    before = [log.send(ORDERS, b"%d" % number) for number in range(10)]
    large = log.send(ORDERS, b"x" * (MAX_PAYLOAD_BYTES + 1))
    after = [log.send(ORDERS, b"%d" % number) for number in range(10)]
    with pytest.raises(AppendFailed):
        await large
    assert [await one for one in before + after] == list(range(1, 21))


@pytest.mark.parametrize(
    "payload",
    [b"", b"\r\n", b"\x00\xff" * 999, b"MSG main.x 1 1\r\nx\r\n-ERR\r\nPING\r\n"],
    ids=["empty", "line end", "binary", "protocol"],
)
async def test_payloads_come_back_byte_for_byte(log: Log, payload: bytes) -> None:
    await log.send(ORDERS, payload)
    await log.append_batch([(ORDERS, payload)] * 3)
    stored = [Stored(number, ORDERS, payload) for number in (1, 2, 3, 4)]
    assert await read(log, ["main.>"]) == stored
    assert await log.get(2) == stored[1]
    assert await log.last(ORDERS) == stored[3]


async def test_the_largest_records_pass(log: Log) -> None:
    payloads = [bytes([number]) * MAX_RECORD_BYTES for number in range(1, 5)]
    for payload in payloads:
        await log.send(RECORDS, payload)
    assert [one.payload for one in await read(log, [RECORDS])] == payloads
    last = await log.last(RECORDS)
    assert last is not None
    assert last.payload == payloads[-1]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (["main.>"], "123456"),
        (["main.cmd.order.ada"], "14"),
        (["main.cmd.order.*"], "124"),
        (["main.cmd.>"], "1246"),
        (["main.*.*"], "3"),
        (["main.cmd.order.*", "main.evt.exchange"], "1234"),
        (["main.cmd.order.*", "main.cmd.order.ada"], "124"),
        (["main.evt.>", "main.evt.*"], "35"),
        (["main.evt.*", "main.evt.exchange.epoch", "main.evt.*"], "35"),
        (["main.obs.>"], ""),
    ],
)
async def test_readers_see_what_their_filters_match(
    log: Log, filters: list[str], wanted: str
) -> None:
    for subject in [ORDERS, "main.cmd.order.bob", RECORDS, ORDERS, EPOCHS, "main.cmd.admin.K"]:
        await log.send(subject, b"x")
    assert "".join(str(one.sequence) for one in await read(log, filters)) == wanted
    later = [number for number in wanted if int(number) > 2]
    assert [str(one.sequence) for one in await read(log, filters, after=2)] == later


async def test_a_reader_hands_over_everything_once_and_in_order(connect: Connect) -> None:
    writer, log = await connect("writer"), await connect("reader")
    total = 5_000

    async def write() -> None:
        for start in range(0, total, 500):
            batch = [(f"main.cmd.order.a{n % 3}", b"%d" % n) for n in range(start, start + 500)]
            await writer.append_batch(batch)

    writing = asyncio.create_task(write())
    everything = await log.open_reader(["main.>"], 0)
    filtered = await log.open_reader(["main.cmd.order.a1"], 0)
    seen: list[Stored] = []
    while len(seen) < total:
        got = await everything.poll(333, 10)
        assert 0 < len(got) <= 333
        seen.extend(got)
    assert [one.sequence for one in seen] == list(range(1, total + 1))
    assert [one.payload for one in seen] == [b"%d" % number for number in range(total)]
    mine: list[Stored] = []
    wanted = [one for one in seen if one.subject == "main.cmd.order.a1"]
    while len(mine) < len(wanted):
        mine.extend(await filtered.poll(7, 10))
    assert mine == wanted
    await writing


async def test_a_reader_waits_at_the_end(connect: Connect) -> None:
    writer, log = await connect("writer"), await connect("reader")
    await writer.send(ORDERS, b"1")
    reader = await log.open_reader(["main.>"], 1)
    assert await reader.poll(10, 0) == []
    assert await reader.poll(10, 0.02) == []
    waiting = asyncio.create_task(reader.poll(10, 10))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    await writer.send(ORDERS, b"2")
    assert await asyncio.wait_for(waiting, 5) == [Stored(2, ORDERS, b"2")]


async def test_a_cancelled_poll_loses_nothing(connect: Connect) -> None:
    writer, log = await connect("writer"), await connect("reader")
    reader = await log.open_reader(["main.>"], 0)
    seen: list[Stored] = []
    cancelled = 0
    for number in range(1, 11):
        waiting = asyncio.create_task(reader.poll(10, 10))
        await asyncio.sleep(0)
        waiting.cancel()
        try:
            seen.extend(await waiting)
        except asyncio.CancelledError:
            cancelled += 1
        await writer.send(ORDERS, b"%d" % number)
    assert cancelled
    while len(seen) < 10:
        seen.extend(await reader.poll(100, 5))
    assert [one.sequence for one in seen] == list(range(1, 11))


async def test_get_last_and_last_sequence(log: Log) -> None:
    assert await log.last_sequence() == 0
    assert await log.get(1) is None
    assert await log.last(ORDERS) is None
    for number in range(1, 4):
        await log.send(ORDERS, b"%d" % number)
    await log.send(RECORDS, b"r")
    assert await log.last_sequence() == 4
    assert await log.get(0) is None
    assert await log.get(2) == Stored(2, ORDERS, b"2")
    assert await log.get(5) is None
    assert await log.last(ORDERS) == Stored(3, ORDERS, b"3")
    assert await log.last("main.cmd.order.*") is None
    assert log.shard == "main"


async def test_the_last_message_as_of_a_sequence(log: Log) -> None:
    assert await log.last(ORDERS, 5) is None
    for subject, payload in ((ORDERS, b"1"), (RECORDS, b"2"), (ORDERS, b""), (ORDERS, b"4")):
        await log.send(subject, payload)
    wanted = {1: b"1", 2: b"1", 3: b"", 4: b"4", 5: b"4", 10**15: b"4"}
    for at, payload in wanted.items():
        found = await log.last(ORDERS, at)
        assert found is not None
        assert (found.payload, found.sequence) == (payload, int(payload or b"3"))
    assert await log.last(ORDERS, 0) is None
    assert await log.last(RECORDS, 1) is None
    assert await log.last(RECORDS, 2) == Stored(2, RECORDS, b"2")
    assert await log.last("main.cmd.order.*", 4) is None
    assert await log.last(ORDERS) == Stored(4, ORDERS, b"4")


async def test_reading_behind_the_end_means_that_the_log_is_another(log: Log) -> None:
    await log.send(ORDERS, b"1")
    with pytest.raises(LogDiverged):
        await (await log.open_reader(["main.>"], 2)).poll(10, 0.1)


async def test_closed_things_say_so(log: Log) -> None:
    await log.send(ORDERS, b"1")
    reader = await log.open_reader(["main.>"], 0)
    await reader.close()
    with pytest.raises(LogUnavailable):
        await reader.poll(10, 0.1)
    await log.close()
    with pytest.raises(LogUnavailable):
        await log.last_sequence()
    with pytest.raises(OperatingError):
        await log.send(ORDERS, b"2")
