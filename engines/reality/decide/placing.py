"""Find where a measured article belongs: beside which earlier ones, and which of its own it ends.

An article is nearly a copy of another if they are more than `similarity_duplicate_bp` alike and
do not report contrary outcomes: one that loses is no copy of one that wins, however alike. A
later version of a source's own page, and a correction or retraction by the source that told a
story, stand for what that source told before. Nobody else's notice does: it only tells.
"""

from operator import attrgetter
from typing import Final, NamedTuple

from engines.reality.state import ArticleCluster, State, WindowArticle
from schemas.articles import Notice
from schemas.limits import MAX_NEIGHBOURS
from schemas.observations import Neighbour, SignalsMeasured
from schemas.units import WEIGHT_ONE_BP


class Place(NamedTuple):
    """Where an article belongs.

    `cluster` is the one that it joins, or opens by itself. `like` is the earlier article that it
    joins, None if it tells of something new. `near` are
    the tellings of that cluster that it is nearly a copy of, `contrary` those that it reports the
    contrary of. `notice` is what it says of its own source's tellings, empty if nothing; `ends` are
    those of them that it takes the place of.
    """

    cluster: int
    like: Neighbour | None
    near: list[int]
    contrary: list[int]
    notice: Notice
    ends: list[int]


_SIMILARITY_BP: Final = attrgetter("similarity_bp")


def place(state: State, signals: SignalsMeasured, now_ns: int) -> Place:
    """Return where a fit article belongs."""
    alike = _alike(state, signals, now_ns)
    same = other_voice(state, signals, now_ns)
    if same is not None:
        alike.append(Neighbour(same, WEIGHT_ONE_BP))
    like = max(alike, key=_SIMILARITY_BP, default=None)  # the first of equals
    prior = _earlier_version(state, signals, now_ns)
    if prior is None and signals.notice:  # it belongs to what it corrects
        own = [one for one in alike if state.persisted.window[one.article].source == signals.source]
        like = max(own, key=_SIMILARITY_BP, default=like)
    if prior is not None and signals.notice:
        like = next((one for one in alike if one.article == prior), Neighbour(prior, 0))
    if like is None:
        return _nowhere(signals)
    window = state.persisted.window
    cluster_id = window[like.article].cluster
    cluster = state.persisted.clusters[cluster_id]
    least_bp = state.persisted.reality.similarity_duplicate_bp
    near: dict[int, None] = {}
    contrary: dict[int, None] = {}
    for one in alike:
        entry = window[one.article]
        if entry.cluster != cluster_id:
            continue
        if one.article in signals.opposites:
            contrary[entry.telling] = None
        elif one.similarity_bp > least_bp:
            near[entry.telling] = None
    if prior is not None and window[prior].cluster != cluster_id:
        prior = None  # a page that tells of something else by now
    notice = signals.notice
    if not notice and prior in contrary:
        notice = "correction"
    if notice and prior is None and not _has_told(cluster, signals.source):
        notice = ""
    ends = _ended(cluster, signals.source, prior, notice)
    return Place(cluster_id, like, [*near], [*contrary], notice, ends)


def other_voice(state: State, signals: SignalsMeasured, now_ns: int) -> int | None:
    """Return the earlier article with the same content, if another source had it, in the window.

    It is a copy like any other then: whose source is trusted more has the say, not who was first.
    """
    same = state.persisted.seen.get(signals.snapshot_id)
    if same is None or signals.article < same:
        return None
    entry = _in_window(state, same, now_ns)
    return None if entry is None or entry.source == signals.source else same


def of_a_retraction(state: State, signals: SignalsMeasured, now_ns: int) -> Place:
    """Return what an article that is not fit takes back by its page, if it is a retraction."""
    prior = _earlier_version(state, signals, now_ns)
    if prior is None or signals.notice != "retraction":
        return _nowhere(signals)
    cluster_id = state.persisted.window[prior].cluster
    ends = _ended(state.persisted.clusters[cluster_id], signals.source, prior, "retraction")
    return Place(cluster_id, Neighbour(prior, 0), [], [], "retraction", ends)


def _nowhere(signals: SignalsMeasured) -> Place:
    """Return the place of an article that tells of something new."""
    return Place(signals.article, None, [], [], "", [])


def _alike(state: State, signals: SignalsMeasured, now_ns: int) -> list[Neighbour]:
    """Return the articles of the window that are similar enough to matter.

    The measurer knows more articles than the engine: those that were dropped for another
    reason than being a duplicate, and those that have left the window. They do not count.
    """
    least_bp = state.persisted.reality.similarity_group_bp
    return [
        Neighbour(one.article, min(one.similarity_bp, WEIGHT_ONE_BP))
        for one in signals.neighbours[:MAX_NEIGHBOURS]
        if one.similarity_bp >= least_bp and _in_window(state, one.article, now_ns) is not None
    ]


def _in_window(state: State, article: int, now_ns: int) -> WindowArticle | None:
    """Return an article of the window, whether or not the engine has forgotten what is past it."""
    entry = state.persisted.window.get(article)
    after_ns = now_ns - state.persisted.reality.vector_window_ns
    return entry if entry is not None and entry.at_ns > after_ns else None


def _earlier_version(state: State, signals: SignalsMeasured, now_ns: int) -> int | None:
    """Return the last article that its source had on the same page, if that was before it.

    So an article that is measured again does not end what its source told since.
    """
    if not signals.page:
        return None
    prior = state.pages.get((signals.source, signals.page), signals.article)
    earlier = prior < signals.article and _in_window(state, prior, now_ns) is not None
    return prior if earlier else None


def _has_told(cluster: ArticleCluster, source: str) -> bool:
    return any(source in story.moved_e2 for story in cluster.stories.values())


def _ended(cluster: ArticleCluster, source: str, prior: int | None, notice: Notice) -> list[int]:
    """Return the own tellings that an article ends: that of its page, or by a notice all."""
    if prior is None and not notice:
        return []
    stories = cluster.stories.values()
    if prior is not None:
        return [prior] if any(prior in story.tellings for story in stories) else []
    return [*dict.fromkeys(one for story in stories for one in story.told_in(source))]
