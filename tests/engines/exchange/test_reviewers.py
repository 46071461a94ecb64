"""Whether those who approve a move have an interest in the symbol."""

import pytest

from engines.exchange.decide import governance
from schemas.codec import encode
from schemas.commands import CancelAll, PlaceOrder, Side
from schemas.events.exchange import PartChecked, ReviewersChecked
from schemas.events.governance import (
    MarketClosed,
    MarketResolved,
    PartApproved,
    ReviewAnswered,
)
from schemas.signatures import public_key, seed_from
from schemas.subjects import account_command
from tests.engines.driver import check_decides_again
from tests.engines.exchange.venue import START_NS, ExchangeVenue, opening

JUDGE, SECOND = (seed_from(letter * 32) for letter in (b"j", b"s"))
HASH = "a" * 64


def answer(
    *seeds: str, approve: bool = True, symbol: str = "X", reason: str = "so it is"
) -> ReviewAnswered:
    keys = [public_key(seed) for seed in seeds]
    return ReviewAnswered(1, HASH, symbol, approve, reason, keys[:1], keys)


@pytest.fixture
def venue() -> ExchangeVenue:
    """X and Y, with a market maker, two accounts of the judge and one of a second key."""
    venue = ExchangeVenue()
    venue.markets("X", "Y")
    venue.open("maker", 10**9)
    for account, seed in (("judge", JUDGE), ("judge2", JUDGE), ("second", SECOND)):
        message = encode(opening(account, venue.now_ns, seed=seed))
        venue.feed((account_command("main", account), message))
        venue.mint(account, 10**8)
    return venue


def place(
    venue: ExchangeVenue, account: str, side: Side, price: int = 5_000, symbol: str = "X"
) -> None:
    name = f"o{venue.sequence}"
    venue.order(account, PlaceOrder(name, START_NS, symbol, side, 1, price_ticks=price))


def barred(venue: ExchangeVenue, answered: ReviewAnswered) -> list[str]:
    (event,) = venue.govern(answered)
    assert isinstance(event, ReviewersChecked)
    venue.check()
    check_decides_again(venue)
    return event.barred


def test_part_is_checked_like_the_whole(venue: ExchangeVenue) -> None:
    place(venue, "judge", "buy")
    part = PartApproved(1, HASH, "X", True, "", [public_key(JUDGE)], [public_key(JUDGE)], -350)
    (event,) = venue.govern(part)
    assert isinstance(event, PartChecked)
    assert (event.delta_e2, event.barred) == (-350, ["judge"])
    venue.check()
    check_decides_again(venue)


def test_who_has_nothing_in_the_symbol_is_not_barred(venue: ExchangeVenue) -> None:
    place(venue, "judge", "buy", symbol="Y")
    place(venue, "maker", "buy")
    (event,) = venue.govern(answer(JUDGE, SECOND))
    assert event == ReviewersChecked(
        cause=venue.sequence,
        proposal_hash=HASH,
        symbol="X",
        reason="so it is",
        signers=[public_key(JUDGE)],
        barred=[],
    )


def test_a_resting_order_bars(venue: ExchangeVenue) -> None:
    place(venue, "judge", "buy")
    assert barred(venue, answer(JUDGE)) == ["judge"]
    assert barred(venue, answer(SECOND)) == []
    venue.order("judge", CancelAll("c", START_NS, None))
    assert barred(venue, answer(JUDGE)) == []
    place(venue, "judge", "sell")
    assert barred(venue, answer(JUDGE)) == ["judge"]


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_position_bars_on_either_side_until_it_is_closed(
    venue: ExchangeVenue, side: Side
) -> None:
    other: Side = "sell" if side == "buy" else "buy"
    place(venue, "maker", other)
    place(venue, "judge", side)
    assert barred(venue, answer(JUDGE)) == ["judge"]
    place(venue, "maker", side)
    place(venue, "judge", other)
    assert barred(venue, answer(JUDGE)) == []


def test_all_accounts_of_all_keys_are_looked_at_and_named_in_order(venue: ExchangeVenue) -> None:
    for account in ("second", "judge2", "maker", "judge"):
        place(venue, account, "buy")
    assert barred(venue, answer(SECOND, JUDGE)) == ["judge", "judge2", "second"]
    assert barred(venue, answer()) == []


def test_only_an_approval_is_asked_about(venue: ExchangeVenue) -> None:
    place(venue, "judge", "buy")
    assert venue.govern(answer(JUDGE, approve=False)) == []


def test_a_closed_market_still_bars_who_holds_it_and_a_settled_one_nobody(
    venue: ExchangeVenue,
) -> None:
    place(venue, "maker", "sell")
    place(venue, "judge", "buy")
    place(venue, "judge2", "buy")
    venue.govern(MarketClosed(1, "X", ""))
    assert barred(venue, answer(JUDGE)) == ["judge"]
    venue.govern(MarketResolved(1, "X", 1, ""))
    assert barred(venue, answer(JUDGE)) == []


def test_a_long_list_is_cut_but_never_empty(
    venue: ExchangeVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(governance, "MAX_CONFLICTED_LISTED", 1)
    place(venue, "judge2", "buy")
    place(venue, "judge", "buy")
    assert barred(venue, answer(JUDGE)) == ["judge"]


def test_what_came_before_in_the_same_group_counts(venue: ExchangeVenue) -> None:
    """The order in which the log has them decides, not the group that they fell in."""
    order = PlaceOrder("o", START_NS, "X", "buy", 1, price_ticks=5_000)
    message = venue.order_message("judge", order)
    venue.govern(answer(JUDGE))
    approval = venue.inputs[-1]
    events = venue.feed(message, (approval.subject, approval.payload))
    (checked,) = [event for event in events if isinstance(event, ReviewersChecked)]
    assert checked.barred == ["judge"]


def test_a_key_that_holds_no_account_bars_nobody(venue: ExchangeVenue) -> None:
    place(venue, "judge", "buy")
    assert barred(venue, answer(seed_from(b"n" * 32))) == []
