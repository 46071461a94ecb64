"""Readers of channels: where they begin, where they go on, and when they are sent away."""

import pytest

from projections.feeds import reader as reader_module
from projections.feeds.reader import ChannelReader, open_channels
from projections.limits import FEED_SNAPSHOT_EVERY
from schemas.errors import MalformedMessage, TooFarBehind
from schemas.feed import Envelope, decode_envelope
from tests.projections.feeds.records import Scribe, opened, placed
from tests.projections.feeds.simulated_feed import SimulatedFeed, feed_server
from tests.projections.feeds.test_process import published, run_to_the_end
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import simulate

DEPTH, ORDERS, OTHER = "market.TEST.depth", "account.ann.orders", "market.OTHER.depth"
CHANGES = 2 * FEED_SNAPSHOT_EVERY + 30


def a_feed() -> tuple[SimulatedServer, Scribe, SimulatedServer]:
    log, feed = SimulatedServer(), feed_server()
    scribe = Scribe(log)
    scribe.write(opened("ann"))
    for number in range(1, CHANGES + 1):
        scribe.write(placed(number, "ann", "buy", number, 1))
    scribe.write(placed(9_999, "ann", "buy", 1, 1, symbol="OTHER"))
    simulate(run_to_the_end(log, feed))
    return log, scribe, feed


async def take(reader: ChannelReader, count: int) -> list[tuple[str, Envelope]]:
    taken: list[tuple[str, Envelope]] = []
    for _ in range(count + 10):
        if len(taken) >= count:
            break
        taken += [(at, decode_envelope(data)) for at, data in await reader.next(1.0)]
    assert len(taken) == count
    return taken


def test_a_new_reader_of_depth_begins_with_the_last_snapshot() -> None:
    _, _, feed = a_feed()

    async def main() -> None:
        reader = await open_channels(SimulatedFeed(feed), [DEPTH])
        taken = await take(reader, 30)
        assert [e.kind for _, e in taken] == ["snapshot"] + 29 * ["depth_update"]
        assert [at for at, _ in taken] == [str(n) for n in range(CHANGES - 29, CHANGES + 1)]

    simulate(main())


@pytest.mark.parametrize("since", [0, 1, 57, CHANGES - 1])
def test_a_reader_goes_on_where_it_left_off(since: int) -> None:
    _, _, feed = a_feed()

    async def main() -> None:
        reader = await open_channels(SimulatedFeed(feed), [DEPTH], [since])
        numbers = [e.sequence_number for _, e in await take(reader, CHANGES - since)]
        assert numbers == list(range(since + 1, CHANGES + 1))

    simulate(main())


def test_several_channels_go_on_by_one_position() -> None:
    log, scribe, feed = a_feed()

    async def main() -> None:
        first = await open_channels(SimulatedFeed(feed), [DEPTH, ORDERS, OTHER])
        taken = await take(first, 32)
        position = taken[-1][0]
        assert position == f"{CHANGES}.{CHANGES + 2}.1"
        scribe.write(placed(10_000, "ann", "buy", 9_000, 1))
        scribe.write(placed(10_001, "ann", "buy", 2, 1, symbol="OTHER"))
        await run_to_the_end(log, feed, "two")
        wanted = [(m.channel, m.sequence_number) for m in published(feed)[-4:]]
        again = await open_channels(
            SimulatedFeed(feed), [DEPTH, ORDERS, OTHER], [int(n) for n in position.split(".")]
        )
        for reader in (first, again):
            rest = [(e.channel, e.sequence_number) for _, e in await take(reader, 4)]
            assert sorted(rest) == sorted(wanted)

    simulate(main())


def test_a_position_ahead_of_the_channel_is_refused() -> None:
    _, _, feed = a_feed()

    async def main() -> None:
        for channels, since in (([DEPTH], [CHANGES + 1]), (["market.NONE.top"], [1])):
            with pytest.raises(MalformedMessage):
                await open_channels(SimulatedFeed(feed), channels, since)

    simulate(main())


def test_a_position_too_far_back_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, feed = a_feed()
    monkeypatch.setattr(reader_module, "MAX_FEED_BACKLOG", 100)

    async def main() -> None:
        await open_channels(SimulatedFeed(feed), [DEPTH], [CHANGES - 100])
        with pytest.raises(TooFarBehind):
            await open_channels(SimulatedFeed(feed), [DEPTH], [CHANGES - 101])

    simulate(main())


def test_what_the_feed_has_dropped_is_never_skipped_in_silence() -> None:
    _, _, feed = a_feed()
    for message in feed.messages()[:200]:
        feed.lose(message.sequence)

    async def main() -> None:
        with pytest.raises(TooFarBehind, match="message 5 is gone"):
            await open_channels(SimulatedFeed(feed), [DEPTH], [4])

    simulate(main())


def test_a_slow_reader_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    log, scribe, feed = a_feed()
    monkeypatch.setattr(reader_module, "MAX_FEED_BACKLOG", 100)
    monkeypatch.setattr(reader_module, "READ_BATCH", 10)

    async def main() -> None:
        reader = await open_channels(SimulatedFeed(feed), [ORDERS], [CHANGES + 2])
        assert await reader.next(0.1) == []
        for number in range(10_000, 10_150):
            scribe.write(placed(number, "ann", "buy", 1, 1))
        await run_to_the_end(log, feed, "two")
        with pytest.raises(TooFarBehind):
            await take(reader, 150)

    simulate(main())
