"""News for a venue with real engines: what ingest would measure, and people who answer."""

import random

from schemas import subjects
from schemas.codec import encode
from schemas.decisions import AddSource, ApproveReview, RejectReview
from schemas.observations import (
    LlmAnswer,
    LlmAvailability,
    LlmCalled,
    Mention,
    Models,
    Neighbour,
    SignalsMeasured,
)
from schemas.sources import Source
from schemas.units import MINUTE_NS
from tests.projections.news import article, fetched
from tests.projections.real import RealVenue

MODELS = Models(embedding="e", sentiment="s", keywords="k", entities="n", language="l")


class RealNewsroom:
    """Sources of a venue that say what the dice of `seed` decide."""

    def __init__(self, venue: RealVenue, seed: int = 0) -> None:
        self.venue = venue
        self.dice = random.Random(seed)
        self.state = venue.reality.state
        self.sources = ["wire", "herald", "blog"]
        self.articles: list[int] = []
        self.snapshots: dict[int, str] = {}
        for name in self.sources:
            url = f"https://{name}.test/feed"
            source = Source(source=name, name=name, kind="rss", url=url, trust_bp=8_500)
            venue.decide(AddSource, source=source)
        venue.run()
        now_ns = venue.now_ns
        self._say(
            subjects.llm("main"),
            LlmAvailability(mode="enabled", reason="", model="m", prompt="p", observed_ns=now_ns),
        )
        venue.run()

    def _say(self, subject: str, observation: object) -> int:
        return self.venue.server.store([(subject, encode(observation))])

    def publish(self, count: int) -> None:
        """Observe and measure articles, some of them twice, and let the engines decide."""
        for _ in range(count):
            name, now_ns = self.dice.choice(self.sources), self.venue.now_ns
            seen = article(name, f"news {self.dice.random()}", now_ns)
            one = self._say(subjects.articles("main"), seen)
            self._say(subjects.fetches("main", name), fetched(name, "fetched", now_ns, 1))
            measured = self._measured(one, name, seen.snapshot_id)
            for _ in range(self.dice.choice([1, 1, 1, 2])):
                self._say(subjects.signals("main"), measured)
            self.articles.append(one)
            self.snapshots[one] = seen.snapshot_id
            self.venue.now_ns += MINUTE_NS
            self.venue.run()

    def _measured(self, one: int, name: str, snapshot: str) -> SignalsMeasured:
        dice, now_ns = self.dice, self.venue.now_ns
        near = [
            Neighbour(other, dice.choice([6_000, 8_000, 9_500]))
            for other in dice.sample(self.articles, min(1, len(self.articles)))
        ]
        mentions = [Mention(symbol, 1, 1) for symbol in self.venue.symbols if dice.random() < 0.7]
        return SignalsMeasured(
            article=one, source=name, snapshot_id=snapshot, published_ns=now_ns,
            observed_ns=now_ns, unfit="", detail="", language="en", language_bp=9_900,
            sentiment_bp=dice.randrange(-9_000, 9_000), keywords_bp=dice.randrange(-2_000, 2_000),
            keywords=[], entities=[], mentions=mentions, neighbours=near, embedding="",
            models=MODELS, names_as_of=1, measured_ns=now_ns,
        )  # fmt: skip

    def answer_calls(self) -> None:
        """Answer what the LLM was asked, now and then with what is no answer."""
        for request_id, waiting in list(self.state.persisted.llm.waiting.items()):
            story = self.state.persisted.clusters[waiting.cluster].stories[waiting.symbol]
            ids = [self.snapshots[story.articles[0]]]
            answer = LlmAnswer(
                schema_version=1, summary=f"About {request_id}", impact_e2=3_000,
                confidence_bp=6_000, rationale="so", snapshot_ids=ids,
            )  # fmt: skip
            good = self.dice.random() < 0.8
            call = LlmCalled(
                request=waiting.cause, request_id=request_id, prompt="p", input_hash="h", model="m",
                raw_output="{}", answer=answer if good else None, error="" if good else "no JSON",
                started_ns=self.venue.now_ns, ended_ns=self.venue.now_ns,
            )  # fmt: skip
            self._say(subjects.llm("main"), call)
        self.venue.run()

    def answer_reviews(self) -> None:
        """Approve or reject about half of what waits."""
        for hash_, review in list(self.state.persisted.reviews.items()):
            kind = self.dice.choice([ApproveReview, RejectReview, None, None])
            if kind is not None:
                self.venue.decide(kind, proposal_hash=hash_, symbol=review.symbol, reason="seen")
        self.venue.run()


def newsy_day(seed: int = 0, articles: int = 60) -> RealNewsroom:
    """Return a venue where articles moved scores, and some moves waited for a person."""
    venue = RealVenue(seed)
    venue.list_markets(["M0", "M1"])
    room = RealNewsroom(venue, seed)
    for _ in range(3):
        room.publish(articles // 3)
        room.answer_calls()
        room.answer_reviews()
    room.publish(3)
    return room
