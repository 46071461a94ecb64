"""Somebody who knows the formulas and would move scores without a signature."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from engines.reality import arithmetic
from schemas.events import Event
from schemas.events.governance import SourceAdded
from schemas.events.reality import ArticleGrouped, ClusterOpened, LlmRequested, ScoreChanged
from schemas.observations import Mention
from schemas.policy import Policy
from schemas.units import DAY_NS, HOUR_NS, WEEK_NS, WEIGHT_ONE_BP, round_half_even
from tests.engines.reality.venue import (
    RealityVenue,
    good_answer,
    listed,
    snapshot_id,
    source,
    titled,
)

PLAIN: Final = [f"M{n:02d}" for n in range(20)]
SENSITIVE: Final = "HOT"
BREAKING_IN: Final = 20
"""Articles of each source before it is a known one; they move nothing."""


class Move(NamedTuple):
    """A move that nobody signed; `is_new` tells whether its source was new as it came."""

    at_ns: int
    symbol: str
    source: str
    delta_e2: int
    is_new: bool


class Adversary:
    """Some sources of one trust in a venue with twenty usual markets and a sensitive one.

    `known` sources have been there for a week and have told of something else.
    """

    def __init__(self, policy: Policy, sources: int, trust_bp: int, *, known: bool) -> None:
        self.venue = RealityVenue(policy, markets=[], trusts={})
        self.trust_bp = trust_bp
        self.sources = [f"s{n}" for n in range(sources)]
        self.moves: list[Move] = []
        self.judged: Counter[str] = Counter()
        self.waiting: dict[str, str] = {}
        self.added_ns = self.venue.now_ns
        self.venue.govern(
            *(listed(symbol, initial_score_e2=0) for symbol in PLAIN),
            listed(SENSITIVE, risk_level="high", initial_score_e2=0),
            listed("OLD"),
            *(SourceAdded(1, source(name, trust_bp)) for name in self.sources),
        )
        if known:
            self._break_in()
        self.began_ns = self.venue.now_ns

    def _break_in(self) -> None:
        self.venue.wait(WEEK_NS)
        for name in self.sources:
            for _ in range(BREAKING_IN):
                self._note(self.venue.measure(name, mentions=titled("OLD")))
        assert self.moves == []

    def tell(
        self,
        name: str,
        symbols: Sequence[str],
        points_e2: int,
        *,
        like: int | None = None,
        in_title: bool = False,
    ) -> list[Event]:
        """Publish what makes about so many points of one fresh story, by the formulas."""
        age_ns, sentiment_bp = self._recipe(points_e2, in_title)
        title, body = (1, 0) if in_title else (0, 1)
        told = self.venue.measure(
            name,
            mentions=[Mention(symbol, title, body) for symbol in symbols],
            sentiment_bp=sentiment_bp,
            published_ns=self.venue.now_ns - age_ns,
            neighbours=[] if like is None else self.venue.neighbour(like),
        )
        self._note(told)
        return told

    def _recipe(self, points_e2: int, in_title: bool) -> tuple[int, int]:
        """Return an age and a sentiment; an old story weighs little, so its points can be few."""
        rules = self.venue.state.persisted
        sign = -1 if points_e2 < 0 else 1
        least_bp = 1_800 if in_title else 600  # relevance alone
        for days in range(7):
            age_ns = days * DAY_NS
            weight_e4 = arithmetic.weight_e4(self.trust_bp, 1, age_ns, rules.reality.tau_ns)
            scale = max(weight_e4 * rules.reality.points_scale_e2, 1)
            quick_bp = round_half_even(abs(points_e2) * WEIGHT_ONE_BP**2, scale)
            sentiment_bp = (quick_bp - least_bp) * 10 // 4
            if sentiment_bp > 0:
                break
        return age_ns, sign * min(max(sentiment_bp, 1), WEIGHT_ONE_BP)

    def answer(self, impact_e2: int, confidence_bp: int) -> None:
        """Let the LLM say what its articles made it say, to the oldest question."""
        if self.waiting:
            request_id = next(iter(self.waiting))
            cited = self.waiting.pop(request_id)
            self._note(self.venue.answer(request_id, good_answer(impact_e2, confidence_bp, cited)))

    def wait(self, for_ns: int) -> None:
        self._note(self.venue.wait(for_ns))

    def _note(self, told: list[Event]) -> None:
        for event in told:
            if type(event) is ScoreChanged and not event.review:
                self._moved(event)
            elif isinstance(event, ClusterOpened | ArticleGrouped):
                self.judged[event.source] += 1
            elif isinstance(event, LlmRequested):
                self.waiting[event.request_id] = snapshot_id(event.articles[-1])

    def _moved(self, event: ScoreChanged) -> None:
        is_new = event.at_ns - self.added_ns < WEEK_NS or self.judged[event.source] < BREAKING_IN
        move = Move(event.at_ns, event.symbol, event.source, event.delta_e2, is_new)
        self.moves.append(move)


def most_e2(moves: Iterable[Move], window_ns: int) -> int:
    """Return the most that moved within any window, its two ends included, both ways added up."""
    held, most, total, first = list(moves), 0, 0, 0
    for move in held:
        total += abs(move.delta_e2)
        while held[first].at_ns < move.at_ns - window_ns:
            total -= abs(held[first].delta_e2)
            first += 1
        most = max(most, total)
    return most


class Reach(NamedTuple):
    """How far an adversary came, in hundredths of a point."""

    symbol_day_e2: int
    symbol_week_e2: int
    sensitive_day_e2: int
    all_day_e2: int


SHARES: Final = (700, 600, 450, 250)
"""The points of one source's stories of one day: below each threshold, no two alike."""


def reach(policy: Policy, sources: int, trust_bp: int, *, known: bool) -> Reach:
    """Return how far some sources push one symbol, and all of them, without a signature."""
    one = _pushed(policy, sources, trust_bp, [PLAIN[0]], known=known)
    hot = _pushed(policy, sources, trust_bp, [SENSITIVE], known=known, days=1)
    all_ = _pushed(policy, sources, trust_bp, PLAIN, known=known, days=1)
    first_day = [move for move in one.moves if move.at_ns < one.began_ns + DAY_NS]
    return Reach(
        symbol_day_e2=sum(move.delta_e2 for move in first_day),
        symbol_week_e2=one.venue.score_e2(PLAIN[0]),
        sensitive_day_e2=hot.venue.score_e2(SENSITIVE),
        all_day_e2=sum(all_.venue.score_e2(symbol) for symbol in PLAIN),
    )


def _pushed(
    policy: Policy, sources: int, trust_bp: int, symbols: list[str], *, known: bool, days: int = 7
) -> Adversary:
    """Have each source tell its stories once a day, with other points each time."""
    venue = Adversary(policy, sources, trust_bp, known=known)
    for day in range(days):
        for number, name in enumerate(venue.sources):
            for share_e2 in SHARES:
                venue.tell(name, symbols, share_e2 + 7 * day - 11 * number)
        venue.wait(DAY_NS + (HOUR_NS if policy.rules().unsigned.symbol_day_e2 else 0))
    return venue
