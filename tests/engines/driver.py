"""Drive one engine as a host would, without a log: groups in, sealed records out."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from engines.kernel import Engine, decide_group, fold, state_hash, write
from schemas.events import Event
from schemas.record_chain import Head
from schemas.records import EVENT_MESSAGES, Record
from schemas.stored import Stored
from tests.support.redecide import redecided

S = TypeVar("S")


class Driver(Generic[S]):
    """An engine with its state, the records it wrote, and the sequence of its next input."""

    def __init__(self, engine: Engine[S], start_ns: int = 0) -> None:
        self.engine = engine
        self.state = engine.initial()
        self.head = Head(time_ns=start_ns)
        self.records: list[bytes] = []
        self.inputs: list[Stored] = []
        self.sequence = 0
        self._uncovered = 0

    @property
    def now_ns(self) -> int:
        return self.head.time_ns

    def at(self, now_ns: int) -> None:
        """Let time pass without a record."""
        self.head = self.head._replace(time_ns=now_ns)

    def stored(self, subject: str, payload: bytes) -> Stored:
        """Give a message the next sequence."""
        self.sequence += 1
        return Stored(self.sequence, subject, payload)

    def feed(self, *messages: tuple[str, bytes]) -> list[Event]:
        """Decide one group of new inputs and return its events."""
        return self.take([self.stored(*message) for message in messages])

    def take(self, inputs: Sequence[Stored]) -> list[Event]:
        """Decide stored inputs as one group, or a tick when there are none."""
        group = decide_group(self.engine, self.state, inputs, self.now_ns)
        assert group.taken == len(inputs)
        self.inputs += inputs
        first = self._uncovered or (inputs[0].sequence if inputs else 0)
        if not group.events:
            self._uncovered = first  # the next record with inputs will cover them
        else:
            covered = (first, inputs[-1].sequence) if inputs else None
            data, self.head = write(
                self.engine, self.state, self.head, 1, covered, self.now_ns, list(group.events)
            )
            self.records.append(data)
            self._uncovered = 0 if inputs else self._uncovered
        return group.events

    def hash(self) -> str:
        return state_hash(self.engine, self.state)

    def folded(self) -> S:
        """Return the state that the records alone lead to."""
        state, head = self.engine.initial(), Head()
        for data in self.records:
            head = fold(self.engine, state, head, decoded(data), data)
        return state


def decoded(data: bytes) -> Record:
    return EVENT_MESSAGES.decode(data)


def check_folds(driver: Driver[Any]) -> None:
    """Assert that live state, folded state and a restored snapshot are all the same."""
    engine = driver.engine
    live = engine.dump(driver.state)
    assert engine.dump(driver.folded()) == live
    assert engine.dump(engine.load(live)) == live


def check_decides_again(driver: Driver[Any]) -> None:
    """Assert that the inputs and the records' own words alone lead to the same bytes."""
    for done in redecided(driver.engine, driver.inputs, driver.records):
        assert done.again == done.data
