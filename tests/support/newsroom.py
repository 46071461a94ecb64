"""A venue in memory with real articles, so that all that a price rests on can be looked up."""

from functools import cache

from msgspec import UNSET
from msgspec.structs import replace

from schemas import subjects
from schemas.chain import digest
from schemas.codec import Codec, encode
from schemas.commands import CancelAll
from schemas.decisions import ResolveMarket
from schemas.errors import InputError
from schemas.events import Event
from schemas.observations import ArticleObserved, SignalsMeasured
from schemas.policy import SEED_PLAN, Policy
from schemas.stored import Stored
from schemas.units import HOUR_NS, SECOND_NS
from tests.replay.venue import server_with
from tests.simulated.log import SimulatedServer
from tests.support.stepped import SOURCES, SteppedVenue

SIGNALS: Codec[SignalsMeasured] = Codec(SignalsMeasured)
UNBOUNDED = replace(SEED_PLAN, name="unbounded", price_bounds=UNSET)
"""A policy as it was before MarketPrice had bounds."""
TITLE = 'Rain & "snow" <soon>'


class Newsroom(SteppedVenue):
    """What is measured stands on the log as an article, too."""

    def append(self, subject: str, payload: bytes) -> int:
        """Put a real article where the venue only marks its place."""
        if subject == subjects.articles("main"):
            payload = self._article(len(self.log) + 1)
        sequence = super().append(subject, payload)
        if subject == subjects.signals("main"):
            self._sign_for(sequence, payload)
        return sequence

    def _article(self, sequence: int, source: str = SOURCES[0]) -> bytes:
        article = ArticleObserved(
            source=source,
            snapshot_id=digest(b"%d" % sequence),
            locator="",
            url=f"https://{source}.example/{sequence}",
            title=f"{TITLE} {sequence}",
            excerpt="",
            text_chars=0,
            language="en",
            published_ns=self.now_ns,
            observed_ns=self.now_ns,
            via="rss",
            robots_hash="",
            raw="",
            push=None,
        )
        return encode(article)

    def _sign_for(self, sequence: int, payload: bytes) -> None:
        """Have the article that was just measured be its source's."""
        try:
            signals = SIGNALS.decode(payload)
        except InputError:
            return
        if signals.article == sequence - 1:
            article = self.log[signals.article - 1]
            said = self._article(signals.article, signals.source)
            self.log[signals.article - 1] = article._replace(payload=said)


@cache
def news(
    seed: int, orders: int = 60, *, resolved: bool = False, policy: Policy = SEED_PLAN
) -> tuple[Stored, ...]:
    """Return the log of such a venue, which in the end is left alone for days."""
    venue = Newsroom(seed, policy)
    venue.found()
    for number in range(orders):
        venue.order(number)
        if number % 2:
            venue.report()
        venue.now_ns += venue.dice.choice((0, 1, SECOND_NS // 10, SECOND_NS, 9 * SECOND_NS))
        if venue.dice.random() < 0.5:
            venue.step(venue.dice.choice([*venue.drivers]))
    if resolved:
        venue.decide(ResolveMarket, symbol="SNOW", value_ticks=7_000, reason="it snowed")
    venue.settle()
    for _ in range(5):
        venue.now_ns += 20 * HOUR_NS
        venue.settle()
    return tuple(venue.log)


def server_of(
    seed: int, orders: int = 60, *, resolved: bool = False, policy: Policy = SEED_PLAN
) -> SimulatedServer:
    """Return a store with such a log."""
    return server_with(news(seed, orders, resolved=resolved, policy=policy))


class Orderly(Newsroom):
    """Engines that take all that waits, at once and in turn, under a policy of the test's.

    The world says the same under any policy: nobody answers reviews, and no LLM requests.
    """

    def _react(self, event: Event) -> None:
        """Say nothing."""

    def step(self, name: str) -> bool:
        """Let one engine take all that waits for it."""
        driver = self.drivers[name]
        waiting = list(self._waiting(name))
        if name == subjects.NOTARY:
            return False
        if waiting:
            self.read[name] = waiting[-1].sequence
        driver.at(max(self.now_ns, driver.now_ns))
        if not driver.take(waiting):
            return bool(waiting)
        super(Newsroom, self).append(subjects.events("main", name), driver.records[-1])
        return True

    def settle(self) -> None:
        """Let all engines go on, in turn, until none has anything to say."""
        busy = True
        while busy:
            steps = [self.step(name) for name in self.drivers]
            busy = any(steps)


@cache
def orderly(seed: int, policy: Policy, articles: int = 40) -> tuple[Stored, ...]:
    """Return the log of a venue to which the world says the same under any policy."""
    venue = Orderly(seed, policy)
    venue.found()
    for number in range(articles):
        venue.report()
        venue.settle()
        for step_ns in (SECOND_NS, 150 * SECOND_NS, venue.dice.choice((1, HOUR_NS))):
            venue.now_ns += step_ns
            nothing = CancelAll(f"c{number}-{step_ns}", venue.now_ns, None)  # only to show the time
            venue.append(subjects.order_command("main", "ann"), encode(nothing))
            venue.settle()
    return tuple(venue.log)
