"""What all engines share: the protocol, deciding a group, folding a record, state hashes.

An engine is a pure state machine. `decide` judges one input against the state and
returns events; `evolve` applies one event to the state, in place; nothing else changes
it. The host gives a group of inputs one "now" and writes what they led to as one record.

Three rules make a record decidable again from the log alone:

- State follows from the engine's own events, so folding its records rebuilds it.
- `decide` sees no time but the group's, and that time is in the record.
- An input that leads to no event would lead to none at any later time or state, so it
  does not matter that the record that covers it may be written later.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from schemas.chain import digest
from schemas.errors import BrokenInvariant, LogDiverged, UnknownRecord
from schemas.events import Event
from schemas.limits import MAX_GROUP_EVENTS, MAX_GROUP_INPUTS, STATE_HASH_EVERY_RECORDS
from schemas.record_chain import Head, follow
from schemas.records import Record, seal
from schemas.stored import Stored

S = TypeVar("S")


class Grouping(NamedTuple):
    """How long a host may gather inputs for one record.

    With `linger_ns` 0 it decides whatever has arrived at once.
    """

    max_inputs: int = MAX_GROUP_INPUTS
    linger_ns: int = 0


class Engine(Protocol[S]):
    """One single-writer state machine over a shard's log."""

    @property
    def name(self) -> str:
        """The engine's name, as in `schemas.subjects`."""

    @property
    def decider(self) -> str:
        """`name/N`; N changes when the same inputs would lead to other events or state bytes."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The full subjects, wildcards allowed, of the engine's inputs."""

    @property
    def grouping(self) -> Grouping: ...

    def initial(self) -> S:
        """Return the state before any event."""

    def decide(self, state: S, message: Stored, now_ns: int) -> Iterable[Event]:
        """Judge one input. Never raises for anything that can stand on the log.

        Each event is applied before the next one is asked for, so a `decide` that yields may
        judge a message's later parts by what the earlier ones left.
        """

    def on_group_end(self, state: S, inputs: Sequence[Stored], now_ns: int) -> Iterable[Event]:
        """Return what follows from the group as a whole, or from time alone (no inputs)."""

    def weight(self, event: Event) -> int:
        """Return how many events `event` counts for against MAX_GROUP_EVENTS.

        It is 1, but more for an event that holds a list as long as its input asked for.
        """

    def evolve(self, state: S, event: Event) -> None:
        """Apply one of the engine's own events."""

    def next_due_ns(self, state: S) -> int | None:
        """Return when `on_group_end` wants to be called even if no input comes."""

    def dump(self, state: S) -> bytes:
        """Return the whole state as canonical bytes: equal states, equal bytes."""

    def load(self, data: bytes) -> S:
        """Return the state that `dump` wrote."""


EventHandlers = Mapping[type[Any], Callable[[S, Any], None]]
"""What each event of an engine does to its state, by the event's exact type.

A `match` would ask `isinstance`, which for a Struct that is not one costs more than most of
the handlers (decision 0012).
"""


def apply_event(engine: str, handlers: EventHandlers[S], state: S, event: Event) -> None:
    """Apply `event` by its handler.

    Raises UnknownRecord for another engine's event, BrokenInvariant for one that cannot be
    true of this state.
    """
    handler = handlers.get(type(event))
    if handler is None:
        raise UnknownRecord(f"{engine} does not decide {type(event).__name__}")
    try:
        handler(state, event)
    except (KeyError, IndexError, AttributeError) as error:
        raise BrokenInvariant(f"{event} does not fit the state: {error!r}") from error


class Group(NamedTuple):
    """The outcome of deciding a group: its events, and how many of the inputs it took."""

    events: list[Event]
    taken: int


def decide_group(engine: Engine[S], state: S, inputs: Sequence[Stored], now_ns: int) -> Group:
    """Decide and apply `inputs` in order, until they end or the group is full.

    Each input is judged against the state that those before it left. An empty `inputs`
    is a tick.
    """
    decide, evolve, weigh = engine.decide, engine.evolve, engine.weight
    events: list[Event] = []
    taken = weight = 0
    for message in inputs:
        taken += 1
        for event in decide(state, message, now_ns):
            evolve(state, event)
            events.append(event)
            weight += weigh(event)
        if weight >= MAX_GROUP_EVENTS:
            break
    for event in engine.on_group_end(state, inputs[:taken], now_ns):
        evolve(state, event)
        events.append(event)
    return Group(events, taken)


def write(
    engine: Engine[S],
    state: S,
    head: Head,
    epoch: int,
    covered: tuple[int, int] | None,
    now_ns: int,
    events: list[Event],
    sign: Callable[[bytes], str] | None = None,
) -> tuple[bytes, Head]:
    """Return the next record's bytes, and the head that they make.

    `covered` is the first and last input of the group, None for a tick. `state` is the
    state after `events`.
    """
    number = head.number + 1
    first, last = covered or (head.last_input, head.last_input)
    hashed = number % STATE_HASH_EVERY_RECORDS == 0
    record = Record(
        engine=engine.name,
        decider=engine.decider,
        epoch=epoch,
        number=number,
        first_input=first,
        last_input=last,
        time_ns=now_ns,
        tick=covered is None,
        events=events,
        state_hash=state_hash(engine, state) if hashed else None,
        prev=head.hash,
    )
    data, hash_ = seal(record, sign)
    return data, Head(number, hash_, last, now_ns, epoch)


def fold(engine: Engine[S], state: S, head: Head, record: Record, data: bytes) -> Head:
    """Apply a stored record to `state` and return the new head.

    Raises LogDiverged when the record does not continue the chain or leads to another
    state than the one that was recorded, UnknownRecord when another engine wrote it. What
    another decider recorded of its state is not compared: it may have written it otherwise.
    """
    if record.engine != engine.name:
        raise UnknownRecord(f"a record of {record.engine!r} stands on {engine.name!r}'s subject")
    new = follow(head, record, data)
    for event in record.events:
        engine.evolve(state, event)
    recorded = recorded_state_hash(engine, record)
    if recorded is not None and recorded != state_hash(engine, state):
        raise LogDiverged(f"{engine.name}: state after record {record.number} differs")
    return new


def recorded_state_hash(engine: Engine[S], record: Record) -> str | None:
    """Return the hash that `engine`'s state has after `record`; None if it does not say."""
    return record.state_hash if record.decider == engine.decider else None


def state_hash(engine: Engine[S], state: S) -> str:
    """Return the SHA-256 of the state's canonical bytes."""
    return digest(engine.dump(state))
