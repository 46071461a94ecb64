"""A clean log is clean, and whatever was done to another is found and its place named."""

import asyncio
import random
from typing import Any

import pytest
from msgspec.structs import replace

from engines import kernel
from engines.notary.engine import NotaryEngine
from replay.verify import inputs
from replay.verify.report import Report
from replay.verify.verify import verify
from schemas import signatures
from schemas.chain import link
from schemas.codec import encode
from schemas.decisions import SIGNED_DECISIONS
from schemas.events.exchange import BalancesChanged, OrderPlaced
from schemas.events.notary import Sealed
from schemas.records import EVENT_MESSAGES, Record
from schemas.stored import Stored
from schemas.subjects import covering, matches
from schemas.units import SECOND_NS
from streams.log import cursor
from tests.engines.governance.people import BERT, NOTARY
from tests.replay.venue import history, live, server_with
from tests.replay.verify.checking import Messages, check, check_server, only
from tests.replay.verify.forger import flip, forge, records_of, swap
from tests.simulated.virtual_time import simulate
from tests.streams.host.rig import Running, add, new_server
from tests.streams.host.toys import COMMAND, Toy


def first(kind: type, messages: Messages, engine: str = "exchange", skip: int = 0) -> Stored:
    """Return the first record, after `skip` of them, that holds such an event."""
    for message in records_of(messages, engine):
        record = EVENT_MESSAGES.decode(message.payload)
        if any(isinstance(event, kind) for event in record.events):
            if not skip:
                return message
            skip -= 1
    raise AssertionError(kind)


def payloads(messages: Messages, engine: str) -> list[bytes]:
    return [message.payload for message in records_of(messages, engine)]


def an_order(messages: Messages, skip: int = 20) -> Stored:
    found = [m for m in messages if b'"place_order/1"' in m.payload and b'"gtc"' in m.payload]
    return found[skip]


def placed(messages: Messages) -> list[tuple[int, int]]:
    """Return cause and quantity of every order that was placed alone."""
    return [
        (event.cause, event.quantity_lots)
        for message in records_of(messages, "exchange")
        for event in EVENT_MESSAGES.decode(message.payload).events
        if isinstance(event, OrderPlaced)
        and b'"place_order/1"' in messages[event.cause - 1].payload
    ]


def test_a_log_that_engines_wrote_is_clean() -> None:
    messages = history()
    report = check(messages)
    assert (report.exit_code, report.findings, report.unable) == (0, [], [])
    assert (report.through, report.end) == (len(messages), len(messages))
    account = report.account
    assert (account.lost, account.doubled) == (0, 0)
    assert account.commands + account.decisions == account.outcomes
    assert account.measured == account.judged == 40
    assert account.trades > 50
    assert account.refused > 20
    for engine in report.engines.values():
        assert engine.records == engine.redecided > 0
        assert engine.epochs == 2
    for name in ("exchange", "pricing"):
        assert any(EVENT_MESSAGES.decode(m.payload).tick for m in records_of(messages, name))
    held = account.cash_cents + account.reserved_cents + 10_000 * account.long_lots
    assert held == account.minted_cents > 0
    chain = bytes(32)
    for message in messages:
        chain = link(chain, *message)
    assert report.chain == chain.hex()


def test_a_command_with_a_flipped_bit_is_found_by_its_decision_and_by_the_seal() -> None:
    messages = history()
    order = next(messages[cause - 1] for cause, lots in placed(messages) if str(lots)[0] == "2")
    place = order.payload.index(b'"quantity_lots":') + len(b'"quantity_lots":')
    report = check(flip(messages, order.sequence, place))
    assert report.exit_code == 1
    decision = only(report, "decision")
    assert (decision.engine, decision.field) == ("exchange", "quantity_lots")
    record = EVENT_MESSAGES.decode(messages[decision.sequence - 1].payload)
    assert record.first_input <= order.sequence <= record.last_input
    assert decision.event is not None
    event = record.events[decision.event]
    assert isinstance(event, OrderPlaced)
    assert (event.cause, str(event.quantity_lots)) == (order.sequence, decision.found)
    _is_named(report, messages, order.sequence)


def _is_named(report: Report, messages: Messages, sequence: int) -> None:
    """The message at `sequence` is named as the one that changed under its seal."""
    found = only(report, "seal")
    record = next(
        record
        for record in map(EVENT_MESSAGES.decode, payloads(messages, "notary"))
        if record.last_input >= sequence
    )
    assert found.record == record.number
    assert f"messages {record.first_input} to {record.last_input} are not" in found.note
    assert f"message {sequence} has changed" in found.note
    assert found.sequence == sequence


def test_a_change_that_changes_no_decision_is_found_by_the_seal() -> None:
    messages = history()
    order = an_order(messages)
    place = order.payload.index(b'"client_time_ns":') + 30
    report = check(flip(messages, order.sequence, place))
    assert [finding.kind for finding in report.findings] == ["seal"]
    _is_named(report, messages, order.sequence)


def test_two_changes_under_one_seal_are_named_as_its_range() -> None:
    messages = history()
    order = an_order(messages)
    place = order.payload.index(b'"client_time_ns":') + 30
    other = an_order(messages, skip=21)
    both = flip(flip(messages, order.sequence, place), other.sequence, place)
    found = only(check(both), "seal")
    assert "has changed" not in found.note
    assert found.sequence == next(
        message.sequence
        for message in records_of(messages, "notary")
        if EVENT_MESSAGES.decode(message.payload).last_input >= order.sequence
    )


def test_a_record_with_a_flipped_bit_is_found_by_its_hash() -> None:
    messages = history()
    record = first(OrderPlaced, messages)
    place = record.payload.index(b'"filled_lots":') + len(b'"filled_lots":')
    report = check(flip(messages, record.sequence, place))
    found = only(report, "hash")
    assert (found.sequence, found.engine) == (record.sequence, "exchange")


def test_a_lost_message_is_a_gap() -> None:
    server = server_with(history())
    server.lose(40)
    report = check_server(server)
    assert (only(report, "gap").sequence, report.through, report.exit_code) == (40, 39, 1)


def test_a_message_taken_out_and_the_gap_closed_is_found() -> None:
    messages = history()
    order = an_order(messages)
    report = check([m for m in messages if m.sequence != order.sequence])
    assert report.findings
    assert report.findings[0].sequence > order.sequence - 1


def test_two_orders_that_changed_places_are_found() -> None:
    messages = history()
    one = an_order(messages)
    other = messages[one.sequence]
    assert other.subject.startswith("main.cmd.order.")
    report = check(swap(messages, one.sequence, other.sequence))
    decision = only(report, "decision")
    assert decision.sequence > other.sequence
    assert decision.field in ("account", "client_order_id", "type", "code", "order_id")
    assert only(report, "seal")


def test_a_forged_decision_is_found_though_all_hashes_hold() -> None:
    messages = history()
    record = first(OrderPlaced, messages, skip=1)

    def change(record: Record) -> Record:
        events = list(record.events)
        place = next(i for i, event in enumerate(events) if isinstance(event, OrderPlaced))
        event = events[place]
        assert isinstance(event, OrderPlaced)
        events[place] = replace(event, account="mallory")
        return replace(record, events=events)

    report = check(forge(messages, record.sequence, change))
    found = only(report, "decision")
    original = EVENT_MESSAGES.decode(record.payload)
    place = next(i for i, event in enumerate(original.events) if isinstance(event, OrderPlaced))
    assert (found.sequence, found.record) == (record.sequence, original.number)
    assert (found.event, found.field) == (place, "account")
    assert found.found == '"mallory"'
    assert "hash" not in [finding.kind for finding in report.findings]


def test_money_out_of_nothing_is_found_twice() -> None:
    messages = history()
    record = first(BalancesChanged, messages)

    def change(record: Record) -> Record:
        events = list(record.events)
        place = next(i for i, event in enumerate(events) if isinstance(event, BalancesChanged))
        event = events[place]
        assert isinstance(event, BalancesChanged)
        rows = list(event.balances)
        rows[0] = replace(rows[0], cash_cents=rows[0].cash_cents + 1)
        events[place] = replace(event, balances=rows)
        return replace(record, events=events)

    report = check(forge(messages, record.sequence, change))
    assert only(report, "decision").field == "balances"
    money = only(report, "money")
    assert int(money.found) - int(money.expected) == 1


def test_an_event_left_out_is_a_lost_outcome() -> None:
    messages = history()
    record = first(OrderPlaced, messages)

    def change(record: Record) -> Record:
        events = list(record.events)
        del events[next(i for i, event in enumerate(events) if isinstance(event, OrderPlaced))]
        return replace(record, events=events)

    report = check(forge(messages, record.sequence, change))
    assert (report.account.lost, report.account.doubled) == (1, 0)
    assert only(report, "decision").sequence == only(report, "outcome").sequence == record.sequence


def test_a_wrong_state_hash_is_found() -> None:
    messages = history()
    record = first(OrderPlaced, messages)
    report = check(forge(messages, record.sequence, lambda r: replace(r, state_hash="ab" * 32)))
    found = only(report, "state")
    assert (found.sequence, found.field, found.expected) == (record.sequence, "state_hash", "null")


def test_states_are_hashed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "STATE_HASH_EVERY_RECORDS", 2)
    messages = simulate(live(100, seed=3)).messages()
    report = check(messages)
    assert report.exit_code == 0
    for engine in report.engines.values():
        assert engine.state_hashes == engine.records // 2 > 0
    record = records_of(messages, "pricing")[3]
    forged = check(forge(messages, record.sequence, lambda r: replace(r, state_hash="ab" * 32)))
    found = only(forged, "state")
    assert (found.engine, found.record, found.found) == ("pricing", 4, f'"{"ab" * 32}"')


@pytest.mark.parametrize(
    ("patterns", "one"),
    [
        (("main.evt.exchange",), "main.evt.exchange"),
        (("main.evt.exchange", "main.evt.governance"), "main.evt.*"),
        (("main.cmd.order.*", "main.cmd.account.*", "main.evt.governance"), "main.*.>"),
        (("main.cmd.order.*", "main.>"), "main.>"),
    ],
)
def test_one_filter_covers_several(patterns: tuple[str, ...], one: str) -> None:
    assert covering(patterns) == one
    for pattern in patterns:
        subject = pattern.replace("*", "alice").replace(">", "evt.pricing.epoch")
        assert matches(pattern, subject)
        assert matches(one, subject)


@pytest.mark.parametrize("held", [1, 1_000, 20_000])
def test_inputs_that_lead_to_nothing_need_not_be_held(
    held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = history()
    whole = check(messages)
    monkeypatch.setattr(inputs, "MAX_VERIFY_WAITING_BYTES", held)
    monkeypatch.setattr(cursor, "READ_BATCH", 3)
    thinned = check(messages)
    assert thinned.exit_code == 0
    thinned.seconds = whole.seconds
    assert thinned == whole


def test_toy_engines_with_inert_inputs_and_ticks_are_checked_like_any_other() -> None:
    def toys() -> list[Any]:
        return [Toy(remember_ns=SECOND_NS), NotaryEngine()]

    async def lived() -> list[Stored]:
        server = new_server()
        hosts = [Running(server, toy, writer=toy.name) for toy in toys()]
        for number in range(30):
            server.store([(COMMAND, b"nop")])
            await asyncio.sleep(0.1)
            server.store([(COMMAND, b"nop"), add(number)])
            await asyncio.sleep(0.1)
        server.store([(COMMAND, b"nop"), (COMMAND, b"nop")])
        await asyncio.sleep(20)
        for host in hosts:
            await host.stopped()
        return server.messages()

    messages = simulate(lived())
    report = simulate(verify(server_with(messages).connect(), toys()))
    assert report.findings == []
    toy = report.engines["toy"]
    assert toy.records == toy.redecided > 40
    assert toy.pending == 2
    assert report.unable == [f"{report.seals} seals: no notary key is known"]
    add_3 = next(m for m in messages if m.payload == b"add id3 3")
    changed = flip(messages, add_3.sequence, len(add_3.payload) - 1)
    wrong = simulate(verify(server_with(changed).connect(), toys()))
    found = only(wrong, "decision")
    assert (found.field, found.expected, found.found) == ("amount_cents", "2", "3")


def _another_chain(record: Record) -> Record:
    (sealed,) = record.events
    assert isinstance(sealed, Sealed)
    return replace(record, events=[replace(sealed, chain="cd" * 32)])


def test_a_forged_seal_is_found_by_chain_and_by_signature() -> None:
    messages = history()
    seal = records_of(messages, "notary")[2]
    report = check(
        forge(
            messages, seal.sequence, _another_chain, lambda data: signatures.sign(BERT.seed, data)
        )
    )
    assert (only(report, "seal").sequence, only(report, "seal").field) == (seal.sequence, "chain")
    assert only(report, "signature").sequence == seal.sequence


def test_a_seal_forged_with_the_stolen_key_is_found_by_the_chain() -> None:
    messages = history()
    seal = records_of(messages, "notary")[2]
    stolen = forge(
        messages, seal.sequence, _another_chain, lambda data: signatures.sign(NOTARY.seed, data)
    )
    assert {finding.kind for finding in check(stolen).findings} == {"seal"}


def test_a_seal_by_another_key_is_found_by_the_signature_alone() -> None:
    messages = history()
    seal = records_of(messages, "notary")[-1]
    report = check(
        forge(messages, seal.sequence, lambda r: r, lambda data: signatures.sign(BERT.seed, data))
    )
    assert [(f.kind, f.sequence) for f in report.findings] == [("signature", seal.sequence)]


def test_a_decision_whose_signature_does_not_hold_is_found() -> None:
    messages = list(history())
    place = next(i for i, m in enumerate(messages) if b"halt_market/1" in m.payload)
    signed = SIGNED_DECISIONS.decode(messages[place].payload)
    forged = replace(signed, body=signed.body.replace("news", "lies"))
    messages[place] = messages[place]._replace(payload=encode(forged))
    found = only(check(messages), "decision")
    assert (found.engine, found.field, found.expected) == (
        "governance", "type", "decision_refused/1",
    )  # fmt: skip


def test_a_record_of_an_office_gone_by_is_found() -> None:
    messages = history()
    record = records_of(messages, "exchange")[-1]
    earlier = EVENT_MESSAGES.decode(records_of(messages, "exchange")[0].payload).epoch
    report = check(forge(messages, record.sequence, lambda r: replace(r, epoch=earlier)))
    found = only(report, "epoch")
    assert (found.sequence, found.found) == (record.sequence, str(earlier))


def test_a_record_of_an_office_never_taken_is_found() -> None:
    messages = history()
    record = records_of(messages, "exchange")[0]
    report = check(forge(messages, record.sequence, lambda r: replace(r, epoch=r.epoch + 1)))
    assert "not on the log" in only(report, "epoch").note


def test_a_record_that_stands_twice_is_found() -> None:
    messages = list(history())
    record = records_of(messages, "exchange")[-1]
    found = only(check([*messages, record]), "record_chain")
    assert (found.sequence, found.engine) == (len(messages) + 1, "exchange")


def test_a_record_that_is_missing_is_found() -> None:
    messages = history()
    gone = records_of(messages, "pricing")[1]
    rest = [m for m in messages if m.sequence != gone.sequence]
    found = only(check(rest), "record_chain")
    assert (found.engine, found.record) == ("pricing", 3)


def test_a_record_that_skips_an_input_is_found() -> None:
    messages = history()
    record = first(OrderPlaced, messages, skip=1)
    report = check(
        forge(messages, record.sequence, lambda r: replace(r, first_input=r.first_input + 1))
    )
    found = only(report, "coverage")
    assert (found.sequence, found.field) == (record.sequence, "first_input")


def test_what_nobody_can_read_is_found() -> None:
    messages = [*history(), Stored(0, "main.evt.exchange", b'{"type":"record/9"}')]
    found = only(check(messages), "unreadable")
    assert found.sequence == len(messages)


def test_a_log_without_genesis_is_found() -> None:
    assert only(check(history()[1:]), "genesis").sequence == 1


@pytest.mark.parametrize("seed", range(8))
def test_any_flipped_bit_anywhere_is_found(seed: int) -> None:
    messages = history(commands=60)
    dice = random.Random(seed)
    for _ in range(12):
        sequence = dice.randint(1, len(messages))
        place, bit = dice.randrange(10**6), dice.randrange(8)
        report = check(flip(messages, sequence, place, bit))
        assert report.exit_code == 1, (sequence, place, bit)


def test_findings_are_bounded() -> None:
    messages = [*history()]
    messages += [Stored(0, "main.evt.exchange", b"{}")] * 100
    report = check(messages)
    assert (len(report.findings), report.more_findings, report.exit_code) == (5, 95, 1)
