"""The native door: whatever a trader's program publishes, only its own commands land."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import subjects
from tests.fuzz.budget import examples
from tests.fuzz.junk import MAX_BYTES, golden, near
from tests.streams.broker.venue import BrokerVenue

OWN = subjects.order_command("main", "alice")
_TOKENS = (
    "main cmd obs evt order admin account alice bob exchange epoch feed live jobs status page "
    "$JS API STREAM DELETE LOG_main obs-fetch obs-listing article signals llm _INBOX $SYS x"
)
TOKENS = st.sampled_from(_TOKENS.split())
SUBJECTS = st.lists(TOKENS, min_size=1, max_size=6).map(".".join) | st.just(OWN)
_HEADERS = (
    "Nats-Rollup Nats-TTL Nats-Msg-Id Nats-Batch-Id Nats-Batch-Sequence "
    "Nats-Expected-Last-Sequence Nats-Schedule Nats-Schedule-Target X"
)
HEADERS = st.dictionaries(
    st.sampled_from(_HEADERS.split()),
    st.sampled_from(("1", "all", "0", "-1", "x" * 70, "main.evt.exchange", "@every 1s")),
    max_size=3,
)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[asyncio.Runner, BrokerVenue]]:
    with asyncio.Runner() as runner:
        venue = BrokerVenue(tmp_path)
        runner.run(venue.start())
        try:
            yield runner, venue
        finally:
            runner.run(venue.server.kill9())


def test_only_own_commands_land(broker: tuple[asyncio.Runner, BrokerVenue]) -> None:
    runner, venue = broker
    before = runner.run(venue.end())

    @examples(15)
    @given(
        st.lists(
            st.tuples(SUBJECTS, near(golden()) | st.binary(max_size=MAX_BYTES), HEADERS),
            min_size=5,
            max_size=25,
        )
    )
    def publish(messages: list[tuple[str, bytes, dict[str, str]]]) -> None:
        async def published() -> None:
            async with venue.desk(), venue.native("alice") as alice:
                for subject, payload, headers in messages:
                    await alice.client.publish(subject, payload, headers=headers or None)
                await alice.sync()

        runner.run(published())

    publish()
    runner.run(_still_open(venue))
    landed = runner.run(venue.stored(after=before))
    assert {subject for subject, _ in landed} == {OWN}


async def _still_open(venue: BrokerVenue) -> None:
    async with venue.desk(), venue.native("alice") as alice:
        answer = await alice.ask(OWN)
        assert answer["stream"] == subjects.log_stream("main")
