"""Who holds which account, as accounts open and lapse."""

import pytest

from schemas.chain import GENESIS_HASH
from schemas.events import Event
from schemas.events.exchange import AccountLapsed, AccountOpened, CashCredited, CashReturned
from schemas.records import Record, seal
from schemas.stored import Stored
from schemas.subjects import EXCHANGE, events
from schemas.units import SECOND_NS
from streams.accounts.directory import Directory
from streams.accounts.limits import LAPSED_NAME_KEPT_S, SESSION_LIFE_S
from streams.accounts.tail import HEADS, Arrived
from streams.broker.limits import LOGIN_LIFE_S

KEPT_NS = LAPSED_NAME_KEPT_S * SECOND_NS


class Told:
    """A directory, and the exchange that tells it something."""

    def __init__(self) -> None:
        self.directory = Directory()
        self.now_ns = 0
        self._number = 0

    def tell(self, *happened: Event) -> None:
        self._number += 1
        record = Record(
            "exchange", "exchange/2", 1, self._number, 1, 1, self.now_ns, True,
            list(happened), None, GENESIS_HASH,
        )  # fmt: skip
        data, _ = seal(record)
        stored = Stored(self._number, events("main", EXCHANGE), data)
        self.directory.take(Arrived(stored, HEADS.decode(data)))

    def open(self, account: str, key: str) -> None:
        self.tell(AccountOpened(1, account, key))

    def lapse(self, account: str) -> None:
        self.tell(AccountLapsed(1, account))

    def has_lapsed(self, account: str) -> bool:
        return self.directory.has_lapsed(account, self.now_ns)


def test_a_lapsed_account_is_forgotten() -> None:
    told = Told()
    told.tell(AccountOpened(1, "alice", "K"), CashCredited(1, "alice", 5, "signup_grant"))
    assert told.directory.has_had_credit("alice")
    told.tell(CashReturned(1, "alice", 5, "lapsed"), AccountLapsed(1, "alice"))
    assert told.directory.key_of("alice") is None
    assert told.directory.account_of("K") is None
    assert not told.directory.has_had_credit("alice")
    told.open("alice", "L")
    assert (told.directory.key_of("alice"), told.directory.account_of("L")) == ("L", "alice")
    assert told.directory.account_of("K") is None


@pytest.mark.parametrize(
    ("order", "stands"),
    [
        ("abcd", ("d", "d", "d", None)),
        ("badc", ("a", "d", "c", None)),
        ("dcba", ("a", "a", "a", None)),
    ],
)
def test_a_key_stands_for_an_account_while_it_has_one(
    order: str, stands: tuple[str | None, ...]
) -> None:
    told = Told()
    for name in "abcd":
        told.open(name, "K")
    assert told.directory.account_of("K") == "a"
    found = []
    for name in order:
        told.lapse(name)
        found.append(told.directory.account_of("K"))
    assert tuple(found) == stands
    told.open("e", "K")
    assert told.directory.account_of("K") == "e"


def test_a_name_is_not_free_while_somebody_may_be_logged_in_with_it() -> None:
    assert max(SESSION_LIFE_S, LOGIN_LIFE_S) < LAPSED_NAME_KEPT_S
    told = Told()
    told.open("alice", "K")
    assert not told.has_lapsed("alice")
    told.now_ns = 7
    told.lapse("alice")
    assert told.has_lapsed("alice")
    told.now_ns += KEPT_NS - 1
    assert told.has_lapsed("alice")
    told.now_ns += 1
    assert not told.has_lapsed("alice")
    assert not told.has_lapsed("bob")


def test_names_that_are_free_again_take_no_memory() -> None:
    told = Told()
    for one in range(500):
        name = f"acct{one % 100}"
        told.open(name, "K")
        told.lapse(name)
        told.now_ns += KEPT_NS // 10
    assert len(told.directory._lapsed_ns) <= 11
    assert (told.directory._more_of, told.directory._key_of) == ({}, {})
