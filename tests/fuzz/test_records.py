"""Damaged records: codec, chains, `verify`, the projector and the feeds halt by name, or not."""

from functools import cache
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from projections.feeds.fold import FeedFold
from projections.store.checkpoint import Checkpoint, Follower
from projections.store.projection import collect
from projections.store.projector import projected_subjects
from projections.tables import PROJECTIONS
from schemas import subjects
from schemas.codec import Codec
from schemas.commands import ORDER_COMMANDS
from schemas.decisions import SIGNED_DECISIONS
from schemas.errors import Halt, InputError
from schemas.observations import OBSERVATIONS
from schemas.pushes import PUSHES
from schemas.record_chain import Chains
from schemas.records import EPOCHS, EVENT_MESSAGES
from schemas.stored import Stored
from streams.accounts.tail import HEADS
from tests.fuzz.budget import examples
from tests.fuzz.junk import bent, golden, near, odd
from tests.replay.venue import history
from tests.replay.verify.checking import check

CODECS: dict[str, Codec[Any]] = {
    "records": EVENT_MESSAGES,
    "heads": HEADS,
    "epochs": EPOCHS,
    "orders": ORDER_COMMANDS,
    "decisions": SIGNED_DECISIONS,
    "observations": OBSERVATIONS,
    "pushes": PUSHES,
}


@cache
def venue() -> tuple[Stored, ...]:
    """Return a short log of a venue that lived."""
    return history(40)


@st.composite
def damages(draw: st.DrawFn, wanted: str) -> tuple[int, bytes]:
    """Draw the place of a message on the log, and what stands there now."""
    choice = [one for one in venue() if subjects.matches(wanted, one.subject)]
    good = draw(st.integers(0, len(choice) - 1).map(choice.__getitem__))
    payload = draw(bent(good.payload) | odd(good.payload))
    assume(payload != good.payload)
    return good.sequence, payload


def with_damage(place: int, payload: bytes) -> list[Stored]:
    messages = list(venue())
    messages[place - 1] = messages[place - 1]._replace(payload=payload)
    return messages


def _hashed(message: Stored) -> bytes:
    """Return a record up to and with its hash."""
    return message.payload.partition(b',"signature":')[0]


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_reads_or_says_that_it_cannot(name: str) -> None:
    codec = CODECS[name]

    @examples(80)
    @given(data=near(golden()))
    def decode(data: bytes) -> None:
        try:
            codec.decode(data)
        except InputError as error:
            assert error.code in ("malformed", "unknown_message")

    decode()


@examples(60)
@given(damages("main.evt.*"))
def test_a_chain_is_followed_up_to_the_damage(damage: tuple[int, bytes]) -> None:
    """As the feeds follow it, who need each event, and as the gateway, who needs the heads.

    The notary's signature stands behind the hash: it is for who has the key, as `verify` has.
    """
    place, messages = damage[0], with_damage(*damage)
    assume(_hashed(messages[place - 1]) != _hashed(venue()[place - 1]))
    records = [one for one in messages if subjects.matches("main.evt.*", one.subject)]
    feeds, fold = Chains(EVENT_MESSAGES.decode), FeedFold()
    with pytest.raises(Halt, match=str(place)):
        for message in records:
            fold.fold(feeds.read(message))
            assert message.sequence < place
    gateway = Chains(HEADS.decode)
    with pytest.raises(Halt, match=str(place)):
        for message in records:
            gateway.read(message)
            assert message.sequence < place


@examples(40)
@given(damages("main.*.*"))
def test_a_projector_goes_up_to_the_damage_or_shows_it(damage: tuple[int, bytes]) -> None:
    """An observation has no chain of its own: what it says is taken, and the chain hash differs."""
    place, messages = damage[0], with_damage(*damage)
    follower = Follower(Checkpoint())
    wanted = projected_subjects("main")
    read = [m for m in messages if any(subjects.matches(one, m.subject) for one in wanted)]
    try:
        for batch in follower.batches(read):
            collect(PROJECTIONS, batch.entries)
    except Halt as halt:
        assert str(place) in str(halt)
    else:
        whole = Follower(Checkpoint())
        for message in venue():
            if any(subjects.matches(one, message.subject) for one in wanted):
                whole.follow(message)
        projected = any(message.sequence == place for message in read)
        assert (follower.checkpoint.chain != whole.checkpoint.chain) == projected


@examples(25)
@given(damages("main.>"))
def test_verify_finds_it_and_names_the_place(damage: tuple[int, bytes]) -> None:
    place, messages = damage[0], with_damage(*damage)
    report = check(messages)
    assert report.exit_code != 0
    assert any(finding.sequence == place for finding in report.findings), report.findings
