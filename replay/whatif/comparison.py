"""Hold a fork against history: scores, prices, reviews and clusters, then and now."""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from replay.graphs.walk import walk
from replay.limits import MAX_WHATIF_ROWS
from replay.progress import OnProgress
from replay.whatif.changes import Changes
from replay.whatif.fork import Fork
from replay.whatif.tally import Points, ReviewResult, SymbolSeries, Tally
from schemas import subjects
from schemas.errors import InputError
from schemas.events.governance import ReviewAnswered
from schemas.records import EVENT_MESSAGES
from schemas.stored import Stored
from streams.log.ports import Log

K = TypeVar("K")


class Symbol(msgspec.Struct, kw_only=True):
    """One symbol, as it ended then and would end now; None where it has no such number."""

    symbol: str
    score_then_e2: int | None
    score_now_e2: int | None
    market_then_e2: int | None
    market_now_e2: int | None
    final_then_e2: int | None
    final_now_e2: int | None
    score_changes_then: int
    score_changes_now: int

    @property
    def differs(self) -> bool:
        then = self.score_then_e2, self.market_then_e2, self.final_then_e2
        now = self.score_now_e2, self.market_now_e2, self.final_now_e2
        return (then, self.score_changes_then) != (now, self.score_changes_now)


class ReviewDifference(msgspec.Struct, kw_only=True):
    """A review that did not end the same; a state is None where it was never opened."""

    proposal_hash: str
    symbol: str
    cluster: int
    delta_e2: int
    then: str | None
    now: str | None


class Cluster(msgspec.Struct, kw_only=True):
    """A cluster that does not have the same number of articles; 0 where there is none."""

    cluster: int
    articles_then: int
    articles_now: int


class Count(msgspec.Struct, kw_only=True):
    """How many there were then, and would be now."""

    what: str
    then: int
    now: int


class Histories(msgspec.Struct, kw_only=True):
    """One symbol's numbers over time as `(time_ns, value_e2)`, thinned for a plot."""

    score_then: Points
    score_now: Points
    final_then: Points
    final_now: Points


class Comparison(msgspec.Struct, kw_only=True):
    """What a fork came to. `differs_at` is the first sequence decided otherwise, 0 for none."""

    shard: str
    through: int
    changes: list[str]
    differs_at: int
    symbols: list[Symbol]
    counts: list[Count]
    reviews: list[ReviewDifference]
    clusters: list[Cluster]
    histories: dict[str, Histories]
    notes: list[str]
    flaws: list[str]
    """Why the comparison is not to be trusted; empty if nothing speaks against it."""

    def document(self) -> dict[str, Any]:
        """Return all of it for programs; histories only of the symbols that differ."""
        whole: dict[str, Any] = msgspec.to_builtins(self)
        differing = {one.symbol for one in self.symbols if one.differs}
        told = {name: past for name, past in whole["histories"].items() if name in differing}
        return whole | {"histories": told}


async def whatif(log: Log, changes: Changes, *, progress: OnProgress | None = None) -> Comparison:
    """Run reality and pricing again over the log with `changes`, and compare.

    Raises InputError for changes that nothing on the log answers to, UnknownRecord or
    LogDiverged where the log is not what it must be.
    """
    answered = await _answered(log, changes) if changes.answers else {}
    fork = Fork(log.shard, changes, answered)
    records = [subjects.events(log.shard, engine) for engine in subjects.ENGINES]
    observed = [subjects.signals(log.shard), subjects.llm(log.shard)]
    end = await walk(log, [*records, *observed], fork.take, progress=progress)
    if changes.after >= end:
        raise InputError(f"the log ends at sequence {end}: nothing would be otherwise")
    return compare(log.shard, end, changes, fork)


async def _answered(log: Log, changes: Changes) -> dict[str, int]:
    """Return where people first answered each review that is to be answered otherwise."""
    found: dict[str, int] = {}

    def take(message: Stored) -> None:
        for event in EVENT_MESSAGES.decode(message.payload).events:
            if not isinstance(event, ReviewAnswered):
                continue
            if changes.answer_to(event.proposal_hash) is not None:
                found.setdefault(event.proposal_hash, message.sequence)

    await walk(log, [subjects.events(log.shard, subjects.GOVERNANCE)], take)
    return found


def compare(shard: str, through: int, changes: Changes, fork: Fork) -> Comparison:
    """Return what is different between both histories of a fork."""
    then, now = fork.then, fork.now
    names = _all(then.symbols, now.symbols)
    return Comparison(
        shard=shard,
        through=through,
        changes=changes.words(),
        differs_at=fork.differs_at,
        symbols=[_symbol(name, then, now) for name in names],
        counts=_counts(then, now),
        reviews=_reviews(then, now)[:MAX_WHATIF_ROWS],
        clusters=_clusters(then, now)[:MAX_WHATIF_ROWS],
        histories={name: _histories(name, then, now) for name in names},
        notes=_notes(fork),
        flaws=_flaws(fork),
    )


def _all(then: Iterable[K], now: Iterable[K]) -> list[K]:
    return [*dict.fromkeys([*then, *now])]


def _symbol(name: str, then: Tally, now: Tally) -> Symbol:
    old, new = then.symbols.get(name, SymbolSeries()), now.symbols.get(name, SymbolSeries())
    return Symbol(
        symbol=name,
        score_then_e2=old.score_e2,
        score_now_e2=new.score_e2,
        market_then_e2=old.market_price_e2,
        market_now_e2=new.market_price_e2,
        final_then_e2=old.final_price_e2,
        final_now_e2=new.final_price_e2,
        score_changes_then=old.score_changes,
        score_changes_now=new.score_changes,
    )


def _histories(name: str, then: Tally, now: Tally) -> Histories:
    old, new = then.symbols.get(name, SymbolSeries()), now.symbols.get(name, SymbolSeries())
    return Histories(
        score_then=old.scores.points(),
        score_now=new.scores.points(),
        final_then=old.finals.points(),
        final_now=new.finals.points(),
    )


def _counts(then: Tally, now: Tally) -> list[Count]:
    def count(what: str, old: int, new: int) -> Count:
        return Count(what=what, then=old, now=new)

    counts = [
        count("clusters", len(then.clusters), len(now.clusters)),
        count("articles in them", sum(then.clusters.values()), sum(now.clusters.values())),
        count("articles dropped", then.dropped, now.dropped),
        count("LLM requests", then.asked, now.asked),
        count("LLM answers used", then.answered, now.answered),
        count("LLM requests that timed out", then.timed_out, now.timed_out),
        count("reviews opened", len(then.reviews), len(now.reviews)),
    ]
    for state in ("approved", "rejected", "expired", "withdrawn", "open"):
        counts.append(count(f"reviews {state}", _in_state(then, state), _in_state(now, state)))
    return counts


def _in_state(tally: Tally, state: str) -> int:
    return sum(review.state == state for review in tally.reviews.values())


def _reviews(then: Tally, now: Tally) -> list[ReviewDifference]:
    rows = []
    for hash_ in _all(then.reviews, now.reviews):
        old, new = then.reviews.get(hash_), now.reviews.get(hash_)
        if (old and old.state) != (new and new.state):
            rows.append(_review(hash_, old, new))
    return rows


def _review(hash_: str, old: ReviewResult | None, new: ReviewResult | None) -> ReviewDifference:
    known = old or new or ReviewResult("", 0, 0)
    return ReviewDifference(
        proposal_hash=hash_,
        symbol=known.symbol,
        cluster=known.cluster,
        delta_e2=known.delta_e2,
        then=old.state if old else None,
        now=new.state if new else None,
    )


def _clusters(then: Tally, now: Tally) -> list[Cluster]:
    rows = []
    for cluster in _all(then.clusters, now.clusters):
        old, new = then.clusters.get(cluster, 0), now.clusters.get(cluster, 0)
        if old != new:
            rows.append(Cluster(cluster=cluster, articles_then=old, articles_now=new))
    return rows


def _notes(fork: Fork) -> list[str]:
    notes = [
        "Orders and trades stand as they were: what people would have done at other prices is "
        "not guessed.",
        "What people answered is carried to what the fork proposes of the same story."
        if fork.carries_answers
        else "What people answered holds for exactly the proposal that they signed; where the fork "
        "proposes another move, nobody has answered it.",
        "The LLM is not asked again: a request that was never made has no answer and times out.",
    ]
    if fork.rewriter.left_out:
        notes.append(f"{fork.rewriter.left_out:,} measurements were left out.")
    unmatched = fork.now.unmatched - fork.then.unmatched
    if unmatched > 0:
        notes.append(f"{unmatched:,} answers of people found no such review in the fork.")
    notes += [f"no review {hash_} was opened in the fork" for hash_ in fork.never_opened]
    return notes


def _flaws(fork: Fork) -> list[str]:
    flaws = [
        f"{decider} decided history, and this is another {engine}: differences may be its doing"
        for engine, decider in fork.deciders.items()
    ]
    if fork.unprovoked:
        flaws.append(
            f"the fork differs at sequence {fork.differs_at:,}, before anything was changed: "
            "run `everything verify`"
        )
    return flaws
