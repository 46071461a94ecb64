"""What the reality engine remembers. `evolve.py` says how its own events change that."""

from collections import deque
from typing import Final, Literal

import msgspec

from engines.reality.memory import Charge, Charges, Seen
from engines.reality.timers import Due, Dues, Kind
from schemas.events.reality import LlmMode
from schemas.policy import LlmPolicy, RealityPolicy, Safeguards, Scoring

Asked = Literal["", "waiting", "used", "invalid", "failed"]
"""What came of asking the LLM about a story; empty while it was not asked."""


class Score(msgspec.Struct, array_like=True):
    """The RealityScore of an open market, and the sizes of its last moves."""

    score_e2: int
    political: bool
    sensitive: bool
    moves_e2: list[int] = []


class Known(msgspec.Struct, array_like=True):
    """A source. `until_ns` is the end of its quarantine, 0 for none; `cause` what set it.

    `recent_ns` is when its last articles came, of those that its rate counts.
    """

    trust_bp: int
    active: bool
    until_ns: int = 0
    cause: int = 0
    recent_ns: list[int] = []


class Article(msgspec.Struct, array_like=True, frozen=True):
    """An article of the window: later ones may be similar to it."""

    cluster: int
    at_ns: int
    published_ns: int


class Story(msgspec.Struct, array_like=True):
    """What the articles of one cluster say about one symbol.

    `sources` has the trust of each as of its last article; `charged` is the newest article's.
    `trust_sum_bp` and `quick_sum` are over the articles: trust, and trust times quick_score.
    `applied_e2` is what the story has moved the score; a move that was refused is in
    `refused_up_e2` or `refused_down_e2` and is not proposed again. `review` is the hash of the
    proposal that waits, empty for none.
    """

    articles: list[int] = []
    sources: dict[str, int] = {}
    charged: str = ""
    trust_sum_bp: int = 0
    quick_sum: int = 0
    published_ns: int = 0
    applied_e2: int = 0
    refused_up_e2: int = 0
    refused_down_e2: int = 0
    asked: Asked = ""
    impact_e2: int = 0
    confidence_bp: int = 0
    review: str = ""


class Cluster(msgspec.Struct, array_like=True):
    """A group of articles that tell of the same thing.

    `articles` counts all of them, `live` those that are still in the window. `pins` counts
    what else needs the cluster: open reviews, and requests that wait for the LLM.
    """

    articles: int = 0
    live: int = 0
    pins: int = 0
    stories: dict[str, Story] = {}


class Waiting(msgspec.Struct, array_like=True, frozen=True):
    """A request to the LLM that has no answer yet."""

    cluster: int
    symbol: str
    cause: int
    deadline_ns: int


class Llm(msgspec.Struct, array_like=True):
    """Whether the LLM can be asked.

    `until_ns` is when a degraded one is tried again, `cause` what last changed the mode.
    `spent_until_ns` is the one number of the budget's bucket: when it will be full again.
    `outcomes` are those of the last calls, 1 for a failure; `waiting` is by request_id.
    """

    mode: LlmMode = "disabled"
    until_ns: int | None = None
    cause: int = 0
    spent_until_ns: int = 0
    outcomes: list[int] = []
    waiting: dict[str, Waiting] = {}


class Review(msgspec.Struct, array_like=True, frozen=True):
    """A move that waits for a person, as its proposal states it."""

    cause: int
    symbol: str
    cluster: int
    article: int
    charged: str
    delta_e2: int
    confidence_bp: int
    expires_ns: int


class Kept(msgspec.Struct):
    """The part of the state that a snapshot keeps.

    `ended` are the clusters that nothing can join or needs any more.
    """

    policy_version: int = 0
    reality: RealityPolicy = RealityPolicy()
    scoring: Scoring = Scoring()
    safeguards: Safeguards = Safeguards()
    llm_policy: LlmPolicy = LlmPolicy()
    scores: dict[str, Score] = {}
    sources: dict[str, Known] = {}
    seen: Seen = msgspec.field(default_factory=Seen)
    window: dict[int, Article] = {}
    clusters: dict[int, Cluster] = {}
    ended: dict[int, None] = {}
    charges: list[Charge] = []
    llm: Llm = msgspec.field(default_factory=Llm)
    reviews: dict[str, Review] = {}
    forgotten_ns: int = 0
    last_cause: int = 0


class State:
    """The kept state, and what follows from it: indexes by source and by time.

    `charges` holds what `kept.charges` does in a snapshot. `order` are the articles of the
    window, oldest first. `reviews_of` are the open reviews of each source, oldest first.
    """

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.charges = Charges(kept.charges)
        kept.charges = []
        self.order = deque(kept.window)
        self.reviews_of: dict[str, dict[str, None]] = {}
        self.dues = Dues(self._stands)
        for name, known in kept.sources.items():
            self.due("source", name, known.until_ns)
        for hash_, review in kept.reviews.items():
            self.index_review(hash_, review)
        for request_id, waiting in kept.llm.waiting.items():
            self.due("llm", request_id, waiting.deadline_ns)
        self.due("mode", "", kept.llm.until_ns)

    def due(self, kind: Kind, key: str, at_ns: int | None) -> None:
        """Remember when something ends by itself, if it does."""
        if at_ns:
            self.dues.add(Due(at_ns, kind, key))

    def index_review(self, hash_: str, review: Review) -> None:
        """Enter an open review in the indexes."""
        self.reviews_of.setdefault(review.charged, {})[hash_] = None
        self.due("review", hash_, review.expires_ns)

    def unindex_review(self, hash_: str, review: Review) -> None:
        """Take a review that was closed out of the index by source."""
        hashes = self.reviews_of[review.charged]
        del hashes[hash_]
        if not hashes:
            del self.reviews_of[review.charged]

    def settle(self, cluster_id: int) -> None:
        """Note whether a cluster has come to its end, after something about it changed."""
        cluster = self.kept.clusters[cluster_id]
        if cluster.live or cluster.pins:
            self.kept.ended.pop(cluster_id, None)
        else:
            self.kept.ended[cluster_id] = None

    def _stands(self, due: Due) -> bool:
        kept = self.kept
        match due.kind:
            case "llm":
                waiting = kept.llm.waiting.get(due.key)
                return waiting is not None and waiting.deadline_ns == due.at_ns
            case "mode":
                return kept.llm.until_ns == due.at_ns
            case "review":
                review = kept.reviews.get(due.key)
                return review is not None and review.expires_ns == due.at_ns
            case "source":
                return kept.sources[due.key].until_ns == due.at_ns


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Kept).decode


def dump(state: State) -> bytes:
    """Return the kept state as canonical MessagePack; dicts keep the order of the events."""
    return _encode(msgspec.structs.replace(state.kept, charges=state.charges.all()))


def load(data: bytes) -> State:
    """Return the state that `dump` wrote."""
    return State(_decode(data))
