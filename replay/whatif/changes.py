"""What is changed in a fork, and how the inputs of its engines are rewritten for it."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from schemas import subjects
from schemas.codec import encode
from schemas.errors import InputError
from schemas.events import Event
from schemas.events.exchange import ReviewersChecked
from schemas.events.governance import PolicySet, ReviewAnswered
from schemas.observations import SIGNALS
from schemas.policy import Policy
from schemas.records import EVENT_MESSAGES, Record
from schemas.stored import Stored

REASON: Final = "what if"
SIGNER: Final = "what-if"

_POLICY: Final = b'"type":"policy_set/1"'
_ANSWERS: Final = (
    b'"type":"review_answered/1"',
    b'"type":"part_approved/1"',
    b'"type":"reviewers_checked/1"',
    b'"type":"part_checked/1"',
)


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What is changed behind sequence `after`, 0 for all of the log. Answers change anywhere.

    `policy` replaces every policy, or the one in force from there on. `answers` maps a proposal
    hash, or its beginning, to whether the review is approved. People's answers to that review
    are dropped. The new answer is given where they first answered, or else as soon as the review
    opens. With `carry_answers`, people's answers to a review hold for the fork's open review of
    the same story, although its numbers are not the ones that they signed.
    """

    policy: Policy | None = None
    without_sources: tuple[str, ...] = ()
    without_articles: tuple[int, ...] = ()
    answers: dict[str, bool] = {}
    carry_answers: bool = False
    after: int = 0

    def answer_to(self, hash_: str) -> bool | None:
        """Return whether a review is approved here, None if people's answers hold."""
        return next(
            (approve for begins, approve in self.answers.items() if hash_.startswith(begins)), None
        )

    def words(self) -> list[str]:
        """Return each change in words."""
        where = f" behind sequence {self.after:,}" if self.after else ""
        policy = [] if self.policy is None else [f"policy “{self.policy.name}”{where}"]
        sources = [f"without source {name}{where}" for name in self.without_sources]
        articles = [f"without article {one}{where}" for one in self.without_articles]
        answers = [
            f"review {hash_[:16]} {'approved' if approve else 'rejected'}"
            for hash_, approve in self.answers.items()
        ]
        carried = ["answers carried to other proposals"] if self.carry_answers else []
        return [*policy, *sources, *articles, *answers, *carried] or ["nothing changed"]


class Rewriter:
    """Rewrites each input of history for the fork.

    `first` is the sequence of the first changed input, 0 for none. `carried` maps a review of
    history to the review of the fork that gets its answers.
    """

    def __init__(self, shard: str, changes: Changes, carried: Callable[[str], str]) -> None:
        self.first = 0
        self.left_out = 0
        self._carried = carried
        self._changes = changes
        self._shard = shard
        self._signals = subjects.signals(shard)

    def changed(self, sequence: int) -> None:
        """Note that the input at `sequence` was changed."""
        self.first = self.first or sequence

    def rewrite(self, message: Stored) -> Stored | None:
        """Return the message as the fork has it, None if it is left out."""
        changes, payload = self._changes, message.payload
        if message.subject == self._signals:
            if message.sequence > changes.after and self._is_left_out(message):
                self.left_out += 1
                self.changed(message.sequence)
                return None
            return message
        policy = changes.policy and message.sequence > changes.after and _POLICY in payload
        answered = changes.answers or changes.carry_answers
        answers = answered and any(tag in payload for tag in _ANSWERS)
        return self._record(message) if policy or answers else message

    def _is_left_out(self, message: Stored) -> bool:
        changes = self._changes
        if not (changes.without_sources or changes.without_articles):
            return False
        try:
            signals = SIGNALS.decode(message.payload)
        except InputError:
            return False
        return (
            signals.source in changes.without_sources or signals.article in changes.without_articles
        )

    def _record(self, message: Stored) -> Stored:
        record = EVENT_MESSAGES.decode(message.payload)
        events = [
            kept
            for event in record.events
            if (kept := self._event(event, message.sequence)) is not None
        ]
        if events == record.events:
            return message
        self.changed(message.sequence)
        return message._replace(payload=encode(msgspec.structs.replace(record, events=events)))

    def _event(self, event: Event, sequence: int) -> Event | None:
        changes = self._changes
        if isinstance(event, PolicySet) and changes.policy and sequence > changes.after:
            return msgspec.structs.replace(event, policy=changes.policy)
        if isinstance(event, ReviewAnswered | ReviewersChecked):
            return self._answer(event)
        return event

    def _answer(self, event: ReviewAnswered | ReviewersChecked) -> Event | None:
        hash_ = event.proposal_hash
        if self._changes.answer_to(hash_) is not None:
            return None
        if not self._changes.carry_answers:
            return event
        return msgspec.structs.replace(event, proposal_hash=self._carried(hash_))

    # -- synthetic messages -----------------------------------------------------------

    def policy(self, sequence: int, version: int, policy: Policy, now_ns: int) -> Stored:
        """Return a record of governance that sets `policy` under the version that was in force.

        The version is part of a proposal, so an equal proposal keeps the hash that people signed.
        """
        event = PolicySet(sequence, version, policy, REASON)
        return self._said(sequence, subjects.GOVERNANCE, [event], now_ns)

    def answer(self, sequence: int, hash_: str, symbol: str, approve: bool, now_ns: int) -> Stored:
        """Return a record of the exchange that approves, or one of governance that rejects."""
        said: dict[str, Any] = {
            "cause": sequence,
            "proposal_hash": hash_,
            "symbol": symbol,
            "reason": REASON,
            "signers": [SIGNER],
        }
        if approve:
            checked = ReviewersChecked(**said, barred=[])
            return self._said(sequence, subjects.EXCHANGE, [checked], now_ns)
        answered = ReviewAnswered(**said, approve=False, keys=[])
        return self._said(sequence, subjects.GOVERNANCE, [answered], now_ns)

    def _said(self, sequence: int, engine: str, events: Sequence[Event], now_ns: int) -> Stored:
        self.changed(sequence)
        record = Record(
            engine=engine,
            decider=f"{engine}/{REASON}",
            epoch=0,
            number=0,
            first_input=sequence,
            last_input=sequence,
            time_ns=now_ns,
            tick=False,
            events=[*events],
            state_hash=None,
            prev="",
        )
        return Stored(sequence, subjects.events(self._shard, engine), encode(record))
