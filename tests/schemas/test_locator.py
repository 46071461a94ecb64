"""A locator names the one message that changed, and never another one."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.limits import SEAL_EVERY_MESSAGES
from schemas.locator import checksum, locate, locator

sums = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=70)
changes = st.integers(1, 2**32 - 1)


@given(sums, st.data(), changes)
def test_one_change_is_located(before: list[int], data: st.DataObject, change: int) -> None:
    place = data.draw(st.integers(0, len(before) - 1))
    after = [*before]
    after[place] ^= change
    assert locate(locator(before), locator(after), len(before)) == place


@given(sums, st.data(), changes, changes)
def test_two_changes_are_not_taken_for_one(
    before: list[int], data: st.DataObject, one: int, other: int
) -> None:
    assume(len(before) > 1)
    places = data.draw(
        st.lists(st.integers(0, len(before) - 1), min_size=2, max_size=2, unique=True)
    )
    after = [*before]
    for place, change in zip(places, (one, other), strict=True):
        after[place] ^= change
    assert locate(locator(before), locator(after), len(before)) is None


@given(sums)
def test_nothing_is_located_where_nothing_changed(same: list[int]) -> None:
    assert locate(locator(same), locator(same), len(same)) is None


@pytest.mark.parametrize("place", [0, 1, 4_095, 4_096, SEAL_EVERY_MESSAGES - 1])
def test_a_full_seal_has_fifteen_sums_and_each_place_is_its_own(place: int) -> None:
    before = [number * 2_654_435_761 % 2**32 for number in range(SEAL_EVERY_MESSAGES)]
    after = [*before]
    after[place] ^= 1
    assert len(locator(before)) == 15 * 8
    assert locate(locator(before), locator(after), len(before)) == place


def test_what_is_no_locator_locates_nothing() -> None:
    good = locator([1, 2, 3])
    for other in ("", "not hexadecimal", good[:-1], good + "0", locator([1, 2])):
        assert locate(good, other, 3) is None
        assert locate(other, good, 3) is None


def test_places_behind_the_last_message_are_none() -> None:
    before, after = locator([1, 2, 3]), locator([1, 2, 3, 4])
    assert len(before) == len(after)
    assert locate(before, after, 3) is None
    assert locate(before, after, 4) == 3


@given(st.binary(min_size=1, max_size=200), st.data())
def test_every_flipped_bit_changes_the_checksum(payload: bytes, data: st.DataObject) -> None:
    flipped = bytearray(payload)
    flipped[data.draw(st.integers(0, len(payload) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert checksum("main.x", payload) != checksum("main.x", bytes(flipped))
    assert checksum("main.x", payload) != checksum("main.y", payload)
