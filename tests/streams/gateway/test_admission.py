"""Who may hold a connection and have a request under way, without any sockets."""

from functools import partial
from itertools import count

import pytest

from schemas.errors import Busy
from streams.gateway.admission import Admission, ConnectionBounds, Ticket

BOUNDS = ConnectionBounds(
    connections=40, of_one_address=20, kept_for_one=3, header_timeout_s=5, unsent_timeout_s=30
)
OPEN = 30  # 75 % of the connections
OPEN_OF_ONE = 15
KNOWN_OF_ONE = 19
KNOWN = 38  # 5 % are never held by a request


def nobody() -> None:
    return None


def begun(admission: Admission, number: int, address: str = "a") -> list[Ticket]:
    tickets = []
    for one in range(number):
        admission.enter(f"{address}{one}", address, 0)
        tickets.append(admission.begin(f"{address}{one}", address, nobody))
    return tickets


def test_the_longest_silence_gives_way_to_a_newcomer() -> None:
    admission = Admission(BOUNDS)
    for number in range(BOUNDS.connections):
        assert admission.enter(number, f"address {number % 4}", number) is None
    assert admission.enter("new", "another address", 50) == 0
    assert not admission.waits(0)
    admission.wait(1, 51)
    assert admission.enter("newer", "another address", 52) == 2


def test_one_address_displaces_only_its_own() -> None:
    admission = Admission(BOUNDS)
    admission.enter("other", "b", 0)
    for number in range(BOUNDS.of_one_address):
        assert admission.enter(number, "a", 1) is None
    admission.begin(0, "a", nobody)
    assert admission.enter("new", "a", 2) == 1
    assert admission.waits("other")


def test_whatever_happens_no_more_places_are_taken_than_there_are() -> None:
    admission = Admission(BOUNDS)
    names, held = count(), set()
    for step in range(2_000):
        name = next(names)
        leaving = admission.enter(name, f"address {step * 7 % 5}", step)
        held.add(name)
        held.discard(leaving)
        if step % 3 == 0:
            try:
                ticket = admission.begin(name, f"address {step * 7 % 5}", nobody)
            except Busy:
                continue
            if step % 2:
                admission.end(ticket)
                admission.wait(name, step)
        assert len(held) <= BOUNDS.connections
        assert admission.under_way <= OPEN


def test_anyone_begins_until_what_is_kept() -> None:
    admission = Admission(BOUNDS)
    tickets = begun(admission, OPEN_OF_ONE)
    with pytest.raises(Busy, match="of this address"):
        admission.begin("more", "a", nobody)
    begun(admission, OPEN - OPEN_OF_ONE, "b")
    with pytest.raises(Busy, match="of this venue"):
        admission.begin("more", "c", nobody)
    admission.end(tickets.pop())
    admission.begin("more", "c", nobody)
    assert admission.under_way == OPEN


def test_known_people_get_what_is_kept_each_a_part() -> None:
    admission = Admission(BOUNDS)
    begun(admission, OPEN_OF_ONE)
    tickets = [admission.begin(n, "a", lambda: "alice") for n in range(BOUNDS.kept_for_one)]
    with pytest.raises(Busy, match="of yours"):
        admission.begin("more", "a", lambda: "alice")
    admission.begin("more", "a", lambda: "bob")
    with pytest.raises(Busy, match="under way"):
        admission.begin("more", "a", lambda: "carol")
    assert admission.under_way == KNOWN_OF_ONE
    admission.end(tickets[0])
    admission.begin("again", "a", lambda: "alice")


def test_some_places_are_never_held_by_requests() -> None:
    admission = Admission(BOUNDS)
    for number in range(KNOWN):
        admission.begin(number, f"address {number}", partial(str, number))
    with pytest.raises(Busy):
        admission.begin("more", "another", lambda: "health")


def test_who_asks_is_asked_only_where_places_run_short() -> None:
    admission = Admission(BOUNDS)
    admission.begin("first", "a", lambda: pytest.fail("nobody need know"))


def test_behind_a_trusted_proxy_each_client_has_its_own_share() -> None:
    admission = Admission(BOUNDS)
    for number in range(BOUNDS.connections):
        admission.enter(number, None, number)
    for number in range(OPEN):
        admission.begin(number, f"client {number % 2}", nobody)
    assert admission.enter("new", None, 99) == OPEN


def test_waiting_is_over_after_its_time_and_not_before() -> None:
    admission = Admission(BOUNDS)
    for number in range(3):
        admission.enter(number, "a", number)
    admission.begin(1, "a", nobody)
    assert list(admission.overdue(4.9)) == []
    assert list(admission.overdue(7)) == [(0, 7), (2, 5)]
    admission.wait(0, 7)
    assert list(admission.overdue(7)) == [(2, 5)]
    admission.leave(2)
    assert list(admission.overdue(11)) == []


def test_what_is_over_leaves_nothing_behind() -> None:
    admission = Admission(BOUNDS)
    tickets = begun(admission, OPEN_OF_ONE)
    tickets.append(admission.begin("x", "a", lambda: "alice"))
    for number in range(OPEN_OF_ONE):
        admission.leave(f"a{number}")
        admission.leave(f"a{number}")
    assert admission.under_way == OPEN_OF_ONE + 1, "a request goes on when its client has left"
    for ticket in tickets:
        admission.end(ticket)
    with pytest.raises(Busy):
        for number in range(BOUNDS.connections):
            admission.begin(number, f"{number}", nobody)
    assert admission._kept == {}
    assert len(admission._shares) == OPEN, "one who was refused is not remembered"
