"""Workload: news that moves scores, an LLM that answers, and people who approve and reject.

The observations come as ingest would append them: at least once, and sometimes again.

Invariants: what an article says counts once, however often it was observed or measured;
every measurement has one first outcome; a review ends once, and its move is applied if and
only if it was approved; scores follow from their changes; an answer of the LLM counts once.
"""

import asyncio
import random
from collections import Counter
from typing import Any, Final

from schemas import subjects
from schemas.chain import digest
from schemas.codec import encode
from schemas.decisions import AddSource, ApprovePart, ApproveReview, EnrolKey, RejectReview
from schemas.events import reality as re
from schemas.observations import (
    ArticleObserved,
    LlmAnswer,
    LlmAvailability,
    LlmCalled,
    Mention,
    Models,
    Neighbour,
    SignalsMeasured,
)
from schemas.records import EVENT_MESSAGES, Record
from schemas.sources import Source
from streams.ingest.measuring.vectors import to_text
from tests.engines.governance.people import Person
from tests.sim.decisions import SYMBOLS, Decisions
from tests.sim.world import World
from tests.streams.ingest.measuring.world import WordEmbedding

_SOURCES: Final = {"daily": 8_500, "weekly": 5_000, "tiny": 1_000}
_MODELS: Final = Models(embedding="e", sentiment="s", keywords="k", entities="n", language="l")
_NO_EMBEDDING: Final = to_text(WordEmbedding().of("nothing"))
_ARTICLES: Final = 40
_LOOK_EVERY_S: Final = 1.0


class Reviews:
    """Sources, an LLM's worker, and reviewers, one of whom trades what he judges."""

    def __init__(self, world: World, decisions: Decisions) -> None:
        self._world = world
        self._decisions = decisions
        self._dice = random.Random(f"{world.seed} reviews")
        self._insider = Person("trader0", 1000)
        self._measured: list[int] = []
        self._read = 0
        self._over = False

    async def found(self) -> None:
        """Have the sources and the insider known."""
        for name, trust_bp in _SOURCES.items():
            source = Source(
                source=name, name=name, kind="rss", url=f"https://{name}.example/feed",
                trust_bp=trust_bp,
            )  # fmt: skip
            await self._decisions.sure(AddSource, source=source)
        await self._decisions.sure(EnrolKey, key=self._insider.key, holder="insider", role="admin")

    async def drive(self) -> None:
        """Tell the news, and have them judged."""
        judging = asyncio.get_running_loop().create_task(self._judge_all())
        await self._send(
            subjects.llm("main"),
            LlmAvailability(
                mode="enabled", reason="", model="m", prompt="p", observed_ns=self._world.now_ns()
            ),
        )
        for number in range(_ARTICLES):
            await self._tell(number)
            await asyncio.sleep(self._dice.choice((0.0, 0.2, 1.0, 4.0)))
        await asyncio.sleep(3 * _LOOK_EVERY_S)
        self._over = True
        await judging

    async def _send(self, subject: str, observation: Any) -> int:
        sent = self._world.new(subject, encode(observation))
        sequence = await self._world.deliver(sent)
        if self._dice.random() < 0.2:
            await self._world.deliver(sent)
        return sequence

    async def _tell(self, number: int) -> None:
        """Have an article observed and measured, sometimes one that was seen before."""
        dice, now_ns = self._dice, self._world.now_ns()
        text = str(dice.randrange(number + 1) if dice.random() < 0.1 else number)
        name, snapshot_id = dice.choice(list(_SOURCES)), digest(text.encode())
        article = await self._send(
            subjects.articles("main"),
            ArticleObserved(
                source=name, snapshot_id=snapshot_id, locator=digest(b"at " + text.encode()),
                url=f"https://{name}.example/{text}", title=text, excerpt=text, text_chars=100,
                language="en", published_ns=now_ns, observed_ns=now_ns, via="rss",
                robots_hash="", raw="", push=None,
            ),
        )  # fmt: skip
        near = dice.choice(self._measured) if self._measured and dice.random() < 0.5 else None
        self._measured.append(article)
        await self._send(
            subjects.signals("main"),
            SignalsMeasured(
                article=article, source=name, snapshot_id=snapshot_id, published_ns=now_ns,
                observed_ns=now_ns, unfit="", detail="", language="en", language_bp=10_000,
                sentiment_bp=dice.randint(-9_000, 9_000), keywords_bp=dice.randint(-9_000, 9_000),
                keywords=[], entities=[], mentions=[Mention(dice.choice(SYMBOLS), 1, 0)],
                notice=dice.choice(("", "", "", "", "", "", "correction", "retraction")),
                neighbours=[] if near is None else [Neighbour(near, dice.randint(7_000, 9_500))],
                embedding=_NO_EMBEDDING, models=_MODELS, names_as_of=1,
                measured_ns=self._world.now_ns(),
            ),
        )  # fmt: skip

    async def _judge_all(self) -> None:
        """Answer what reality asks people and the LLM, as it comes to be on the log."""
        server = self._world.server
        subject = subjects.events("main", subjects.REALITY)
        while not self._over:
            while self._read < server.last_sequence:
                self._read += 1
                message = server.get(self._read)
                if message is not None and message.subject == subject:
                    for event in EVENT_MESSAGES.decode(message.payload).events:
                        await self._react(message.sequence, event)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _react(self, sequence: int, event: Any) -> None:
        if isinstance(event, re.ReviewOpened):
            await self._review(event)
        elif isinstance(event, re.LlmRequested) and self._dice.random() < 0.7:
            await self._answer(sequence, event)

    async def _review(self, event: re.ReviewOpened) -> None:
        """Answer a review once, twice, with two minds, or not at all."""
        dice = self._dice
        yes, no, part = ApproveReview, RejectReview, ApprovePart
        minds: list[tuple[Any, ...]] = [(), (yes,), (part,), (yes, yes), (yes, no), (no, no)]
        for kind in dice.choice(minds):
            signer = dice.choice((*self._decisions.people, self._insider))
            hash_ = "f" * 64 if dice.random() < 0.05 else event.proposal_hash
            half = {"delta_e2": event.proposal.delta_e2 // 2 or 1} if kind is part else {}
            await self._decisions.maybe(
                signer,
                kind,
                proposal_hash=hash_,
                symbol=event.proposal.symbol,
                reason="so",
                **half,
            )

    async def _answer(self, sequence: int, event: re.LlmRequested) -> None:
        now_ns = self._world.now_ns()
        answer = LlmAnswer(
            schema_version=1, summary="s", impact_e2=self._dice.randint(-9_000, 9_000),
            confidence_bp=8_000, rationale="r", snapshot_ids=[digest(b"0")],
        )  # fmt: skip
        failed = self._dice.random() < 0.1
        await self._send(
            subjects.llm("main"),
            LlmCalled(
                request=sequence, request_id=event.request_id, prompt="p", input_hash="0" * 64,
                model="m", raw_output="", answer=None if failed else answer,
                error="no answer" if failed else "", started_ns=now_ns, ended_ns=now_ns,
            ),
        )  # fmt: skip


class ReviewsCheck:
    """Follows reality's records and finds what cannot be."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.paths: Counter[str] = Counter()
        self._counted: dict[int, int] = {}
        self._outcomes: Counter[int] = Counter()
        self._open: dict[str, None] = {}
        self._ended: dict[str, str] = {}
        self._applied: Counter[str] = Counter()
        self._scores: dict[str, int] = {}
        self._answered: Counter[str] = Counter()

    def take(self, record: Record) -> None:
        """Follow one record of reality."""
        for event in record.events:
            match event:
                case re.ClusterOpened() | re.ArticleGrouped():
                    self._outcomes[event.cause] += 1
                    first = self._counted.setdefault(event.article, event.cause)
                    if first != event.cause:
                        note = f"one article counts at {first} and at {event.cause}"
                        self.problems.append(note)
                case re.ArticleDropped():
                    self._outcomes[event.cause] += 1
                    self.paths["reality: repeated article dropped"] += event.reason == "repeated"
                case re.ScoreOpened():
                    self._scores[event.symbol] = event.score_e2
                case re.ScoreTakenBack() | re.ScoreChanged():
                    self._move(event)
                case re.LlmAnswered() if event.status == "used":
                    self._answered[event.request_id] += 1
                case _:
                    self._review(event)

    def _move(self, event: re.ScoreChanged) -> None:
        if self._scores.get(event.symbol) != event.old_score_e2:
            self.problems.append(f"the score of {event.symbol} jumps at {event.cause}")
        self._scores[event.symbol] = event.new_score_e2
        if event.review:
            self._applied[event.review] += 1

    def _review(self, event: Any) -> None:
        match event:
            case re.ReviewOpened():
                if event.proposal_hash in self._open or event.proposal_hash in self._ended:
                    self.problems.append(f"review {event.proposal_hash[:12]} was opened twice")
                self._open[event.proposal_hash] = None
            case re.ReviewClosed():
                if event.proposal_hash not in self._open:
                    self.problems.append(f"review {event.proposal_hash[:12]} ended, and was closed")
                self._open.pop(event.proposal_hash, None)
                self._ended[event.proposal_hash] = event.outcome
                self.paths[f"reality: review {event.outcome}"] += 1
            case re.ReviewAnswerRefused():
                self.paths[f"reality: approval refused, {event.code}"] += 1
            case _:
                pass

    def finish(self, measurements: list[int]) -> list[str]:
        """Return all that was found; `measurements` are the sequences that need an outcome."""
        approved = {hash_: 1 for hash_, outcome in self._ended.items() if outcome == "approved"}
        if approved != dict(self._applied):
            self.problems.append(f"approved are {approved}, applied {dict(self._applied)}")
        if dict(self._outcomes) != dict.fromkeys(measurements, 1):
            wrong = [one for one in measurements if self._outcomes[one] != 1]
            self.problems.append(f"measurements without one outcome: {wrong}")
        twice = [name for name, count in self._answered.items() if count > 1]
        if twice:
            self.problems.append(f"answers of the LLM that count twice: {twice}")
        return self.problems


def measurements(world: World) -> list[int]:
    """Return where measurements stand on the log."""
    subject = subjects.signals("main")
    return [message.sequence for message in world.server.messages() if message.subject == subject]
