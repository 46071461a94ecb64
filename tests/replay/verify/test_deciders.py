"""A log that an older release began: its records are followed, and what comes after is decided."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace

from engines.exchange.engine import ExchangeEngine
from engines.kernel import Engine
from engines.notary import NotaryEngine
from engines.notary.state import State
from schemas.codec import upcast
from schemas.events import UPCASTS, Event
from schemas.events.notary import Sealed, Sealed1
from schemas.records import EVENT_MESSAGES, Record
from schemas.stored import Stored
from tests.replay.venue import engines, live
from tests.replay.verify.checking import check, only
from tests.replay.verify.forger import flip, forge, records_of
from tests.simulated.virtual_time import simulate


class OlderNotary(NotaryEngine):
    """The notary as it was before seals had locators."""

    decider = "notary/1"

    def on_group_end(self, state: State, inputs: Sequence[Stored], now_ns: int) -> Sequence[Any]:
        return [
            Sealed1(seal.cause, seal.through, seal.chain)
            for seal in super().on_group_end(state, inputs, now_ns)
        ]

    def evolve(self, state: State, event: Event) -> None:
        super().evolve(state, upcast(event, UPCASTS))


class OlderExchange(ExchangeEngine):
    decider = "exchange/0"


def _older() -> list[Engine[Any]]:
    older: list[Engine[Any]] = [OlderExchange(), OlderNotary()]
    return [*(one for one in engines() if one.name not in ("exchange", "notary")), *older]


@cache
def begun_by_another() -> tuple[Stored, ...]:
    """Return a log whose first exchange and first notary were of an older release."""
    return tuple(simulate(live(60, seed=3, first_engines=_older)).messages())


def deciders(engine: str) -> list[str]:
    records = records_of(begun_by_another(), engine)
    return [EVENT_MESSAGES.decode(message.payload).decider for message in records]


def test_what_an_older_release_decided_is_followed_and_the_rest_decided_again() -> None:
    report = check(begun_by_another())
    assert report.findings == []
    assert report.exit_code == 2
    assert report.unable == []
    assert [(one.engine, one.decider, one.records) for one in report.followed] == [
        (engine, old, deciders(engine).count(old))
        for engine, old in (("exchange", "exchange/0"), ("notary", "notary/1"))
    ]
    for engine, old in (("exchange", "exchange/0"), ("notary", "notary/1")):
        found = report.engines[engine]
        assert found.applied == {old: deciders(engine).count(old)}
        assert found.redecided == found.records - found.applied[old] > 0
    assert report.account.lost == report.account.doubled == 0


def test_an_older_seal_is_read_in_its_newest_version() -> None:
    first, last = (records_of(begun_by_another(), "notary")[place] for place in (0, -1))
    assert b'"sealed/1"' in first.payload
    assert b'"sealed/2"' in last.payload
    (older,), (newer,) = (EVENT_MESSAGES.decode(one.payload).events for one in (first, last))
    assert isinstance(older, Sealed)
    assert isinstance(newer, Sealed)
    assert (older.locator, bool(newer.locator)) == ("", True)


def _covered_by(decider: str) -> int:
    """Return a command in the middle of those under a seal of `decider`."""
    for message in reversed(records_of(begun_by_another(), "notary")):
        record = EVENT_MESSAGES.decode(message.payload)
        under = range(record.first_input, record.last_input + 1)
        commands = [at for at in under if ".cmd." in begun_by_another()[at - 1].subject]
        if record.decider == decider and len(commands) > 2:
            return commands[1]
    raise AssertionError(decider)


@pytest.mark.parametrize(("decider", "named"), [("notary/1", False), ("notary/2", True)])
def test_a_change_under_either_seal_is_found(decider: str, named: bool) -> None:
    sequence = _covered_by(decider)
    found = only(check(flip(begun_by_another(), sequence, 40)), "seal")
    assert found.field == "chain"
    assert "are not what was sealed at sequence" in found.note
    if named:
        assert found.sequence == sequence
    assert found.note.endswith(f": message {sequence} has changed") == named


def test_a_record_that_does_not_fit_the_state_is_found_whoever_decided_it() -> None:
    def goes_back(record: Record) -> Record:
        (seal,) = record.events
        assert isinstance(seal, Sealed)
        return replace(record, events=[replace(seal, through=1)])

    second = records_of(begun_by_another(), "notary")[1]
    found = only(check(forge(begun_by_another(), second.sequence, goes_back)), "decision")
    assert (found.sequence, found.field) == (second.sequence, "through")
