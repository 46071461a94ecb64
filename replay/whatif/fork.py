"""Run reality and pricing again, at the log's own times, on inputs that may be rewritten.

Each group of the fork covers the inputs of history's group and is decided at history's time. So
a fork without changes decides the same, to the byte. Some inputs exist only in the fork: an
answer that nobody gave, a timeout that history did not have. Reality decides these at once, at
the last time that the log shows, and pricing decides with it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec

from engines.kernel import Engine, decide_group, write
from engines.pricing import PricingEngine
from engines.pricing import inputs as pricing_inputs
from engines.reality import RealityEngine
from engines.reality.inputs import has_approvals
from replay.limits import MAX_WHATIF_WAITING
from replay.whatif.changes import Changes, Rewriter
from replay.whatif.tally import Tally
from schemas import subjects
from schemas.errors import MalformedMessage
from schemas.events import Event
from schemas.events.governance import PolicySet
from schemas.events.reality import ReviewOpened
from schemas.record_chain import Chains, Head
from schemas.records import EVENT_MESSAGES, Record, body
from schemas.stored import Stored

S = TypeVar("S")

_POLICY: Final = b'"type":"policy_set/1"'


class _RecordPosition(msgspec.Struct):
    """The fields of a record that give its place in the engine's chain and its time."""

    engine: str
    number: int
    epoch: int
    last_input: int
    time_ns: int
    prev: str
    hash: str
    signature: str


_POSITIONS: Final = msgspec.json.Decoder(_RecordPosition)


def _decode(data: bytes) -> Any:
    """Decode a record of reality or pricing in full, and only the position of any other."""
    try:
        placed = _POSITIONS.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedMessage(str(error)) from error
    whole = placed.engine in (subjects.REALITY, subjects.PRICING)
    return EVENT_MESSAGES.decode(data) if whole else placed


class _Branch(Generic[S]):
    """One engine of the fork, with the inputs that it has not decided yet."""

    def __init__(self, engine: Engine[S]) -> None:
        self.engine = engine
        self.state = engine.initial()
        self.head = Head()
        self.waiting: list[Stored] = []

    def through(self, sequence: int) -> list[Stored]:
        """Take out the inputs up to `sequence`."""
        count = 0
        while count < len(self.waiting) and self.waiting[count].sequence <= sequence:
            count += 1
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken

    def decide(
        self, inputs: Sequence[Stored], now_ns: int, like: Record | None
    ) -> Iterator[tuple[bytes, list[Event]]]:
        """Decide the inputs in one or more groups, and yield each record with its events.

        `like` is the record of history that covers the same inputs, if there is one.
        """
        now_ns = max(now_ns, self.head.time_ns)
        while True:
            group = decide_group(self.engine, self.state, inputs, now_ns)
            if group.events:
                yield self._write(inputs[: group.taken], now_ns, group.events, like), group.events
            inputs = inputs[group.taken :]
            if not inputs:
                return

    def _write(
        self, inputs: Sequence[Stored], now_ns: int, events: list[Event], like: Record | None
    ) -> bytes:
        covered = (inputs[0].sequence, inputs[-1].sequence) if inputs else None
        if like is not None:
            covered = None if like.tick else (like.first_input, like.last_input)
        epoch = self.head.epoch if like is None else like.epoch
        data, self.head = write(self.engine, self.state, self.head, epoch, covered, now_ns, events)
        return data


def _is(message: Stored | None, decided: Sequence[bytes]) -> bool:
    """Tell whether exactly one record was decided and it equals history's, to the byte."""
    if message is None or len(decided) != 1:
        return False
    return body(decided[0]) == body(message.payload)


class Fork:
    """Follows two histories along one walk: `then` is on the log, `now` is the fork.

    `answered` has, for each review that is answered otherwise, where people first answered it.
    """

    def __init__(self, shard: str, changes: Changes, answered: dict[str, int]) -> None:
        self.then, self.now = Tally(), Tally()
        self.rewriter = Rewriter(shard, changes, self._carried)
        self.differs_at = 0
        """The first sequence at which the fork decided otherwise than history, 0 for none."""
        self.unprovoked = False
        """Whether it did so before anything was changed."""
        self.never_opened = [*changes.answers]
        """Reviews that were to be answered otherwise and never opened in the fork."""
        self.deciders: dict[str, str] = {}
        """The decider of history, by engine, where the fork has another one."""
        self.carries_answers = changes.carry_answers
        self._changes = changes
        self._answered = answered
        self._to_answer: dict[str, str] = {}
        """The symbols of open reviews that will be answered otherwise."""
        self._signals, self._llm = subjects.signals(shard), subjects.llm(shard)
        self._reality = _Branch(RealityEngine(shard))
        self._pricing = _Branch(PricingEngine(shard))
        self._past = self._reality.engine.initial()
        """Reality's state in history. A timer that history has, too, waits for history's tick."""
        self._chains: Chains[Any] = Chains(_decode)
        self._subjects = {
            name: subjects.events(shard, name) for name in (subjects.REALITY, subjects.PRICING)
        }
        self._now_ns = 0
        self._policy: PolicySet | None = None
        self._policy_given = changes.policy is None or changes.after == 0
        self._prune_at = MAX_WHATIF_WAITING

    def take(self, message: Stored) -> None:
        """Take one message of history, and let the fork decide the inputs that it completes."""
        sequence, subject, _ = message
        if not self._policy_given and sequence > self._changes.after:
            self._give_policy(self._changes.after)
        if subject in (self._signals, self._llm):
            kept = self.rewriter.rewrite(message)
            if kept is not None:
                self._reality.waiting.append(kept)
            return
        record = self._chains.read(message)
        self._now_ns = max(self._now_ns, record.time_ns)
        if subject == self._subjects[subjects.REALITY]:
            self._decided_reality(message, record)
        elif subject == self._subjects[subjects.PRICING]:
            self._decided_pricing(message, record)
        elif record.engine != subjects.NOTARY:
            self._heard(message)
        self._give_answers(sequence)
        self._own_dues(sequence)

    # -- what others decided ---------------------------------------------------------

    def _heard(self, message: Stored) -> None:
        kept = self.rewriter.rewrite(message)
        if kept is None:
            return
        if _POLICY in kept.payload:
            self._note_policy(kept)
        is_exchange = subjects.last_token(message.subject) == subjects.EXCHANGE
        if not is_exchange or has_approvals(kept.payload):  # reality reads no other
            self._reality.waiting.append(kept)
        self._pricing.waiting.append(kept)
        if len(self._pricing.waiting) > self._prune_at:
            self._prune()

    def _carried(self, hash_: str) -> str:
        """Return the fork's open review of the same story and symbol, or else `hash_`."""
        then, now = self._past.persisted.reviews, self._reality.state.persisted.reviews
        asked = then.get(hash_)
        if hash_ in now or asked is None:
            return hash_
        story = asked.cluster, asked.symbol
        return next((key for key, one in now.items() if (one.cluster, one.symbol) == story), hash_)

    def _note_policy(self, message: Stored) -> None:
        for event in EVENT_MESSAGES.decode(message.payload).events:
            if isinstance(event, PolicySet):
                self._policy = event

    def _prune(self) -> None:
        """Drop inputs without an event that pricing reads: they have no effect in any state."""
        waiting = self._pricing.waiting
        self._pricing.waiting = [one for one in waiting if pricing_inputs.read(one).events]
        self._prune_at = 2 * len(self._pricing.waiting) + MAX_WHATIF_WAITING

    # -- what reality and pricing decided --------------------------------------------

    def _decided_reality(self, message: Stored, record: Record) -> None:
        self.then.take(record.events, record.time_ns)
        for event in record.events:
            self._reality.engine.evolve(self._past, event)
        self._compare_decider(record, self._reality.engine)
        inputs = [] if record.tick else self._reality.through(record.last_input)
        self._run_reality(inputs, record.time_ns, message.sequence, message, record)

    def _decided_pricing(self, message: Stored, record: Record) -> None:
        self.then.take(record.events, record.time_ns)
        self._compare_decider(record, self._pricing.engine)
        inputs = [] if record.tick else self._pricing.through(record.last_input)
        same = self._run_pricing(inputs, record.time_ns, message, record)
        self._compare(same, message.sequence)

    def _compare_decider(self, record: Record, engine: Engine[Any]) -> None:
        if record.decider != engine.decider:
            self.deciders[record.engine] = record.decider

    def _run_reality(
        self,
        inputs: Sequence[Stored],
        now_ns: int,
        sequence: int,
        message: Stored | None = None,
        like: Record | None = None,
    ) -> bool:
        """Let reality decide a group, and tell whether it wrote a record."""
        decided: list[bytes] = []
        for data, events in self._reality.decide(inputs, now_ns, like):
            decided.append(data)
            self.now.take(events, now_ns)
            self._hear_reality(events)
            stored = Stored(sequence, self._subjects[subjects.REALITY], data)
            self._pricing.waiting.append(stored)
        same = _is(message, decided)
        if not same and (decided or message is not None):
            self._compare(False, sequence)
        if not same and decided:
            self._price_now()
        return bool(decided)

    def _hear_reality(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, ReviewOpened):
                hash_ = event.proposal_hash
                if self._changes.answer_to(hash_) is not None:
                    self._to_answer[hash_] = event.proposal.symbol
                self.never_opened = [one for one in self.never_opened if not hash_.startswith(one)]

    def _run_pricing(
        self, inputs: Sequence[Stored], now_ns: int, message: Stored, like: Record
    ) -> bool:
        """Let pricing decide a group, and tell whether it wrote history's record."""
        decided: list[bytes] = []
        for data, events in self._pricing.decide(inputs, now_ns, like):
            decided.append(data)
            self.now.take(events, now_ns)
        return _is(message, decided)

    def _price_now(self) -> None:
        """Let pricing decide all queued inputs: no record of history covers the new ones."""
        inputs, self._pricing.waiting = self._pricing.waiting, []
        for _, events in self._pricing.decide(inputs, self._now_ns, None):
            self.now.take(events, self._now_ns)

    def _compare(self, same: bool, sequence: int) -> None:
        if not same and not self.differs_at:
            self.differs_at = sequence
            self.unprovoked = not self.rewriter.first

    # -- what only the fork decides --------------------------------------------------

    def _give(self, message: Stored) -> None:
        """Apply a synthetic message after all queued inputs."""
        inputs, self._reality.waiting = [*self._reality.waiting, message], []
        self._pricing.waiting.append(message)
        self._run_reality(inputs, self._now_ns, message.sequence)
        self._price_now()

    def _give_policy(self, sequence: int) -> None:
        self._policy_given = True
        if self._changes.policy is not None and self._policy is not None:
            version = self._policy.version
            self._give(self.rewriter.policy(sequence, version, self._changes.policy, self._now_ns))

    def _give_answers(self, sequence: int) -> None:
        """Answer reviews at the sequence where people did, or as soon as they open."""
        for hash_, symbol in [*self._to_answer.items()]:
            approve = self._changes.answer_to(hash_)
            if approve is None or sequence < self._answered.get(hash_, 0):
                continue
            del self._to_answer[hash_]
            self._give(self.rewriter.answer(sequence, hash_, symbol, approve, self._now_ns))

    def _own_dues(self, sequence: int) -> None:
        """Let reality tick for timers that are due in the fork and not, or later, in history."""
        engine = self._reality.engine
        while True:
            due_ns, past_ns = (
                engine.next_due_ns(self._reality.state),
                engine.next_due_ns(self._past),
            )
            if due_ns is None or due_ns > self._now_ns:
                return
            if past_ns is not None and past_ns <= due_ns:
                return
            if not self._run_reality([], self._now_ns, sequence):
                return
