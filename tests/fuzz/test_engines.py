"""Every engine's `decide`, on every subject that it reads, in a venue that has lived.

What anyone may send is judged, whatever it is, and leaves a state that is still whole. What
only engines write is either a record or a typed halt.
"""

from functools import cache
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engines.kernel import Engine, decide_group, fold
from schemas import subjects
from schemas.codec import encode
from schemas.errors import Halt, InputError
from schemas.record_chain import Head
from schemas.records import EVENT_MESSAGES
from schemas.stored import Stored
from tests.fuzz.budget import examples
from tests.fuzz.junk import golden, near
from tests.replay.venue import engines, history

ENGINES = {engine.name: engine for engine in engines()}
DOORS = [
    (name, pattern)
    for name, engine in ENGINES.items()
    for pattern in engine.reads
    if ".evt." not in pattern
]
SHORT = 4_000
"""What is longer teaches no more, and takes a shrinker forever."""
RECORDS = [
    (name, pattern)
    for name, engine in ENGINES.items()
    for pattern in engine.reads
    if ".evt." in pattern
]
LAST_TOKENS = st.sampled_from(
    ("trader0", "trader1", "nobody", "a" * 200, "ä", "*", "A.B", "0", "U" + "A" * 55)
) | st.from_regex(r"[!-~]{1,40}", fullmatch=True)


@cache
def lived(name: str) -> tuple[bytes, Head]:
    """Return an engine's dumped state, and where its chain of records ends."""
    engine: Engine[Any] = ENGINES[name]
    state, head = engine.initial(), Head()
    for message in history():
        if message.subject == subjects.events("main", name):
            record = EVENT_MESSAGES.decode(message.payload)
            head = fold(engine, state, head, record, message.payload)
    assert head.number > 0
    return engine.dump(state), head


@cache
def said(pattern: str) -> tuple[bytes, ...]:
    """Return what really stood on such a subject, and what is of every other kind."""
    stood = [one.payload for one in history() if subjects.matches(pattern, one.subject)]
    return (*[one for one in stood if len(one) < SHORT][:200], *golden())


def subject(pattern: str, token: str) -> str:
    return pattern.replace("*", token).replace(">", token)


@pytest.mark.parametrize(("name", "pattern"), DOORS)
def test_whatever_is_sent_is_judged(name: str, pattern: str) -> None:
    engine = ENGINES[name]
    dumped, head = lived(name)

    @examples(40)
    @given(
        payloads=st.lists(near(said(pattern)), min_size=1, max_size=4),
        token=LAST_TOKENS,
        later_ns=st.integers(0, 10**12),
    )
    def judge(payloads: list[bytes], token: str, later_ns: int) -> None:
        state = engine.load(dumped)
        place = getattr(state, "through", len(history()))  # the notary takes no gap
        inputs = [
            Stored(place + number, subject(pattern, token), payload)
            for number, payload in enumerate(payloads, 1)
        ]
        group = decide_group(engine, state, inputs, head.time_ns + later_ns)
        assert group.taken == len(inputs)
        whole = engine.dump(state)
        assert engine.dump(engine.load(whole)) == whole
        folded = engine.load(dumped)
        for event in group.events:
            encode(event)
            engine.evolve(folded, event)
        assert engine.dump(folded) == whole

    judge()


@pytest.mark.parametrize(("name", "pattern"), RECORDS)
def test_what_only_engines_write_is_a_record_or_a_halt(name: str, pattern: str) -> None:
    """One that still decodes is left to its hash, which who follows the chain compares."""
    engine = ENGINES[name]
    dumped, head = lived(name)

    @examples(40)
    @given(payload=near(said(pattern)))
    def read(payload: bytes) -> None:
        assume(not _decodes(payload))
        message = Stored(len(history()) + 1, pattern, payload)
        try:
            group = decide_group(engine, engine.load(dumped), [message], head.time_ns)
        except Halt as halt:
            assert str(message.sequence) in str(halt), "a halt names the place"
        else:
            assert group.events == [], "nothing follows from what cannot be read"

    read()


def _decodes(payload: bytes) -> bool:
    try:
        EVENT_MESSAGES.decode(payload)
    except InputError:
        return False
    return True
