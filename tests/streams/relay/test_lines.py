"""The fair queue: whose turn it is, and how much may wait."""

from collections import Counter, defaultdict
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Busy
from schemas.limits import MAX_ATOMIC_BATCH
from streams.relay import lines as module
from streams.relay.limits import COMMAND_COST, LINE_BYTES, TURN_BYTES
from streams.relay.lines import Lines


class Item(NamedTuple):
    account: str
    number: int
    payload: bytes


def item(account: str, number: int, size: int = 100) -> Item:
    return Item(account, number, b"x" * size)


def all_of(lines: Lines[Item]) -> list[list[Item]]:
    groups = []
    while group := lines.take():
        groups.append(group)
    return groups


@given(
    st.lists(
        st.tuples(st.sampled_from("abcde"), st.integers(0, 40_000)) | st.none(),
        max_size=300,
    )
)
def test_nothing_is_lost_and_an_account_keeps_its_order(
    steps: list[tuple[str, int] | None],
) -> None:
    """Whatever is put in and taken out, in whatever order."""
    lines: Lines[Item] = Lines()
    put: dict[str, list[int]] = defaultdict(list)
    taken: dict[str, list[int]] = defaultdict(list)
    waiting: Counter[str] = Counter()
    for number, step in enumerate(steps):
        if step is None:
            group = lines.take()
            assert len(group) <= MAX_ATOMIC_BATCH
            assert bool(group) == bool(waiting)
            cost: Counter[str] = Counter()
            for one in group:
                taken[one.account].append(one.number)
                cost[one.account] += len(one.payload) + COMMAND_COST
            for account, spent in cost.items():
                waiting[account] -= sum(one.account == account for one in group)
                # a turn, and at most one command too many
                assert spent < TURN_BYTES + 40_000 + COMMAND_COST
            waiting += Counter()
            assert set(cost) >= set(waiting) or len(group) == MAX_ATOMIC_BATCH
        else:
            account, size = step
            try:
                lines.put(item(account, number, size))
            except Busy:
                continue
            put[account].append(number)
            waiting[account] += 1
        assert len(lines) == sum(waiting.values())
        assert lines.accounts == len(waiting)
    for group in all_of(lines):
        for one in group:
            taken[one.account].append(one.number)
    assert taken == put
    assert (len(lines), lines.accounts) == (0, 0)


def test_one_greedy_account_leaves_the_others_their_turn() -> None:
    lines: Lines[Item] = Lines()
    for number in range(2_000):
        lines.put(item("greedy", number))
    for number in range(50):
        lines.put(item(f"honest-{number}", number))
    first = Counter(one.account for one in lines.take())
    turn = -(-TURN_BYTES // (100 + COMMAND_COST))
    assert first.pop("greedy") == turn < 200
    assert first == {f"honest-{number}": 1 for number in range(50)}


def test_a_group_that_is_full_goes_on_where_it_ended() -> None:
    """Eleven lines of a hundred: the last one is not cut short twice."""
    lines: Lines[Item] = Lines()
    for account in "abcdefghijk":
        for number in range(100):
            lines.put(item(account, number))
    first, second = all_of(lines)
    assert len(first) == MAX_ATOMIC_BATCH
    assert [one.account for one in second] == ["k"] * 100


def test_a_large_command_is_paid_back_in_the_next_turns() -> None:
    lines: Lines[Item] = Lines()
    for number in range(8):
        lines.put(item("large", number, TURN_BYTES - COMMAND_COST + 1))
        lines.put(item("small", number, TURN_BYTES // 2 - COMMAND_COST))
    taken = Counter(one.account for group in all_of(lines)[:4] for one in group)
    assert taken == {"large": 4, "small": 8}
    for number in range(3):
        lines.put(item("one", number, 2 * TURN_BYTES))
    assert [[one.number for one in group] for group in all_of(lines)] == [[0], [1], [2]]


def test_an_account_may_have_so_much_waiting() -> None:
    lines: Lines[Item] = Lines()
    count = LINE_BYTES // (1_000 + COMMAND_COST)
    for number in range(count):
        lines.put(item("greedy", number, 1_000))
    with pytest.raises(Busy, match="nothing was done"):
        lines.put(item("greedy", count, 1_000))
    lines.put(item("honest", 0))
    assert len(lines) == count + 1


def test_however_many_are_greedy_the_next_one_finds_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE_BYTES", 4 * LINE_BYTES)
    lines: Lines[Item] = Lines()
    for account in range(200):
        while True:
            try:
                lines.put(item(f"greedy-{account}", 0, 1_000))
            except Busy:
                break
    held = len(lines) * (1_000 + COMMAND_COST)
    assert held < 4 * LINE_BYTES
    lines.put(item("honest", 0, 100))


def test_a_line_that_was_emptied_has_no_debt_and_no_savings() -> None:
    lines: Lines[Item] = Lines()
    lines.put(item("a", 0, 2 * TURN_BYTES))
    assert len(lines.take()) == 1
    for number in range(3):
        lines.put(item("a", number, TURN_BYTES - COMMAND_COST))
    assert [len(group) for group in all_of(lines)] == [1, 1, 1]
