"""All engines on one log in memory, scheduled by chance: what each says must fit.

No host and no server here: the log is a list, and an engine takes as many of its inputs
at a time as the dice say. Whatever they say, every record must be decidable again from the
log alone, the chain of seals must hold, and prices must follow from trades and articles.
"""

import pytest

from schemas import subjects
from schemas.chain import GENESIS_HASH, link
from schemas.events.exchange import (
    CashCredited,
    CommandRefused,
    OrderPlaced,
    OrderRejected,
    OrdersCancelled,
    ReviewersChecked,
    TopsChanged,
    Traded,
)
from schemas.events.governance import ReviewAnswered
from schemas.events.notary import Sealed
from schemas.events.pricing import (
    BlendSet,
    PressureChanged,
    PriceChanged,
    ProposalPriced,
)
from schemas.events.reality import (
    ArticleDropped,
    ArticleGrouped,
    ClusterOpened,
    LlmAnswered,
    LlmRequested,
    ReviewAnswerRefused,
    ReviewClosed,
    ReviewOpened,
    ScoreChanged,
    ScoreOpened,
)
from schemas.policy import PriceBounds
from tests.engines.driver import check_decides_again, check_folds, decoded
from tests.engines.pricing.naive_steps import NaivePrice
from tests.support.stepped import SYMBOLS, SteppedVenue, session


@pytest.fixture(scope="module", params=range(6))
def venue(request: pytest.FixtureRequest) -> SteppedVenue:
    return session(request.param, 150)


@pytest.mark.parametrize("name", subjects.ENGINES)
def test_every_record_folds_and_is_decided_again_to_the_same_bytes(
    venue: SteppedVenue, name: str
) -> None:
    check_folds(venue.drivers[name])
    check_decides_again(venue.drivers[name])


def test_the_same_dice_give_the_same_log() -> None:
    assert session(1, 60).log == session(1, 60).log


def test_there_was_something_to_see(venue: SteppedVenue) -> None:
    counts = {type(event) for event in venue.events(subjects.EXCHANGE)}
    assert {OrderPlaced, OrdersCancelled, CommandRefused, Traded, CashCredited} <= counts
    counts = {type(event) for event in venue.events(subjects.REALITY)}
    assert {ArticleDropped, ClusterOpened, ArticleGrouped, LlmRequested, LlmAnswered} <= counts
    assert {ScoreChanged, ReviewOpened, ReviewClosed} <= counts


def test_every_command_has_one_outcome(venue: SteppedVenue) -> None:
    commands_in = [one.sequence for one in venue.log if one.subject.startswith("main.cmd.order.")]
    kinds = (OrderPlaced, OrderRejected, OrdersCancelled, CommandRefused)
    outcomes = [
        event.cause for event in venue.events(subjects.EXCHANGE) if isinstance(event, kinds)
    ]
    assert sorted(outcomes) == commands_in


def test_every_measurement_has_one_outcome(venue: SteppedVenue) -> None:
    measured = [one.sequence for one in venue.log if one.subject == subjects.signals("main")]
    kinds = (ArticleDropped, ClusterOpened, ArticleGrouped)
    outcomes = [event.cause for event in venue.events(subjects.REALITY) if isinstance(event, kinds)]
    assert sorted(outcomes) == measured


def test_every_approval_is_checked_and_then_carried_out_or_refused(venue: SteppedVenue) -> None:
    approved = [
        event.proposal_hash
        for event in venue.events(subjects.GOVERNANCE)
        if isinstance(event, ReviewAnswered) and event.approve
    ]
    checked = {
        event.proposal_hash: event
        for event in venue.events(subjects.EXCHANGE)
        if isinstance(event, ReviewersChecked)
    }
    assert list(checked) == approved
    closed = {
        event.proposal_hash
        for event in venue.events(subjects.REALITY)
        if isinstance(event, ReviewClosed) and event.outcome == "approved"
    }
    refused = {
        event.proposal_hash: event.code
        for event in venue.events(subjects.REALITY)
        if isinstance(event, ReviewAnswerRefused)
    }
    assert closed <= checked.keys()
    for hash_, check in checked.items():
        assert (hash_ in closed) != (hash_ in refused)
        if check.barred:
            assert check.barred == ["boss"]
            assert refused[hash_] == "holds_the_symbol"


def test_scores_move_by_what_was_said_and_prices_know_them(venue: SteppedVenue) -> None:
    scores: dict[str, int] = {}
    for event in venue.events(subjects.REALITY):
        if isinstance(event, ScoreOpened):
            scores[event.symbol] = event.score_e2
        elif isinstance(event, ScoreChanged):
            assert event.old_score_e2 == scores[event.symbol]
            assert event.new_score_e2 == event.old_score_e2 + event.delta_e2
            assert 0 <= event.new_score_e2 <= 10_000
            scores[event.symbol] = event.new_score_e2
    priced = {
        event.symbol: event.reality_score_e2
        for event in venue.events(subjects.PRICING)
        if isinstance(event, BlendSet)
    }
    assert priced["RAIN"] == scores["RAIN"]


def test_every_review_is_priced(venue: SteppedVenue) -> None:
    opened = [
        (event.proposal_hash, event.proposal.symbol)
        for event in venue.events(subjects.REALITY)
        if isinstance(event, ReviewOpened)
    ]
    priced = [
        (event.proposal_hash, event.symbol)
        for event in venue.events(subjects.PRICING)
        if isinstance(event, ProposalPriced)
    ]
    assert priced == opened


def test_the_final_price_is_what_the_weights_make_of_both(venue: SteppedVenue) -> None:
    prices = [e for e in venue.events(subjects.PRICING) if isinstance(e, PriceChanged)]
    blends = [e for e in venue.events(subjects.PRICING) if isinstance(e, BlendSet)]
    price = [e for e in prices if e.symbol == "RAIN"][-1]
    by = [e for e in blends if e.symbol == "RAIN"][-1]
    assert abs(2 * price.final_price_e2 - price.market_price_e2 - by.reality_score_e2) <= 1


def test_prices_follow_from_the_trades(venue: SteppedVenue) -> None:
    naive = NaivePrice(5_000, PriceBounds())
    for data in venue.drivers[subjects.EXCHANGE].records:
        record = decoded(data)
        trades = [e for e in record.events if isinstance(e, Traded) and e.symbol == "RAIN"]
        tops = [top for e in record.events if isinstance(e, TopsChanged) for top in e.tops]
        top = next((top for top in tops if top.symbol == "RAIN"), None)
        naive.record(record.time_ns, trades, top)
    last = {
        event.symbol: event
        for event in venue.events(subjects.PRICING)
        if isinstance(event, PriceChanged)
    }
    assert last["RAIN"].basis == "trades"
    assert last["RAIN"].ewma_e6 == naive.ewma_e6
    assert (last["SNOW"].basis, last["SNOW"].final_price_e2) == ("resolution", 7_000)


def test_all_pressure_fades(venue: SteppedVenue) -> None:
    last = {
        event.symbol: event
        for event in venue.events(subjects.PRICING)
        if isinstance(event, PressureChanged)
    }
    assert set(last) == set(SYMBOLS)
    for event in last.values():
        assert (event.buy_lots_1h, event.sell_lots_1h) == (0, 0)


def test_seals_cover_the_log(venue: SteppedVenue) -> None:
    chain, at = bytes.fromhex(GENESIS_HASH), {}
    for message in venue.log:
        chain = link(chain, *message)
        at[message.sequence] = chain.hex()
    seals = [event for event in venue.events(subjects.NOTARY) if isinstance(event, Sealed)]
    assert seals
    assert all(at[seal.through] == seal.chain for seal in seals)
    # behind the last one there is nothing but its own record
    assert all(one.subject.endswith("notary") for one in venue.log[seals[-1].through :])
