"""The reality engine: measurements and answers in, scores and reviews out."""

from collections.abc import Iterable, Sequence
from typing import Final

from engines.kernel import Grouping
from engines.reality import answers, conclude, decisions, inputs, reviews
from engines.reality import article_admission as intake
from engines.reality.evolve import STEPS
from engines.reality.state import Kept, State, dump, load
from schemas import events as all_events
from schemas import subjects
from schemas.errors import BrokenInvariant, UnknownRecord
from schemas.events.reality import Event
from schemas.observations import LlmCalled
from schemas.stored import Stored

DECIDER: Final = "reality/1"


class RealityEngine:
    """Cluster measured articles, say what they mean for each symbol, and move its score.

    Every measurement has one first outcome with its sequence as cause: ArticleDropped,
    ClusterOpened or ArticleGrouped. Observations are taken as they come, repeated or
    unreadable: an article has a say once, by its content. It believes measurements, not
    sources: what one may say is for its trust, its rate and its cap to bound.
    """

    name = subjects.REALITY
    decider = DECIDER
    grouping = Grouping()

    def __init__(self, shard: str = subjects.DEFAULT_SHARD) -> None:
        self._signals = subjects.signals(shard)
        self._llm = subjects.llm(shard)
        self._governance = subjects.events(shard, subjects.GOVERNANCE)
        self._exchange = subjects.events(shard, subjects.EXCHANGE)
        self.reads = (self._signals, self._llm, self._governance, self._exchange)

    def initial(self) -> State:
        """Return the state of a venue without markets and sources."""
        return State(Kept())

    def decide(self, state: State, message: Stored, now_ns: int) -> Iterable[Event]:
        """Judge one message.

        Raises UnknownRecord for another engine's record that cannot be read.
        """
        subject = message.subject
        if subject == self._signals:
            signals = inputs.signals(message)
            if signals is None:
                return (intake.unreadable(message.sequence, now_ns),)
            return intake.judge(state, message.sequence, signals, now_ns)
        if subject == self._exchange:
            return _approvals(state, message, now_ns)
        if subject == self._llm:
            return _answer(state, message, now_ns)
        if subject == self._governance:
            return decisions.judge(state, message.sequence, inputs.record(message).events)
        return ()

    def on_group_end(self, state: State, inputs: Sequence[Stored], now_ns: int) -> Iterable[Event]:
        """Yield what time alone brings about."""
        return conclude.conclude(state, now_ns)

    def weight(self, event: all_events.Event) -> int:
        return 1

    def evolve(self, state: State, event: all_events.Event) -> None:
        """Apply one event; raises BrokenInvariant for one that cannot be true of this state."""
        step = STEPS.get(type(event))
        if step is None:
            raise UnknownRecord(f"reality does not decide {type(event).__name__}")
        try:
            step(state, event)
        except (KeyError, IndexError) as error:
            raise BrokenInvariant(f"{event} does not fit the state: {error!r}") from error
        state.kept.last_cause = event.cause

    def next_due_ns(self, state: State) -> int | None:
        """Return when `conclude` has something to say by itself."""
        return conclude.next_due_ns(state)

    def dump(self, state: State) -> bytes:
        """Return the state as canonical MessagePack; its dicts keep the order of the events."""
        return dump(state)

    def load(self, data: bytes) -> State:
        """Return the state that `dump` wrote."""
        return load(data)


def _answer(state: State, message: Stored, now_ns: int) -> Iterable[Event]:
    said = inputs.llm(message)
    if said is None:
        return (answers.unreadable(message.sequence),)
    if isinstance(said, LlmCalled):
        return answers.called(state, message.sequence, said, now_ns)
    return answers.available(state, message.sequence, said)


def _approvals(state: State, message: Stored, now_ns: int) -> Iterable[Event]:
    for checked in inputs.reviewers_checked(message):
        yield from reviews.approve(state, message.sequence, checked, now_ns)
