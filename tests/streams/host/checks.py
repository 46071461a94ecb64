"""What must hold of a log afterwards, whatever went wrong on the way."""

from collections import Counter
from typing import Any

from engines.kernel import Engine
from schemas.record_chain import Head, follow
from schemas.records import EPOCHS, EVENT_MESSAGES, Record
from schemas.stored import Stored
from schemas.subjects import epoch, events, matches
from tests.support.redecide import redecided

GENESIS = ("main.cmd.admin.ROOT", b"genesis")


def records(messages: list[Stored], engine: str) -> list[tuple[int, Record, bytes]]:
    """Return an engine's records, each with its sequence and bytes."""
    subject = events("main", engine)
    return [
        (message.sequence, EVENT_MESSAGES.decode(message.payload), message.payload)
        for message in messages
        if message.subject == subject
    ]


def redecide(messages: list[Stored], engine: Engine[Any]) -> int:
    """Decide every record of `engine` again from its inputs; return how many there were.

    Asserts that each comes out with the same bytes, continues the chain, and was written
    under the leader's epoch.
    """
    epochs: dict[int, int] = {}
    leader_epoch = 0
    for message in messages:
        if message.subject == epoch("main", engine.name):
            assert EPOCHS.decode(message.payload).engine == engine.name
            leader_epoch = message.sequence
        elif message.subject == events("main", engine.name):
            epochs[len(epochs) + 1] = leader_epoch
    read = [m for m in messages if any(matches(pattern, m.subject) for pattern in engine.reads)]
    head = Head()
    for done in redecided(engine, read, [data for *_, data in records(messages, engine.name)]):
        record = done.record
        assert record.epoch == epochs[record.number], f"record {record.number} of an epoch gone by"
        if done.inputs:
            assert head.last_input < record.first_input <= done.inputs[-1].sequence
        head = follow(head, record, done.data)
        assert done.again == done.data, f"record {record.number} decides differently"
    return head.number


def outcomes(messages: list[Stored], engine: str) -> Counter[int]:
    """Count the events that each command led to."""
    counted: Counter[int] = Counter()
    for _, record, _ in records(messages, engine):
        counted.update(event.cause for event in record.events if event.cause)
    return counted


def check_accounts(messages: list[Stored], engine: Engine[Any]) -> int:
    """Assert that each command has exactly one outcome, and return how many there are."""
    counted = outcomes(messages, engine.name)
    commands = [
        message.sequence
        for message in messages
        if message.subject.startswith("main.cmd.order.") and message.payload != b"nop"
    ]
    assert dict(counted) == dict.fromkeys(commands, 1)
    redecide(messages, engine)
    return len(commands)
