"""What must hold of a log afterwards, whatever went wrong on the way."""

from collections import Counter
from typing import Any

from engines.kernel import Engine, decide_group, write
from schemas.record_chain import Head, follow
from schemas.records import EPOCHS, EVENT_MESSAGES, Record
from schemas.stored import Stored
from schemas.subjects import epoch, events, matches

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
    state, head = engine.initial(), Head()
    waiting: list[Stored] = []
    leader_epoch = 0
    for message in messages:
        if any(matches(pattern, message.subject) for pattern in engine.reads):
            waiting.append(message)
        if message.subject == epoch("main", engine.name):
            assert EPOCHS.decode(message.payload).engine == engine.name
            leader_epoch = message.sequence
        if message.subject != events("main", engine.name):
            continue
        record = EVENT_MESSAGES.decode(message.payload)
        assert record.epoch == leader_epoch, f"record {record.number} of an epoch gone by"
        follow(head, record, message.payload)
        inputs = [] if record.tick else [m for m in waiting if m.sequence <= record.last_input]
        if inputs:
            assert head.last_input < record.first_input <= inputs[-1].sequence
            waiting = waiting[len(inputs) :]
        group = decide_group(engine, state, inputs, record.time_ns)
        assert group.taken == len(inputs)
        covered = None if record.tick else (record.first_input, record.last_input)
        data, head = write(engine, state, head, record.epoch, covered, record.time_ns, group.events)
        assert data == message.payload, f"record {record.number} decides differently"
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
