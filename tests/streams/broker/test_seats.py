"""Who gets the next seat, by what the server says and by who was let in a moment ago."""

import pytest

from streams.broker import limits
from streams.broker.roles import READERS, TRADERS
from streams.broker.seats import Seat, Seats, reader_seats

NOW = 1_700_000_000.0
SERVER = "NSERVER"


def take(seats: Seats, cid: int, *live: Seat, account: str = TRADERS, at: float = NOW) -> bool:
    return seats.take("alice", SERVER, Seat(cid, account), live, limits.ACCOUNT_CONNECTIONS, at)


def test_logins_at_the_same_moment_share_the_seats() -> None:
    """The server knows none of them yet."""
    seats = Seats()
    taken = [take(seats, cid) for cid in range(2 * limits.ACCOUNT_CONNECTIONS)]
    assert sum(taken) == limits.ACCOUNT_CONNECTIONS


def test_others_and_other_servers_have_seats_of_their_own() -> None:
    seats = Seats()
    for cid in range(limits.ACCOUNT_CONNECTIONS):
        assert take(seats, cid)
    assert seats.take("bob", SERVER, Seat(99, TRADERS), (), 1, NOW)
    assert seats.take("alice", "NOTHER", Seat(99, TRADERS), (), 1, NOW)


def test_readers_have_a_share_of_the_seats() -> None:
    seats = Seats()
    for cid in range(limits.ACCOUNT_READERS):
        assert take(seats, cid, account=READERS)
    assert not take(seats, 50, account=READERS)
    assert take(seats, 51)


@pytest.mark.parametrize(("seats", "readers"), [(1, 1), (2, 1), (5, 2), (10, 4), (50, 20)])
def test_the_share_grows_with_the_quota(seats: int, readers: int) -> None:
    assert reader_seats(seats) == readers


def test_who_came_and_went_gives_the_seat_back() -> None:
    seats = Seats()
    for cid in range(limits.ACCOUNT_CONNECTIONS):
        assert take(seats, cid)
    live = [Seat(cid, TRADERS) for cid in range(limits.ACCOUNT_CONNECTIONS)]
    assert not take(seats, 50, *live)
    assert take(seats, 51, *live[1:])


def test_who_was_let_in_and_never_came_gives_the_seat_back_in_time() -> None:
    seats = Seats()
    for cid in range(limits.ACCOUNT_CONNECTIONS):
        assert take(seats, cid)
    assert not take(seats, 50, at=NOW + limits.LOGIN_TIMEOUT_S - 1)
    assert take(seats, 51, at=NOW + limits.LOGIN_TIMEOUT_S)
