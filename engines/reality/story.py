"""A story: what the articles of one cluster tell of one symbol."""

from functools import cached_property
from typing import Final, Literal

import msgspec

from engines.reality.arithmetic import clamp

StoryLlm = Literal["", "waiting", "used", "invalid", "failed"]
"""The result of asking the LLM about a story; empty before it is asked."""
_LONG_AGO_NS: Final = -(2**63)
"""A time before any telling's."""


class Telling(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What one article tells of a symbol, and the trust that its source had as it came."""

    source: str
    trust_bp: int
    quick_bp: int
    published_ns: int


class Sums(msgspec.Struct, gc=False):
    """What tellings come to together.

    `sources` has the trust of each source as of its last telling, `source_trust_bp` the sum of
    these. `trust_bp` and `weighed_quick` are sums over the tellings: of trust, and of trust times
    quick_score. `published_ns` is the newest.
    """

    sources: dict[str, int] = {}
    source_trust_bp: int = 0
    trust_bp: int = 0
    weighed_quick: int = 0
    published_ns: int = _LONG_AGO_NS

    def add(self, telling: Telling) -> None:
        """Add the newest telling."""
        source, trust_bp = telling.source, telling.trust_bp
        self.source_trust_bp += trust_bp - self.sources.get(source, 0)
        self.sources[source] = trust_bp
        self.trust_bp += trust_bp
        self.weighed_quick += trust_bp * telling.quick_bp
        self.published_ns = max(self.published_ns, telling.published_ns)


class Story(msgspec.Struct, array_like=True, dict=True):
    """The tellings that have a say, by article, and what they did to the score.

    `moved_e2` has each source that ever told the story, and what the moves charged to it come to
    now, those taken back subtracted; their sum is `applied_e2`. The tellings of `refused` sources
    have no say. A move that was proposed and not approved is in `refused_up_e2` or
    `refused_down_e2`; `told_by` is how many sources had told the story then. `asked_about`
    are the articles that the LLM was given. `review` is the hash of the proposal that waits,
    empty for none. `withdrawn` has the quick_score of tellings that lost their say. What is cached
    follows from the fields, and a snapshot does not hold it.
    """

    tellings: dict[int, Telling] = {}
    moved_e2: dict[str, int] = {}
    refused: tuple[str, ...] = ()
    applied_e2: int = 0
    refused_up_e2: int = 0
    refused_down_e2: int = 0
    told_by: int = 0
    asked: StoryLlm = ""
    asked_about: tuple[int, ...] = ()
    impact_e2: int = 0
    confidence_bp: int = 0
    review: str = ""
    withdrawn: dict[int, int] = {}

    @property
    def articles(self) -> list[int]:
        """The articles that have a say, the oldest first."""
        return [*self.tellings]

    @cached_property
    def sums(self) -> Sums:
        """The sums over the tellings; computed again only after one was withdrawn."""
        sums = Sums()
        for telling in self.tellings.values():
            sums.add(telling)
        return sums

    @property
    def sources(self) -> dict[str, int]:
        """The sources of the tellings, and the trust of each as of its last one."""
        return self.sums.sources

    @property
    def charged(self) -> str:
        """The source of the newest telling, to which the next move is charged."""
        return next(reversed(self.tellings.values())).source

    @property
    def told_by_more(self) -> bool:
        """Whether a source has told it that had not as a move was refused."""
        return len(self.moved_e2) > self.told_by

    def told_in(self, source: str) -> list[int]:
        """Return the articles by which `source` has a say."""
        return [article for article, one in self.tellings.items() if one.source == source]

    def side_of(self, article: int) -> int:
        """Return the quick_score of an article that tells the story, or once did; else 0."""
        telling = self.tellings.get(article)
        return self.withdrawn.get(article, 0) if telling is None else telling.quick_bp

    def left_e2(self, points_e2: int) -> int:
        """Return how far the story's points are from what it has moved the score.

        Points that a person refused, or let expire, are not proposed again as long as nobody
        else tells them: the points have to go beyond them, and only the part beyond counts.
        """
        if self.told_by_more:
            return points_e2 - self.applied_e2
        above = points_e2 - (self.applied_e2 + self.refused_up_e2)
        below = points_e2 - (self.applied_e2 - self.refused_down_e2)
        return max(above, 0) + min(below, 0)

    def refused_before_e2(self, delta_e2: int) -> int:
        """Return how much of a move to the side of `delta_e2` was refused and is proposed again."""
        if not self.told_by_more:
            return 0
        return self.refused_up_e2 if delta_e2 > 0 else self.refused_down_e2

    def gone_e2(self, source: str) -> int:
        """Return what `source` and those who do not tell the story any more moved the score."""
        telling = self.sources
        return sum(
            moved_e2
            for name, moved_e2 in self.moved_e2.items()
            if name == source or name not in telling
        )

    def back_e2(self, points_e2: int, source: str) -> int:
        """Return the move that undoes what is gone and `points_e2` do not bear out."""
        gone_e2 = self.gone_e2(source)
        return clamp(points_e2 - self.applied_e2, min(-gone_e2, 0), max(-gone_e2, 0))

    def tell(self, article: int, telling: Telling) -> None:
        """Let an article have a say. Told a second time, it replaces what it told."""
        if article in self.tellings:
            self._forget_sums()
        else:
            self.sums.add(telling)
        self.tellings[article] = telling
        self.withdrawn.pop(article, None)
        self.moved_e2.setdefault(telling.source, 0)

    def withdraw(self, articles: list[int]) -> None:
        """Let articles have no say any more; nor has an answer of the LLM about any of them."""
        for article in articles:
            self.withdrawn[article] = self.tellings.pop(article).quick_bp
        self._forget_sums()
        about = [article for article in self.asked_about if article in articles]
        if about and self.asked == "used":
            self.asked, self.impact_e2, self.confidence_bp = "invalid", 0, 0

    def take_back(self, source: str, delta_e2: int) -> None:
        """Apply a move that undoes others: those of `source` first, then of who is gone."""
        self.applied_e2 += delta_e2
        telling, rest_e2 = self.sources, delta_e2
        for name in [source, *(one for one in self.moved_e2 if one not in telling)]:
            moved_e2 = self.moved_e2[name]
            part_e2 = clamp(rest_e2, min(-moved_e2, 0), max(-moved_e2, 0))
            self.moved_e2[name] = moved_e2 + part_e2
            rest_e2 -= part_e2

    def close_review(self, proposed_e2: int, approved_e2: int, told_by: int) -> None:
        """Keep what was proposed and not approved, when `told_by` sources had told the story."""
        up_e2, down_e2 = self.refused_up_e2, self.refused_down_e2
        if told_by > self.told_by:  # what was refused before was proposed again
            up_e2 -= min(up_e2, max(proposed_e2, 0))
            down_e2 -= min(down_e2, max(-proposed_e2, 0))
        self.refused_up_e2 = up_e2 + max(proposed_e2 - approved_e2, 0)
        self.refused_down_e2 = down_e2 + max(approved_e2 - proposed_e2, 0)
        self.told_by = told_by

    def _forget_sums(self) -> None:
        self.__dict__.pop("sums", None)
