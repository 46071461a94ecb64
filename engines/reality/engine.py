"""The reality engine: measurements and answers in, scores and reviews out."""

from collections.abc import Iterable, Sequence
from typing import Final

from engines.kernel import Grouping, apply_event
from engines.reality import inputs
from engines.reality.decide import answers, article_admission, governance, group_end, review_answers
from engines.reality.evolve import EVENT_HANDLERS
from engines.reality.state import PersistedRealityState, State, dump, load
from schemas import events as all_events
from schemas import subjects
from schemas.events.reality import Event
from schemas.observations import LlmCalled
from schemas.records import read
from schemas.stored import Stored

DECIDER: Final = "reality/3"


class RealityEngine:
    """Cluster measured articles, assess them for each symbol, and move its score.

    Every measurement has one first outcome with its sequence as cause: ArticleDropped,
    ClusterOpened or ArticleGrouped. Observations may be repeated or
    unreadable: an article counts once, by its content. The engine believes measurements, not
    sources: the trust, the rate and the cap of a source bound its effect.
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
        return State(PersistedRealityState())

    def decide(self, state: State, message: Stored, now_ns: int) -> Iterable[Event]:
        """Judge one message.

        Raises UnknownRecord for another engine's record that cannot be read.
        """
        subject = message.subject
        if subject == self._signals:
            signals = inputs.signals(message)
            if signals is None:
                return (article_admission.unreadable(message.sequence, now_ns),)
            return article_admission.judge(state, message.sequence, signals, now_ns)
        if subject == self._exchange:
            return _approvals(state, message, now_ns)
        if subject == self._llm:
            return _answer(state, message, now_ns)
        if subject == self._governance:
            return governance.judge(state, message.sequence, read(message).events, now_ns)
        return ()

    def on_group_end(self, state: State, inputs: Sequence[Stored], now_ns: int) -> Iterable[Event]:
        """Yield what time alone brings about."""
        return group_end.on_group_end(state, now_ns)

    def weight(self, event: all_events.Event) -> int:
        return 1

    def evolve(self, state: State, event: all_events.Event) -> None:
        """Apply one event and remember its cause, which ArticlesForgotten repeats."""
        apply_event(self.name, EVENT_HANDLERS, state, event)
        state.persisted.last_cause = event.cause

    def next_due_ns(self, state: State) -> int | None:
        return group_end.next_due_ns(state)

    def dump(self, state: State) -> bytes:
        return dump(state)

    def load(self, data: bytes) -> State:
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
        yield from review_answers.approve(state, message.sequence, checked, now_ns)
