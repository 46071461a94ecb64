"""News: articles and what followed from them, as ingest and the reality engine would write it.

The dice of a seed decide. `News` remembers the state of everything, so that tables can be
compared with it; the numbers are made up, for nothing here computes a score.
"""

import random
from dataclasses import dataclass, field
from typing import Any

import msgspec

from schemas import subjects
from schemas.articles import locator, snapshot_id
from schemas.chain import digest
from schemas.codec import encode
from schemas.events import Event, pricing, reality
from schemas.events import governance as gov
from schemas.jobs import FetchPage
from schemas.observations import (
    ArticleObserved,
    JobGivenUp,
    JobRetried,
    LlmAnswer,
    LlmAvailability,
    LlmCalled,
    Observation,
    SourceFetched,
)
from schemas.sources import Source
from schemas.units import HOUR_NS

UNKNOWN_SOURCE = "nobody"
MOST_OPEN = 5


def subject_of(observation: Observation, shard: str = "main") -> str:
    match observation:
        case ArticleObserved():
            return subjects.articles(shard)
        case SourceFetched():
            return subjects.fetches(shard, observation.source)
        case JobGivenUp() | JobRetried():
            return subjects.job_fates(shard, observation.source)
        case LlmCalled() | LlmAvailability():
            return subjects.llm(shard)
        case _:
            raise AssertionError(f"not projected: {observation}")


def article(source: str, title: str, at_ns: int) -> ArticleObserved:
    url = f"https://{source}.test/{digest(title.encode())[:8]}"
    return ArticleObserved(
        source=source, snapshot_id=snapshot_id(title, "text"), locator=locator(url, at_ns), url=url,
        title=title, excerpt="never in a table", text_chars=4, language="en", published_ns=at_ns,
        observed_ns=at_ns, via="rss", robots_hash="r" * 64, raw="", push=None,
    )  # fmt: skip


def fetched(source: str, outcome: Any, at_ns: int, new: int = 0) -> SourceFetched:
    problem = "" if outcome in ("fetched", "unchanged") else "too_slow"
    return SourceFetched(
        source=source, url=f"https://{source}.test/feed", what="source", outcome=outcome,
        problem=problem, detail="", status=200, body_bytes=10, items=new, new_articles=new,
        robots_hash="", started_ns=at_ns, ended_ns=at_ns,
    )  # fmt: skip


def given_up(source: str, path: str, at_ns: int, reason: str = "unreachable") -> JobGivenUp:
    url = f"https://{source}.test/{path}"
    job = FetchPage(
        source=source, url=url, title="It\0 rains", language="en", published_ns=None,
        wanted_by="robot", asked_ns=at_ns,
    )  # fmt: skip
    return JobGivenUp(
        source=source, url=url, job=job, queue="page", attempts=5, reason=reason,
        detail="ConnectTimeout", status=0, given_up_ns=at_ns,
    )  # fmt: skip


def retried(letter: JobGivenUp, given_up: int, at_ns: int) -> JobRetried:
    return JobRetried(
        source=letter.source, url=letter.url, given_up=given_up, reason="the site is back",
        key="KEY1", body="{}", signature="s", retried_ns=at_ns,
    )  # fmt: skip


def called(request_id: str, request: int, summary: str | None, at_ns: int) -> LlmCalled:
    answer = None
    if summary is not None:
        answer = LlmAnswer(
            schema_version=1, summary=summary, impact_e2=-2_550, confidence_bp=7_000,
            rationale="be\0cause", snapshot_ids=["s" * 64],
        )  # fmt: skip
    return LlmCalled(
        request=request, request_id=request_id, prompt="impact/1", input_hash="i" * 64,
        model="tiny@abc", raw_output="{\0", answer=answer, error="" if answer else "not JSON",
        started_ns=at_ns, ended_ns=at_ns + 5,
    )  # fmt: skip


def source_of(name: str, **fields: Any) -> Source:
    url = f"https://{name}.test/feed"
    return Source(source=name, name=f"The {name}", kind="rss", url=url, **fields)


@dataclass
class EventInNews:
    """What is known of one event (`<cluster>-<symbol>`)."""

    cluster: int
    symbol: str
    summary: str
    state: str = "candidate"
    articles: list[int] = field(default_factory=list)
    requested: int = 0
    review: str = ""


@dataclass
class News:
    """What the world said. `scribe` is the story's, so that all of it is one log."""

    scribe: Any
    symbols: list[str]
    seed: int = 0
    sources: list[str] = field(default_factory=list)
    titles: dict[int, str] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)
    outcomes: dict[int, str] = field(default_factory=dict)
    events: dict[str, EventInNews] = field(default_factory=dict)
    reviews: dict[str, str] = field(default_factory=dict)
    proposals: dict[str, reality.Proposal] = field(default_factory=dict)
    audited: dict[str, str] = field(default_factory=dict)
    scores: dict[str, int] = field(default_factory=dict)
    moves: int = 0
    fetches: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def observe(self, *observations: Observation) -> int:
        """Append observations in one batch; return the sequence of the last."""
        messages = [(subject_of(one), encode(one)) for one in observations]
        last: int = self.scribe.server.store(messages)
        return last

    def begin(self, sources: int = 3) -> None:
        """Add sources, open the scores, and let the LLM's worker say that it is there."""
        names = [f"source{number}" for number in range(sources)]
        self.observe(fetched(names[0], "failed", self.scribe.time_ns))  # counts for nothing
        cause = self.scribe.command()
        added = [gov.SourceAdded(cause, source_of(name, trust_bp=8_500)) for name in names]
        record = self.scribe.write("governance", *added)
        opened = [
            reality.ScoreOpened(record, symbol, 5_000, political=True, sensitive=True)
            for symbol in self.symbols
        ]
        known = [reality.SourceKnown(record, name, 8_500, True, 0) for name in names]
        self.scribe.write("reality", *opened, *known)
        self.observe(
            LlmAvailability(
                mode="enabled", reason="", model="tiny@abc", prompt="impact/1",
                observed_ns=self.scribe.time_ns,
            )
        )  # fmt: skip
        self.scribe.write("reality", reality.LlmModeChanged(record, "enabled", "a worker", None))
        self.sources += names
        self.fetches = {name: [0, 0, 0] for name in names}
        self.scores = dict.fromkeys(self.symbols, 5_000)

    def happen(self, steps: int) -> None:
        """Let the world go on for some steps."""
        for _ in range(steps):
            self.scribe.time_ns += self.dice.randrange(1, HOUR_NS // 10)
            step = self.dice.choice(
                [self.fetch, self.fetch, self.decide, self.decide, self.ask, self.answer, self.odd]
            )
            step()

    def one_of_each(self) -> None:
        """Make sure that everything has happened once, whatever the dice said."""
        self.fetch(kind="fetched", new=3)
        self.decide()
        self.move("pending_review")
        self.close("rejected")
        self.move("applied")
        self.odd()
        self.ask()
        self.give_up()
        for one in [key for key, told in self.events.items() if told.requested][:1]:
            self.reply(one, "The LLM's words")

    # -- fetching ------------------------------------------------------------------

    def fetch(self, kind: str = "", new: int = 0) -> None:
        name = self.dice.choice(self.sources)
        kind = kind or self.dice.choice(["fetched", "fetched", "unchanged", "failed", "refused"])
        count = new or (self.dice.randrange(1, 4) if kind == "fetched" else 0)
        now = self.scribe.time_ns
        titles = [f'S0 and "S1"\0 rise\t\\ \u00e9 {self.dice.random()}' for _ in range(count)]
        if titles and self.dice.random() < 0.3:
            titles.append(titles[0])  # as after a crash
        found = [article(name, title, now) for title in titles]
        last = self.observe(*found, fetched(name, kind, now, len(found)))
        for offset, title in enumerate(titles):
            sequence = last - len(titles) + offset
            self.titles[sequence] = title.replace("\0", "\ufffd")
            self.waiting.append(sequence)
            self.outcomes[sequence] = "observed"
        tally = self.fetches[name]
        tally[0] += 1
        tally[1] += kind in ("failed", "refused")
        tally[2] += len(titles)

    def give_up(self) -> None:
        """Leave a job of each status, all in one stretch of the log, and what cannot be read."""
        name, now = self.sources[0], self.scribe.time_ns
        letters = [given_up(name, path, now) for path in ("dead", "retried", "done", "again")]
        first = self.observe(*letters) - len(letters) + 1
        tried = [retried(one, first + 1 + at, now + 1) for at, one in enumerate(letters[1:])]
        stranger = retried(given_up(UNKNOWN_SOURCE, "never", now), 7, now)
        self.observe(stranger, *tried)
        pages = [
            msgspec.structs.replace(fetched(name, "fetched", now + 2, 1), what="page", url=one.url)
            for one in (*letters[2:], given_up(name, "at-once", now))
        ]
        self.observe(*pages, given_up(name, "again", now + 3, "robots"))
        self.scribe.server.store([(f"main.obs-job.{name}", b'{"type":"job_given_up/9"}')])
        tally = self.fetches[name]
        tally[0] += len(pages)

    # -- deciding ------------------------------------------------------------------

    def decide(self) -> None:
        """Decide on some waiting articles in one record."""
        taken, self.waiting = self.waiting[:3], self.waiting[3:]
        decided: list[Event] = []
        for one in taken:
            decided += self._decide(one, self.scribe.next_sequence - 1)
        if decided:
            self._write(decided)

    def _decide(self, one: int, cause: int) -> list[Event]:
        roll, name = self.dice.random(), self.sources[0]
        clusters = sorted({told.cluster for told in self.events.values()})
        if roll < 0.3:
            self.outcomes[one] = "dropped"
            return [dropped(cause, one, name, "duplicate", "no\0")]
        self.outcomes[one] = "grouped"
        if roll < 0.6 and clusters:
            cluster = self.dice.choice(clusters)
            joined: Event = grouped(cause, one, name, cluster)
        else:
            cluster = one
            joined = opened(cause, one, name)
        decided: list[Event] = [joined]
        for symbol in self.symbols:
            decided.append(assessed(cause, one, cluster, symbol, name))
            decided += self._assess(cause, cluster, symbol, one)
        return decided

    def _assess(self, cause: int, cluster: int, symbol: str, one: int) -> list[Event]:
        key = f"{cluster}-{symbol}"
        told = self.events.setdefault(key, EventInNews(cluster, symbol, self.titles[cluster]))
        if one not in told.articles:
            told.articles.append(one)
        asks = self.dice.random() < 0.3
        delta = 0 if asks else self.dice.choice([0, 300])
        impact = impact_of(cause, cluster, symbol, one, delta, "waiting" if asks else "not_needed")
        if asks or delta:
            told.state = "pending_review" if told.state == "pending_review" else "candidate"
        elif told.state == "candidate":
            told.state = "final"
        if not asks:
            return [impact, *(self._move(told, cause) if delta else [])]
        told.requested = cause
        now = self.scribe.time_ns
        request = reality.LlmRequested(
            cause=cause, request_id=key, cluster=cluster, symbol=symbol, articles=[one],
            quick_bp=-5, why="quick_score", at_ns=now, deadline_ns=now + HOUR_NS,
        )  # fmt: skip
        return [impact, request]

    def _move(self, told: EventInNews, cause: int, how: str = "") -> list[Event]:
        is_open = len([one for one in self.reviews.values() if one == "open"])
        how = how or self.dice.choice(["applied", "pending_review", "held"])
        if how == "applied" and told.state != "pending_review":
            told.state = "final"
            return [self._change(told, cause, "")]
        if how == "pending_review" and not told.review and is_open < MOST_OPEN:
            return [self._open(told, cause)]
        return []

    def _change(self, told: EventInNews, cause: int, review: str) -> Event:
        old = self.scores[told.symbol]
        new = self.scores[told.symbol] = (old + 137) % 10_000
        self.moves += 1
        return reality.ScoreChanged(
            cause, told.symbol, told.cluster, told.articles[-1], "source0", old, new, new - old,
            6_000 + self.moves % 100, review, at_ns=self.scribe.time_ns,
        )  # fmt: skip

    def _open(self, told: EventInNews, cause: int) -> Event:
        now = self.scores[told.symbol]
        proposal = reality.Proposal(
            symbol=told.symbol, cluster=told.cluster, articles=list(told.articles),
            sources=["source0", "source1"], cause=cause, policy_version=1, quick_bp=-5,
            weight_e4=12_345, points_e2=-1_800, delta_e2=-1_750, score_now_e2=now,
            score_if_approved_e2=max(now - 1_750, 0), confidence_bp=6_000, llm="not_needed",
        )  # fmt: skip
        hash_ = digest(encode(proposal))
        told.state, told.review = "pending_review", hash_
        self.reviews[hash_], self.proposals[hash_] = "open", proposal
        return reality.ReviewOpened(
            cause, hash_, proposal, ["suspicious_delta"], "17.50 > 15.00", "source0",
            self.scribe.time_ns + HOUR_NS,
        )  # fmt: skip

    def _write(self, decided: list[Event]) -> int:
        """Append a reality record, and what pricing makes of the reviews that it opens."""
        record: int = self.scribe.write("reality", *decided)
        priced = [
            pricing.ProposalPriced(record, one.proposal_hash, one.proposal.symbol, 5_100, 4_300)
            for one in decided
            if isinstance(one, reality.ReviewOpened)
        ]
        blends = [
            pricing.BlendSet(record, one.symbol, 5_000, 5_000, one.new_score_e2)
            for one in decided
            if isinstance(one, reality.ScoreChanged)
        ]
        if priced or blends:
            self.scribe.write("pricing", *priced, *blends)
        return record

    def move(self, how: str) -> None:
        """Assess a new cluster and move, or propose to move, the last symbol for it."""
        self.fetch("fetched", 1)
        one = self.waiting.pop()
        cause, symbol = self.scribe.next_sequence - 1, self.symbols[-1]
        self.outcomes[one] = "grouped"
        told = self.events[f"{one}-{symbol}"] = EventInNews(
            one, symbol, self.titles[one], articles=[one]
        )
        moved = (
            self._open(told, cause) if how == "pending_review" else self._change(told, cause, "")
        )
        told.state = "pending_review" if how == "pending_review" else "final"
        self._write(
            [
                opened(cause, one, "source0"),
                assessed(cause, one, one, symbol, "source0"),
                impact_of(cause, one, symbol, one, 137, "not_needed"),
                moved,
            ]
        )

    # -- people --------------------------------------------------------------------

    def answer(self) -> None:
        self.close(self.dice.choice(["approved", "rejected", "expired", "withdrawn", "refused"]))

    def close(self, outcome: Any) -> None:
        waiting = [hash_ for hash_, status in self.reviews.items() if status == "open"]
        if not waiting:
            return
        hash_ = waiting[-1]
        told = next(one for one in self.events.values() if one.review == hash_)
        cause = self.scribe.command()
        if outcome == "refused":
            why = ("holds_the_symbol", "acct0")
            self._write([reality.ReviewAnswerRefused(cause, hash_, told.symbol, *why)])
            self._write([reality.ReviewAnswerRefused(cause, "no such", told.symbol, "x", "")])
            return
        signers = ["KEY1"] if outcome in ("approved", "rejected") else []
        closed: Event = reality.ReviewClosed(
            cause=cause, proposal_hash=hash_, symbol=told.symbol, cluster=told.cluster,
            outcome=outcome, signers=signers, reason="seen\0",
            approved_e2=100 if outcome == "approved" else 0,
            refused="source0" if outcome == "rejected" else "",
        )  # fmt: skip
        moved = [self._change(told, cause, hash_)] if outcome == "approved" else []
        told.state = "final" if outcome == "approved" else outcome
        told.review = ""
        self.reviews[hash_] = outcome
        self.audited[hash_] = told.summary
        self._write([closed, *moved])

    # -- the LLM -------------------------------------------------------------------

    def ask(self) -> None:
        keys = [key for key, told in self.events.items() if told.requested]
        if keys:
            words = [None, f"words {self.dice.random()}"]
            self.reply(self.dice.choice(keys), self.dice.choice(words))

    def reply(self, key: str, summary: str | None) -> None:
        """Record a call, sometimes twice, and let the engine go on."""
        told = self.events[key]
        calls = [called(key, told.requested, summary, self.scribe.time_ns)]
        calls *= self.dice.choice([1, 1, 2])
        last = self.observe(*calls)
        first = last - len(calls) + 1
        told.requested = 0
        status: Any = "invalid" if summary is None else "used"
        decided: list[Event] = [reality.LlmAnswered(first, key, status, -2_550, 7_000)]
        if summary is not None:
            told.summary = summary
        one = told.articles[-1]
        decided.append(impact_of(first, told.cluster, told.symbol, one, 500, "used"))
        if told.state != "pending_review":
            told.state = "candidate"
            decided += self._move(told, first)
        if len(calls) > 1:
            decided.append(reality.LlmAnswered(last, key, "unknown", 0, 0))
        self._write(decided)

    # -- what should not happen and does -------------------------------------------

    def odd(self) -> None:
        """Append what breaks rules: it leaves no rows, or changes nothing."""
        server, name = self.scribe.server, self.sources[-1]
        now = self.scribe.time_ns
        server.store([("main.obs.article", b'{"type":"article_observed/1"}')])
        server.store([("main.obs.llm", b"\xff")])
        bad = article(name, "a title", 2**70)
        server.store([("main.obs.article", encode(bad))])
        long = called("x" * 5_000, 1, "s", now)
        server.store([("main.obs.llm", encode(long))])
        self.observe(fetched(UNKNOWN_SOURCE, "failed", now), called("7-S0", 1, "s", now))
        cause, ahead = self.scribe.next_sequence - 1, self.scribe.next_sequence + 1
        repeated = [
            dropped(cause, one, name, "repeated")
            for one, outcome in self.outcomes.items()
            if outcome != "observed"
        ]
        self.scribe.write(
            "reality",
            *repeated[:3],
            dropped(cause, ahead, name, "failed"),
            dropped(cause, 0, "", "unreadable"),
            reality.SourceQuarantined(cause, name, now + HOUR_NS, "rate", "61 in an hour"),
            reality.LlmModeChanged(cause, "degraded", "4 of 20 failed", now + HOUR_NS),
        )
        self.fetch("fetched", 1)
        if self.dice.random() < 0.5:
            self.scribe.write("reality", reality.SourceReleased(cause, name))
            changed = source_of(name, trust_bp=4_000, active=False)
            self.scribe.write("governance", gov.SourceChanged(self.scribe.command(), changed))


def dropped(
    cause: int, one: int, source: str, reason: reality.DropReason, detail: str = ""
) -> reality.ArticleDropped:
    return reality.ArticleDropped(
        cause=cause, article=one, source=source, snapshot_id="s", reason=reason, of=None,
        similarity_bp=9_000, detail=detail, at_ns=1,
    )  # fmt: skip


def opened(cause: int, one: int, source: str) -> reality.ClusterOpened:
    return reality.ClusterOpened(
        cause=cause, article=one, source=source, snapshot_id="s", published_ns=1, observed_ns=1,
        at_ns=1, page="p",
    )  # fmt: skip


def grouped(cause: int, one: int, source: str, cluster: int) -> reality.ArticleGrouped:
    return reality.ArticleGrouped(
        cause=cause, article=one, source=source, snapshot_id="s", published_ns=1, observed_ns=1,
        at_ns=1, cluster=cluster, neighbour=cluster, similarity_bp=8_000,
        page="",
    )  # fmt: skip


def assessed(
    cause: int, one: int, cluster: int, symbol: str, source: str
) -> reality.ArticleAssessed:
    return reality.ArticleAssessed(
        cause=cause, article=one, cluster=cluster, symbol=symbol, source=source, trust_bp=8_500,
        sentiment_bp=-100, keywords_bp=200, relevance_bp=300, quick_bp=-5,
    )  # fmt: skip


def impact_of(
    cause: int, cluster: int, symbol: str, one: int, delta_e2: int, llm: Any
) -> reality.ImpactAssessed:
    return reality.ImpactAssessed(
        cause=cause, cluster=cluster, symbol=symbol, article=one, quick_bp=-550, trust_bp=8_500,
        independent_sources=2, related=3, age_ns=5 * HOUR_NS, weight_e4=20_282, computed_e2=-1_100,
        points_e2=-1_150, counted_e2=-50, delta_e2=delta_e2, confidence_bp=9_338, llm=llm,
        policy_version=1, llm_trust_bp=8_500,
    )  # fmt: skip
