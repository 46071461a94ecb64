"""Scenarios as text: what happens on the left, what comes of it behind `>`.

    a: daily +0.10                  daily has an article, named a, of this sentiment
       RAIN,SNOW                    it names these in its title; RAIN if nothing is said
       body 2 · kw -0.20            its text names them twice instead; keywords
       like b 0.80 · as b           it is similar to b; it has the very text of b
       old 2h · ahead 2h · undated  published so long ago, dated in the future, or at no stated time
       backlog                      it was there when its source was first read
       contrary b                   it reports the contrary of what b does
       unfit language
       note retraction · page p     its title says what it is; it stands on that page of its source
    again a                         the same measurement once more
    wait 10m
    llm enabled|disabled
    answer a RAIN +50 sure 0.80     an answer about the story that a opened; `none`, or
                                    `citing b` for what it rests on
    approve r1 · reject r1          r1 is the first review; `approve r1 barred bob`, or a part:
    approve r1 only +8.00
    trust daily 0.50 · stop daily · quarantine daily 2h · release daily
    risk RAIN high · close RAIN · resolve RAIN
    score RAIN                      > 50.00

Numbers are decimals: shares of one, or points.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from schemas.events import Event
from schemas.events.governance import (
    MarketClosed,
    MarketEdited,
    MarketResolved,
    SourceChanged,
    SourceQuarantineSet,
)
from schemas.events.reality import (
    ArticleAssessed,
    ArticleDropped,
    ArticleGrouped,
    ArticlesForgotten,
    ClusterOpened,
    ImpactAssessed,
    LlmAnswered,
    LlmModeChanged,
    LlmRequested,
    LlmSkipped,
    LlmTimedOut,
    MoveCut,
    ReviewAnswerRefused,
    ReviewClosed,
    ReviewOpened,
    ScoreChanged,
    ScoreClosed,
    ScoreSensitivitySet,
    ScoreTakenBack,
    SourceKnown,
    SourceQuarantined,
    SourceReleased,
    TellingWithdrawn,
)
from schemas.observations import Mention, SignalsMeasured
from schemas.policy import SEED_PLAN, Policy
from schemas.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, from_decimal, to_decimal
from tests.engines.reality.venue import RealityVenue, good_answer, snapshot_id, source

_ARTICLE: Final = re.compile(
    r"(?P<name>\w+): (?P<source>\w+) (?P<sentiment>[+-][\d.]+)(?P<rest>.*)"
)
_UNITS: Final = {"s": SECOND_NS, "m": MINUTE_NS, "h": HOUR_NS, "d": DAY_NS}


def _bp(text: str) -> int:
    whole, _, fraction = text.lstrip("+-").partition(".")
    value = int(whole) * 10_000 + int(fraction.ljust(4, "0"))
    return -value if text.startswith("-") else value


def _ns(text: str) -> int:
    return int(text[:-1]) * _UNITS[text[-1]]


def _share(value_bp: int) -> str:
    sign = "-" if value_bp < 0 else "+"
    return f"{sign}{abs(value_bp) // 10_000}.{abs(value_bp) % 10_000:04d}"


def _points(value_e2: int) -> str:
    return to_decimal(value_e2) if value_e2 < 0 else f"+{to_decimal(value_e2)}"


class Scenario:
    """Runs one text; `run` returns the text as it should have been."""

    def __init__(self, policy: Policy = SEED_PLAN, trusts: dict[str, int] | None = None) -> None:
        self.venue = RealityVenue(policy, trusts=trusts)
        self.articles: dict[str, SignalsMeasured] = {}
        self.names: dict[int | None, str] = {}
        self.reviews: dict[str, tuple[str, str]] = {}
        self.hashes: dict[str, str] = {}
        self.moves: dict[str, int] = {}

    def run(self, text: str) -> str:
        lines = [line.split("#")[0].strip() for line in text.strip().splitlines()]
        told: list[str] = []
        for line in lines:
            if line and not line.startswith(">"):
                told.append(line)
                told += [f"> {answer}" for answer in self._do(line)]
        self.venue.check()
        return "\n".join(told)

    def _do(self, line: str) -> Iterator[str]:
        match = _ARTICLE.fullmatch(line)
        if match is not None:
            events = self._article(match)
        else:
            verb, *words = line.split()
            if verb == "score":
                yield to_decimal(self.venue.score_e2(words[0]))
                return
            events = getattr(self, f"_{verb}")(*words)
        for event in events:
            yield from self._show(event)

    # -- what happens ----------------------------------------------------------------

    def _article(self, match: re.Match[str]) -> list[Event]:
        venue, words = self.venue, match["rest"].split()
        fields: dict[str, Any] = {"sentiment_bp": _bp(match["sentiment"])}
        symbols = words.pop(0).split(",") if words and words[0].isupper() else ["RAIN"]
        fields["mentions"] = [Mention(symbol, 1, 0) for symbol in symbols]
        rest = iter(words)
        for word in rest:
            match word:
                case "body":
                    count = int(next(rest))
                    fields["mentions"] = [Mention(symbol, 0, count) for symbol in symbols]
                case "kw":
                    fields["keywords_bp"] = _bp(next(rest))
                case "like":
                    other = self.articles[next(rest)].article
                    near = venue.neighbour(other, _bp(next(rest)))
                    fields["neighbours"] = [*fields.get("neighbours", []), *near]
                case "as":
                    fields["snapshot_id"] = self.articles[next(rest)].snapshot_id
                case _:
                    fields |= self._told(word, rest)
        signals = self.articles[match["name"]] = venue.signals(match["source"], **fields)
        self.names[signals.article] = match["name"]
        return venue.measured(signals)

    def _told(self, word: str, rest: Iterator[str]) -> dict[str, Any]:
        """Return what an article says of itself: when it was published, and what it is."""
        match word:
            case "old":
                return {"published_ns": self.venue.now_ns - _ns(next(rest))}
            case "ahead":
                return {"published_ns": self.venue.now_ns + _ns(next(rest))}
            case "undated":
                return {"published_ns": None}
            case "backlog":
                return {"backlog": True}
            case "contrary":
                return {"opposites": (self.articles[next(rest)].article,)}
            case "note":
                return {"notice": next(rest)}
            case "page" | "unfit":
                return {word: next(rest)}
        raise AssertionError(f"what is {word!r}?")

    def _again(self, name: str) -> list[Event]:
        return self.venue.measured(self.articles[name])

    def _wait(self, text: str) -> list[Event]:
        return self.venue.wait(_ns(text))

    def _llm(self, mode: str) -> list[Event]:
        return self.venue.llm(mode)

    def _answer(self, name: str, symbol: str, impact: str, *words: str) -> list[Event]:
        request_id = f"{self.articles[name].article}-{symbol}"
        if impact == "none":
            return self.venue.answer(request_id, None)
        said = dict(zip(words[::2], words[1::2], strict=True))
        cited = said.get("citing", name)
        cited_id = self.articles[cited].snapshot_id if cited != "air" else snapshot_id("air")
        impact_e2 = from_decimal(impact.lstrip("+"))
        answer = good_answer(impact_e2, _bp(said["sure"]), cited_id)
        return self.venue.answer(request_id, answer)

    def _approve(self, name: str, *words: str) -> list[Event]:
        hash_, symbol = self.reviews[name]
        assert self.venue.answered(hash_, symbol, approve=True) == []
        if words[:1] == ("only",):
            part_e2 = from_decimal(words[1].lstrip("+"))
            return self.venue.checked(hash_, symbol, part_e2=part_e2)
        return self.venue.checked(hash_, symbol, *words[1:])

    def _reject(self, name: str) -> list[Event]:
        return self.venue.answered(*self.reviews[name])

    def _trust(self, name: str, trust: str) -> list[Event]:
        return self.venue.govern(SourceChanged(1, source(name, _bp(trust))))

    def _stop(self, name: str) -> list[Event]:
        return self.venue.govern(SourceChanged(1, source(name, active=False)))

    def _quarantine(self, name: str, for_: str) -> list[Event]:
        until_ns = self.venue.now_ns + _ns(for_)
        return self.venue.govern(SourceQuarantineSet(1, name, until_ns, "it lied"))

    def _release(self, name: str) -> list[Event]:
        return self.venue.govern(SourceQuarantineSet(1, name, 0, "it did not"))

    def _risk(self, symbol: str, level: Any) -> list[Event]:
        return self.venue.govern(MarketEdited(1, symbol, "", "", [], level, 5_000, 5_000))

    def _close(self, symbol: str) -> list[Event]:
        return self.venue.govern(MarketClosed(1, symbol, ""))

    def _resolve(self, symbol: str) -> list[Event]:
        return self.venue.govern(MarketResolved(1, symbol, 10_000, ""))

    # -- what comes of it ------------------------------------------------------------

    def _show(self, event: Event) -> Iterator[str]:
        match event:
            case ClusterOpened():
                yield f"{self.names[event.article]} opens"
            case ArticleGrouped():
                like = self.names[event.neighbour]
                yield f"{self.names[event.article]} joins {like} at {_share(event.similarity_bp)}"
            case ArticleDropped():
                of = f" of {self.names[event.of]}" if event.of else ""
                yield f"{self.names[event.article]} dropped: {event.reason}{of}"
            case ArticleAssessed():
                relevance, quick = _share(event.relevance_bp), _share(event.quick_bp)
                yield f"{event.symbol} relevance {relevance} quick {quick}"
            case ImpactAssessed() | MoveCut():
                yield self._impact(event)
            case TellingWithdrawn() | ScoreTakenBack() | ScoreChanged():
                yield self._move(event)
            case ReviewOpened() | ReviewClosed() | ReviewAnswerRefused():
                yield self._review(event)
            case SourceQuarantined() | SourceReleased() | SourceKnown():
                yield self._of_a_source(event)
            case ScoreSensitivitySet():
                yield f"{event.symbol} {'sensitive' if event.sensitive else 'usual'}"
            case ScoreClosed():
                yield f"{event.symbol} closed"
            case ArticlesForgotten():
                yield "forgotten"
            case _:
                yield self._of_the_llm(event)

    def _move(self, event: TellingWithdrawn | ScoreChanged) -> str:
        if isinstance(event, TellingWithdrawn):
            told = ",".join(self.names[article] for article in event.articles)
            return f"{event.symbol} without {told} of {event.source}: {event.reason}"
        old, new = to_decimal(event.old_score_e2), to_decimal(event.new_score_e2)
        if isinstance(event, ScoreTakenBack):
            return f"{event.symbol} back {old} -> {new} of {event.source}"
        how = f" after {self.hashes[event.review]}" if event.review else ""
        return f"{event.symbol} {old} -> {new} by {event.source}{how}"

    def _of_a_source(self, event: SourceQuarantined | SourceReleased | SourceKnown) -> str:
        if isinstance(event, SourceQuarantined):
            return f"{event.source} in quarantine: {event.reason}"
        if isinstance(event, SourceReleased):
            return f"{event.source} released"
        return f"{event.source} {_share(event.trust_bp)}" + " off" * (not event.active)

    def _impact(self, event: ImpactAssessed | MoveCut) -> str:
        if isinstance(event, MoveCut):
            used, cap = to_decimal(event.used_e2), to_decimal(event.cap_e2)
            left, of = _points(event.moved_e2), _points(event.delta_e2)
            return f"{event.symbol} {left} of {of}: {used} of {event.cap} {cap} are used"
        story = f"{event.symbol} of {self.names[event.cluster]}"
        weight, confidence = _share(event.weight_e4), _share(event.confidence_bp)
        points = f"points {_points(event.points_e2)} left {_points(event.delta_e2)}"
        return f"{story}: weight {weight} {points} sure {confidence} llm {event.llm}"

    def _review(self, event: ReviewOpened | ReviewClosed | ReviewAnswerRefused) -> str:
        if isinstance(event, ReviewAnswerRefused):
            return f"{self.hashes[event.proposal_hash]} refused: {event.code}"
        if isinstance(event, ReviewClosed):
            part = event.approved_e2 != self.moves[event.proposal_hash] and event.approved_e2
            how = f" for {_points(part)}" if part else ""
            refused = f" without {event.refused}" if event.refused else ""
            return f"{self.hashes[event.proposal_hash]} {event.outcome}{how}{refused}"
        name, move = f"r{len(self.reviews) + 1}", event.proposal
        self.reviews[name] = (event.proposal_hash, move.symbol)
        self.hashes[event.proposal_hash] = name
        self.moves[event.proposal_hash] = move.delta_e2
        to = to_decimal(move.score_if_approved_e2)
        reasons = " ".join(event.reasons)
        return f"{name}: {move.symbol} {_points(move.delta_e2)} to {to} for {reasons}"

    def _of_the_llm(self, event: Event) -> str:
        match event:
            case LlmRequested():
                articles = ",".join(self.names[article] for article in event.articles)
                return f"asked about {articles}: {event.why}"
            case LlmSkipped():
                return f"not asked: {event.why}"
            case LlmAnswered():
                return f"answer {event.status}"
            case LlmTimedOut():
                return "no answer"
            case LlmModeChanged():
                return f"llm {event.mode}"
        raise AssertionError(f"how is {event} shown?")


def check(text: str, policy: Policy = SEED_PLAN, trusts: dict[str, int] | None = None) -> None:
    """Assert that a scenario comes out as it says."""
    lines = [" ".join(line.split("#")[0].split()) for line in text.strip().splitlines()]
    assert Scenario(policy, trusts).run(text) == "\n".join(line for line in lines if line)
