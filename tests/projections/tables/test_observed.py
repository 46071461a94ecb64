"""Observations may be anything, and nothing that they are stops a projector."""

from hypothesis import given
from hypothesis import strategies as st

from projections.limits import MAX_REQUEST_ID_CHARS
from projections.store.checkpoint import Checkpoint, Follower
from projections.store.observed import read_observation
from projections.store.projection import collect
from projections.tables import PROJECTIONS
from schemas.codec import encode
from schemas.observations import LlmAvailability, SourceFetched
from schemas.stored import Stored
from tests.projections.news import article, called, fetched

LARGEST = 2**63 - 1


def events_of(payload: bytes, subject: str = "main.obs.llm") -> list[object]:
    return list(read_observation(Stored(7, subject, payload)).events)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.sampled_from(["article_observed", "llm_called", "signals_measured", "record"]).map(
            lambda name: f'{{"type":"{name}/1"}}'.encode()
        ),
        st.sampled_from([b'{"type":"article_observed/2"}', b"[" * 10_000, b""]),
    )
)
def test_what_cannot_be_read_says_nothing(payload: bytes) -> None:
    assert events_of(payload) == []


@given(st.integers(-(2**70), 2**70))
def test_integers_have_room_in_a_table_or_the_observation_says_nothing(value: int) -> None:
    good = encode(fetched("wire", "fetched", 4_711))
    payload = good.replace(b"4711", str(value).encode())
    assert len(events_of(payload)) == (-LARGEST <= value <= LARGEST)


def test_integers_inside_an_answer_count_as_well() -> None:
    payload = encode(called("7-TEST", 3, "words", 1))
    assert len(events_of(payload)) == 1
    assert events_of(payload.replace(b"-2550", str(2**64).encode())) == []


def test_what_is_found_by_index_is_short() -> None:
    assert len(events_of(encode(called("7" * MAX_REQUEST_ID_CHARS, 3, None, 1)))) == 1
    assert events_of(encode(called("7" * (MAX_REQUEST_ID_CHARS + 1), 3, None, 1))) == []
    assert events_of(encode(article("not a source", "title", 1))) == []


def test_its_time_is_the_observers() -> None:
    said = LlmAvailability(mode="disabled", reason="", model="", prompt="", observed_ns=42)
    assert read_observation(Stored(7, "main.obs.llm", encode(said))).time_ns == 42


def test_the_checkpoint_counts_what_cannot_be_read() -> None:
    read, unread = Follower(Checkpoint()), Follower(Checkpoint())
    payload = encode(fetched("wire", "failed", 1))
    entry = read.follow(Stored(1, "main.obs-fetch.wire", payload))
    nothing = unread.follow(Stored(1, "main.obs-fetch.wire", b"{}"))
    assert isinstance(entry.events[0], SourceFetched)
    assert nothing.events == []
    assert collect(PROJECTIONS, [nothing]) == []
    assert read.checkpoint.sequence == unread.checkpoint.sequence == 1
    assert read.checkpoint.chain != unread.checkpoint.chain
    assert read.checkpoint.message_hash != unread.checkpoint.message_hash
    assert read.checkpoint.ends == {}
