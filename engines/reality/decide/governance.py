"""Decide: what a record of governance changes: rules, markets, sources, rejected reviews."""

from collections.abc import Iterator
from typing import Final, cast, get_args

from engines.reality.decide import review_answers, reviews
from engines.reality.state import State
from schemas.decisions import RiskLevel
from schemas.events import Event as AnyEvent
from schemas.events.governance import (
    MarketClosed,
    MarketEdited,
    MarketListed,
    MarketResolved,
    PolicySet,
    ReviewAnswered,
    SourceAdded,
    SourceChanged,
    SourceQuarantineSet,
)
from schemas.events.reality import (
    Event,
    RulesSet,
    ScoreClosed,
    ScoreOpened,
    ScoreSensitivitySet,
    SourceKnown,
    SourceQuarantined,
    SourceReleased,
)
from schemas.limits import MAX_DETAIL_CHARS
from schemas.sources import Source
from schemas.texts import clean

_Relevant = (
    PolicySet
    | MarketListed
    | MarketEdited
    | MarketClosed
    | MarketResolved
    | SourceAdded
    | SourceChanged
    | SourceQuarantineSet
    | ReviewAnswered
)
_RELEVANT: Final = frozenset(get_args(_Relevant))


def judge(state: State, sequence: int, events: list[AnyEvent], now_ns: int) -> Iterator[Event]:
    """Yield what the events of one record change."""
    for event in events:
        if type(event) in _RELEVANT:
            yield from _judge(state, sequence, cast(_Relevant, event), now_ns)


def _judge(state: State, sequence: int, event: _Relevant, now_ns: int) -> Iterator[Event]:
    match event:
        case PolicySet():
            rules = event.policy.rules()
            yield RulesSet(
                cause=sequence,
                policy_version=event.version,
                reality=rules.reality,
                scoring=rules.scoring,
                safeguards=rules.safeguards,
                llm=rules.llm,
                unsigned=rules.unsigned,
                backlog=rules.backlog,
            )
        case MarketListed():
            political = event.market_type == "political"
            sensitive = _is_sensitive(political, event.risk_level)
            yield ScoreOpened(
                cause=sequence,
                symbol=event.symbol,
                score_e2=event.initial_score_e2,
                political=political,
                sensitive=sensitive,
            )
        case MarketEdited():
            yield from _edited(state, sequence, event)
        case MarketClosed() | MarketResolved():
            if event.symbol in state.persisted.scores:
                yield from reviews.withdraw_all(state, sequence, event.symbol)
                yield ScoreClosed(sequence, event.symbol)
        case SourceAdded() | SourceChanged():
            yield _known(state, sequence, event.source, now_ns)
        case SourceQuarantineSet():
            yield from _quarantine(state, sequence, event)
        case ReviewAnswered():
            if not event.approve:  # an approval waits for the exchange's ReviewersChecked
                yield from review_answers.reject(state, sequence, event, now_ns)


def _known(state: State, sequence: int, told: Source, now_ns: int) -> SourceKnown:
    """Return what is known of a source; how long it is known does not change with it."""
    known = state.persisted.sources.get(told.source)
    return SourceKnown(
        cause=sequence,
        source=told.source,
        trust_bp=told.trust_bp,
        active=told.active,
        since_ns=now_ns if known is None else known.since_ns,
    )


def _is_sensitive(political: bool, risk_level: RiskLevel) -> bool:
    return political or risk_level == "high"


def _edited(state: State, sequence: int, event: MarketEdited) -> Iterator[Event]:
    score = state.persisted.scores.get(event.symbol)
    if score is None:
        return
    sensitive = _is_sensitive(score.political, event.risk_level)
    if sensitive != score.sensitive:
        yield ScoreSensitivitySet(sequence, event.symbol, sensitive)


def _quarantine(state: State, sequence: int, event: SourceQuarantineSet) -> Iterator[Event]:
    if event.source not in state.persisted.sources:
        return
    if event.until_ns:
        reason = clean(event.reason, MAX_DETAIL_CHARS)
        yield SourceQuarantined(
            cause=sequence,
            source=event.source,
            until_ns=event.until_ns,
            reason="decision",
            detail=reason,
        )
    else:
        yield SourceReleased(sequence, event.source)
