"""Judge what an article says about each symbol: whether it has a say, and who loses theirs.

What is said already has no say: nearly a copy of a telling that stands, to the same side, from
a source that is not trusted more. A copy by a better source takes the other's place, so that it
does not matter who speaks first; to the opposite side, both are heard. What reports the contrary of
a telling, of one that was withdrawn, too, and was measured to the same side has no say either: one
of the two was measured wrongly.
"""

from typing import NamedTuple

from engines.reality import arithmetic
from engines.reality.decide.placing import Place
from engines.reality.limits import MAX_CLUSTER_ARTICLES
from engines.reality.state import ArticleCluster, State
from engines.reality.story import Story
from schemas.events.reality import ArticleAssessed
from schemas.limits import MAX_MENTIONS
from schemas.observations import Mention, SignalsMeasured
from schemas.units import WEIGHT_ONE_BP


class Hearing(NamedTuple):
    """What an article says of a symbol, and the worse tellings whose place it takes."""

    assessed: ArticleAssessed
    replaces: list[int]


def mentions(state: State, signals: SignalsMeasured) -> dict[str, Mention]:
    """Return by symbol how often the article names open markets."""
    found: dict[str, Mention] = {}
    for mention in signals.mentions[:MAX_MENTIONS]:
        named = mention.title_count > 0 or mention.body_count > 0
        if named and mention.symbol in state.persisted.scores:
            found.setdefault(mention.symbol, mention)
    return found


def is_full(cluster: ArticleCluster | None) -> bool:
    """Tell whether no more may join a cluster but in the place of another."""
    return cluster is not None and cluster.articles >= MAX_CLUSTER_ARTICLES


def hear(state: State, sequence: int, signals: SignalsMeasured, place: Place) -> list[Hearing]:
    """Return what has a say, one for each symbol."""
    heard: list[Hearing] = []
    cluster = state.persisted.clusters.get(place.cluster)
    full = is_full(cluster)
    for mention in mentions(state, signals).values():
        assessed = _assessed(state, sequence, signals, place.cluster, mention)
        story = cluster.stories.get(mention.symbol) if cluster is not None else None
        replaces = [] if story is None else _replaces(story, assessed, place, full)
        if replaces is not None:
            heard.append(Hearing(assessed, replaces))
    return heard


def _replaces(
    story: Story, assessed: ArticleAssessed, place: Place, full: bool
) -> list[int] | None:
    """Return the tellings whose place an article takes, None if it has no say in the story."""
    if assessed.source in story.refused or _belies_itself(story, assessed, place):
        return None
    if place.notice:
        return []  # what its source told before ends in any case
    if not (place.near or full):
        return []
    same = [
        one
        for one in place.near
        if one in story.tellings and story.tellings[one].quick_bp * assessed.quick_bp >= 0
    ]
    if any(story.tellings[one].trust_bp >= assessed.trust_bp for one in same):
        return None
    if same or not full or not story.tellings:
        return same
    worst = min(story.tellings, key=lambda one: story.tellings[one].trust_bp)
    return [worst] if story.tellings[worst].trust_bp < assessed.trust_bp else None


def _belies_itself(story: Story, assessed: ArticleAssessed, place: Place) -> bool:
    """Tell whether the article is measured to the side of what it says the contrary of."""
    return any(story.side_of(one) * assessed.quick_bp > 0 for one in place.contrary)


def _assessed(
    state: State, sequence: int, signals: SignalsMeasured, cluster_id: int, mention: Mention
) -> ArticleAssessed:
    scoring = state.persisted.scoring
    sentiment_bp = arithmetic.clamp(signals.sentiment_bp, -WEIGHT_ONE_BP, WEIGHT_ONE_BP)
    keywords_bp = arithmetic.clamp(signals.keywords_bp, -WEIGHT_ONE_BP, WEIGHT_ONE_BP)
    relevance_bp = arithmetic.relevance_bp(scoring, mention.title_count, mention.body_count)
    return ArticleAssessed(
        cause=sequence,
        article=signals.article,
        cluster=cluster_id,
        symbol=mention.symbol,
        source=signals.source,
        trust_bp=state.persisted.sources[signals.source].trust_bp,
        sentiment_bp=sentiment_bp,
        keywords_bp=keywords_bp,
        relevance_bp=relevance_bp,
        quick_bp=arithmetic.quick_bp(scoring, sentiment_bp, keywords_bp, relevance_bp),
    )
