"""What the reality engine remembers. `evolve.py` says how its own events change that."""

from collections import deque
from typing import Final

import msgspec

from engines.reality.memory import Charge, Charges, SeenArticles, UnsignedMoved
from engines.reality.story import Story
from engines.reality.timers import Timer, TimerKind, TimerQueue
from schemas.events.reality import LlmMode
from schemas.policy import (
    BacklogPolicy,
    LlmPolicy,
    RealityPolicy,
    Safeguards,
    Scoring,
    UnsignedMoves,
)


class Score(msgspec.Struct, array_like=True):
    """The RealityScore of an open market, and the sizes of its last moves."""

    score_e2: int
    political: bool
    sensitive: bool
    moves_e2: list[int] = []


class KnownSource(msgspec.Struct, array_like=True):
    """A source. `until_ns` is the end of its quarantine, 0 for none; `cause` set that.

    `recent_ns` is the times of its last articles, of those that its rate counts. `since_ns` is
    when it was first known; `judged` counts the articles of its that were not dropped.
    """

    trust_bp: int
    active: bool
    until_ns: int = 0
    cause: int = 0
    recent_ns: list[int] = []
    since_ns: int = 0
    judged: int = 0


class WindowArticle(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An article of the window: later ones may be similar to it.

    `telling` is the article whose telling it repeats: itself, unless it is a duplicate. By `page`
    a later version of it is known; it is empty for a duplicate.
    """

    cluster: int
    at_ns: int
    published_ns: int
    telling: int
    source: str
    page: str = ""


class ArticleCluster(msgspec.Struct, array_like=True):
    """A group of articles that tell of the same thing.

    `articles` counts all of them, `live` those that are still in the window. `pins` counts
    what else needs the cluster: open reviews, and requests that wait for the LLM.
    """

    articles: int = 0
    live: int = 0
    pins: int = 0
    stories: dict[str, Story] = {}


class PendingRequest(msgspec.Struct, array_like=True, frozen=True):
    """A request to the LLM that has no answer yet."""

    cluster: int
    symbol: str
    cause: int
    deadline_ns: int


class LlmState(msgspec.Struct, array_like=True):
    """Whether the LLM can be asked.

    `until_ns` is when a degraded LLM is tried again; `cause` is the message that last changed
    the mode. `spent_until_ns` is when the budget's bucket will be full again. `outcomes` are
    those of the last calls, 1 for a failure. `waiting` is by request_id.
    """

    mode: LlmMode = "disabled"
    until_ns: int | None = None
    cause: int = 0
    spent_until_ns: int = 0
    outcomes: list[int] = []
    waiting: dict[str, PendingRequest] = {}


class OpenReview(msgspec.Struct, array_like=True, frozen=True):
    """A move that waits for a person, as its proposal states it.

    `told_by` is how many sources had told the story as it was proposed.
    """

    cause: int
    symbol: str
    cluster: int
    article: int
    charged: str
    delta_e2: int
    confidence_bp: int
    expires_ns: int
    told_by: int


class PersistedRealityState(msgspec.Struct):
    """The part of the state that a snapshot holds.

    `ended` holds the clusters that no article can join and nothing needs.
    """

    policy_version: int = 0
    reality: RealityPolicy = RealityPolicy()
    scoring: Scoring = Scoring()
    safeguards: Safeguards = Safeguards()
    llm_policy: LlmPolicy = LlmPolicy()
    unsigned: UnsignedMoves = UnsignedMoves()
    scores: dict[str, Score] = {}
    sources: dict[str, KnownSource] = {}
    seen: SeenArticles = msgspec.field(default_factory=SeenArticles)
    window: dict[int, WindowArticle] = {}
    clusters: dict[int, ArticleCluster] = {}
    ended: dict[int, None] = {}
    charges: list[Charge] = []
    llm: LlmState = msgspec.field(default_factory=LlmState)
    reviews: dict[str, OpenReview] = {}
    moved: UnsignedMoved = msgspec.field(default_factory=UnsignedMoved)
    forgotten_ns: int = 0
    last_cause: int = 0
    backlog: BacklogPolicy = BacklogPolicy()


class State:
    """The persisted state, and indexes that follow from it: by source and by time.

    While the engine runs, `charges` holds the list that a snapshot has in `persisted.charges`.
    `order` is the articles of the window, oldest first. `pages` has the last article of the
    window with a page of a source. `reviews_of` is the open reviews of each source, oldest first.
    """

    def __init__(self, persisted: PersistedRealityState) -> None:
        self.persisted = persisted
        self.charges = Charges(persisted.charges)
        persisted.charges = []
        self.order = deque(persisted.window)
        self.pages: dict[tuple[str, str], int] = {}
        for article, entry in persisted.window.items():
            self.index_page(article, entry)
        self.reviews_of: dict[str, dict[str, None]] = {}
        self.timers = TimerQueue(self._is_effective)
        for name, known in persisted.sources.items():
            self.set_timer("source", name, known.until_ns)
        for hash_, review in persisted.reviews.items():
            self.index_review(hash_, review)
        for request_id, request in persisted.llm.waiting.items():
            self.set_timer("llm", request_id, request.deadline_ns)
        self.set_timer("mode", "", persisted.llm.until_ns)

    def set_timer(self, kind: TimerKind, key: str, at_ns: int | None) -> None:
        """Set a timer, unless `at_ns` is None or 0: then nothing ends by itself."""
        if at_ns:
            self.timers.add(Timer(at_ns, kind, key))

    def index_page(self, article: int, entry: WindowArticle) -> None:
        """Enter an article of the window in the index by source and page."""
        if entry.page:
            self.pages[entry.source, entry.page] = article

    def unindex_page(self, article: int, entry: WindowArticle) -> None:
        """Take an article that has left the window out of the index, unless a later one is in."""
        if self.pages.get((entry.source, entry.page)) == article:
            del self.pages[entry.source, entry.page]

    def index_review(self, hash_: str, review: OpenReview) -> None:
        """Enter an open review in the indexes."""
        self.reviews_of.setdefault(review.charged, {})[hash_] = None
        self.set_timer("review", hash_, review.expires_ns)

    def unindex_review(self, hash_: str, review: OpenReview) -> None:
        """Take a review that was closed out of the index by source."""
        hashes = self.reviews_of[review.charged]
        del hashes[hash_]
        if not hashes:
            del self.reviews_of[review.charged]

    def update_ended(self, cluster_id: int) -> None:
        """Note whether a cluster has come to its end, after something about it changed."""
        cluster = self.persisted.clusters[cluster_id]
        if cluster.live or cluster.pins:
            self.persisted.ended.pop(cluster_id, None)
        else:
            self.persisted.ended[cluster_id] = None

    def _is_effective(self, timer: Timer) -> bool:
        """Tell whether the state still has the end that `timer` was set for."""
        persisted = self.persisted
        match timer.kind:
            case "llm":
                request = persisted.llm.waiting.get(timer.key)
                return request is not None and request.deadline_ns == timer.at_ns
            case "mode":
                return persisted.llm.until_ns == timer.at_ns
            case "review":
                review = persisted.reviews.get(timer.key)
                return review is not None and review.expires_ns == timer.at_ns
            case "source":
                return persisted.sources[timer.key].until_ns == timer.at_ns


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(PersistedRealityState).decode


def dump(state: State) -> bytes:
    """Return the persisted state as canonical MessagePack; dicts keep the order of the events.

    The codec and the field names stay as they are: hashes of these bytes stand on logs.
    """
    return _encode(msgspec.structs.replace(state.persisted, charges=state.charges.all()))


def load(data: bytes) -> State:
    """Return the state that `dump` wrote."""
    return State(_decode(data))
