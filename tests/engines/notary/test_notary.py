"""The chain covers every message, and a seal proves it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.kernel import write
from engines.notary import NotaryEngine, verify_seal
from engines.notary.limits import SEAL_AFTER_NS
from engines.notary.state import State
from schemas import signatures
from schemas.chain import GENESIS_HASH, link
from schemas.errors import BadSignature, BrokenInvariant, LogGap, UnknownRecord
from schemas.events.exchange import BookHalted
from schemas.events.notary import Sealed
from schemas.limits import SEAL_EVERY_MESSAGES
from schemas.locator import checksum, locator
from schemas.record_chain import Head
from schemas.records import EVENT_MESSAGES, Record
from schemas.stored import Stored
from tests.engines.driver import Driver, check_decides_again, check_folds, decoded

SEED = signatures.seed_from(b"n" * 32)
KEY = signatures.public_key(SEED)


def sealed_record(*events: Sealed, engine: str = "notary") -> Record:
    data, _ = write(
        NotaryEngine(),
        State(),
        Head(),
        1,
        (1, 3),
        5,
        [*events],
        sign=lambda text: signatures.sign(SEED, text),
    )
    return EVENT_MESSAGES.decode(
        data.replace(b'"engine":"notary"', b'"engine":"%b"' % engine.encode())
    )


def test_seals_what_the_naive_chain_gives() -> None:
    driver: Driver[State] = Driver(NotaryEngine())
    chain = bytes.fromhex(GENESIS_HASH)
    sequence = 0
    for size in (1, 3, 20):
        group = [(f"main.cmd.{number}", b"x" * number) for number in range(size)]
        events = driver.feed(*group)
        for subject, payload in group:
            sequence += 1
            chain = link(chain, sequence, subject, payload)
        sums = [checksum(subject, payload) for subject, payload in group]
        assert events == [Sealed(sequence, sequence, chain.hex(), locator(sums))]
    check_folds(driver)
    check_decides_again(driver)


def test_it_reads_everything_and_gathers() -> None:
    engine = NotaryEngine("east")
    assert engine.reads == ("east.>",)
    assert engine.grouping == (SEAL_EVERY_MESSAGES, SEAL_AFTER_NS)
    assert engine.next_due_ns(engine.initial()) is None


def test_no_inputs_no_seal() -> None:
    assert Driver(NotaryEngine()).take([]) == []


@pytest.mark.parametrize("sequences", [[2], [1, 3], [1, 1], [2, 1], [0, 1]])
def test_gap_halts(sequences: list[int]) -> None:
    driver: Driver[State] = Driver(NotaryEngine())
    with pytest.raises(LogGap):
        driver.take([Stored(sequence, "main.x", b"") for sequence in sequences])


def test_gap_between_groups_halts() -> None:
    driver: Driver[State] = Driver(NotaryEngine())
    driver.take([Stored(1, "main.x", b"")])
    with pytest.raises(LogGap, match="3 follows message 1"):
        driver.take([Stored(3, "main.x", b"")])


@given(
    st.lists(
        st.tuples(st.text(st.characters(codec="utf-8"), max_size=5), st.binary(max_size=9)),
        min_size=1,
    )
)
def test_any_other_past_gives_another_chain(messages: list[tuple[str, bytes]]) -> None:
    def seal(past: list[tuple[str, bytes]]) -> str:
        (event,) = Driver(NotaryEngine()).feed(*past)
        assert isinstance(event, Sealed)
        return event.chain

    subject, payload = messages[0]
    honest = seal(messages)
    assert seal([(subject + "x", payload), *messages[1:]]) != honest
    assert seal([(subject, payload + b"x"), *messages[1:]]) != honest
    assert seal([*messages, (subject, payload)]) != honest
    if len(messages) > 1 and messages[0] != messages[1]:
        assert seal([messages[1], messages[0], *messages[2:]]) != honest


def test_verify_seal() -> None:
    seal = Sealed(3, 3, "c" * 64, "")
    assert verify_seal(sealed_record(seal), KEY) == seal


def test_verify_seal_refuses_what_is_no_seal() -> None:
    seal = Sealed(3, 3, "c" * 64, "")
    other = signatures.public_key(signatures.seed_from(b"o" * 32))
    for record, key in (
        (sealed_record(seal), other),
        (sealed_record(seal), "nobody"),
        (sealed_record(), KEY),
        (sealed_record(seal, seal), KEY),
        (sealed_record(seal, engine="pricing"), KEY),
    ):
        with pytest.raises(BadSignature):
            verify_seal(record, key)


def test_unsigned_record_is_no_seal() -> None:
    driver: Driver[State] = Driver(NotaryEngine())
    driver.feed(("main.x", b""))
    with pytest.raises(BadSignature):
        verify_seal(decoded(driver.records[0]), KEY)


def test_evolve_refuses_what_cannot_be() -> None:
    engine = NotaryEngine()
    state = engine.initial()
    engine.evolve(state, Sealed(5, 5, "c" * 64, ""))
    with pytest.raises(BrokenInvariant):
        engine.evolve(state, Sealed(5, 5, "d" * 64, ""))
    with pytest.raises(UnknownRecord):
        engine.evolve(state, BookHalted(1, "X"))
