"""A reality engine with markets and sources, and what others would tell it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from engines.reality.engine import RealityEngine
from engines.reality.state import State
from schemas.chain import GENESIS_HASH, digest
from schemas.codec import encode
from schemas.events import Event
from schemas.events.exchange import PartChecked, ReviewersChecked
from schemas.events.governance import (
    MarketListed,
    PolicySet,
    ReviewAnswered,
    SourceAdded,
)
from schemas.events.reality import ReviewOpened
from schemas.observations import (
    LlmAnswer,
    LlmAvailability,
    LlmCalled,
    Mention,
    Models,
    Neighbour,
    SignalsMeasured,
)
from schemas.policy import SEED_PLAN, Policy
from schemas.records import Record, seal
from schemas.sources import Source
from schemas.units import HOUR_NS
from tests.engines.driver import Driver, check_decides_again, check_folds

START_NS = 1_700_000_000_000_000_000 // HOUR_NS * HOUR_NS
TRUSTS = {"daily": 8_500, "weekly": 5_000, "tiny": 1_000, "mini": 1_000, "mute": 0}
"""What `tiny` says is small enough to be applied at once."""

MODELS = Models(embedding="e", sentiment="s", keywords="k", entities="n", language="l")


def record(engine: str, time_ns: int, *events: Event) -> tuple[str, bytes]:
    """Return subject and bytes of a record of another engine."""
    data, _ = seal(
        Record(engine, f"{engine}/1", 1, 1, 1, 1, time_ns, False, [*events], None, GENESIS_HASH)
    )
    return f"main.evt.{engine}", data


def changed(section: str, base: Policy = SEED_PLAN, /, **fields: object) -> Policy:
    """Return a policy with some numbers of one section changed."""
    new = msgspec.structs.replace(getattr(base, section), **fields)
    return msgspec.structs.replace(base, **{section: new})


def listed(symbol: str, **fields: Any) -> MarketListed:
    common: dict[str, Any] = {
        "cause": 1,
        "symbol": symbol,
        "name": symbol,
        "description": "",
        "market_type": "social",
        "subtype": "",
        "region": "global",
        "risk_level": "low",
        "aliases": [],
        "market_weight_bp": 5_000,
        "reality_weight_bp": 5_000,
        "initial_score_e2": 5_000,
        "tick_ticks": 1,
        "min_price": "0",
        "max_price": "100",
        "created_by": "root",
    }
    return MarketListed(**(common | fields))


def source(name: str, trust_bp: int = 8_500, **fields: Any) -> Source:
    url = f"https://{name}.example/feed"
    return Source(source=name, name=name, kind="rss", url=url, trust_bp=trust_bp, **fields)


def snapshot_id(text: object) -> str:
    return digest(str(text).encode())


def titled(*symbols: str) -> list[Mention]:
    return [Mention(symbol, 1, 0) for symbol in symbols]


class RealityVenue:
    """RAIN and SNOW, of which `daily` (trust 0.85) and `weekly` (0.50) tell, by default."""

    def __init__(
        self,
        policy: Policy = SEED_PLAN,
        *,
        markets: Sequence[str] = ("RAIN", "SNOW"),
        trusts: dict[str, int] | None = None,
    ) -> None:
        self.engine = RealityEngine()
        self.driver: Driver[State] = Driver(self.engine, START_NS)
        self.versions = 0
        trusts = {"daily": 8_500, "weekly": 5_000} if trusts is None else trusts
        self.set_policy(policy)
        self.govern(*(listed(symbol) for symbol in markets))
        self.govern(*(SourceAdded(1, source(name, bp)) for name, bp in trusts.items()))

    @property
    def now_ns(self) -> int:
        return self.driver.now_ns

    @property
    def state(self) -> State:
        return self.driver.state

    def govern(self, *events: Event) -> list[Event]:
        return self.driver.feed(record("governance", self.now_ns, *events))

    def set_policy(self, policy: Policy) -> list[Event]:
        self.versions += 1
        return self.govern(PolicySet(1, self.versions, policy, ""))

    def wait(self, for_ns: int) -> list[Event]:
        """Let time pass, with a tick each time that the engine wants one."""
        until_ns, events = self.now_ns + for_ns, list[Event]()
        while (due := self.engine.next_due_ns(self.state)) is not None and due <= until_ns:
            self.driver.at(max(due, self.now_ns))
            told = self.driver.take([])
            assert told, "it wanted a tick, and had nothing to say"
            events += told
        self.driver.at(until_ns)
        return events

    def observe(self) -> int:
        """Give an article a place on the log; the engine does not read it."""
        self.driver.sequence += 1
        return self.driver.sequence

    def signals(self, name: str = "daily", **fields: Any) -> SignalsMeasured:
        article = fields.pop("article", None) or self.observe()
        common: dict[str, Any] = {
            "article": article,
            "source": name,
            "snapshot_id": snapshot_id(article),
            "published_ns": self.now_ns,
            "observed_ns": self.now_ns,
            "unfit": "",
            "detail": "",
            "language": "en",
            "language_bp": 9_900,
            "sentiment_bp": 0,
            "keywords_bp": 0,
            "keywords": [],
            "entities": [],
            "mentions": titled("RAIN"),
            "neighbours": [],
            "embedding": "",
            "models": MODELS,
            "names_as_of": 1,
            "measured_ns": self.now_ns,
        }
        return SignalsMeasured(**(common | fields))

    def measured(self, signals: SignalsMeasured) -> list[Event]:
        return self.driver.feed(("main.obs.signals", encode(signals)))

    def measure(self, name: str = "daily", **fields: Any) -> list[Event]:
        return self.measured(self.signals(name, **fields))

    def llm(self, mode: Any = "enabled", reason: str = "") -> list[Event]:
        said = LlmAvailability(
            mode=mode, reason=reason, model="m", prompt="p", observed_ns=self.now_ns
        )
        return self.driver.feed(("main.obs.llm", encode(said)))

    def answer(self, request_id: str, answer: LlmAnswer | None) -> list[Event]:
        call = LlmCalled(
            request=1,
            request_id=request_id,
            prompt="p",
            input_hash="",
            model="m",
            raw_output="",
            answer=answer,
            error="",
            started_ns=0,
            ended_ns=0,
        )
        return self.driver.feed(("main.obs.llm", encode(call)))

    def checked(
        self, hash_: str, symbol: str = "RAIN", *barred: str, part_e2: int | None = None
    ) -> list[Event]:
        event = ReviewersChecked(1, hash_, symbol, "good", ["anna"], [*barred])
        if part_e2 is not None:
            event = PartChecked(1, hash_, symbol, "good", ["anna"], [*barred], part_e2)
        return self.driver.feed(record("exchange", self.now_ns, event))

    def answered(self, hash_: str, symbol: str = "RAIN", *, approve: bool = False) -> list[Event]:
        return self.govern(ReviewAnswered(1, hash_, symbol, approve, "why", ["anna"], ["anna"]))

    def score_e2(self, symbol: str = "RAIN") -> int:
        return self.state.persisted.scores[symbol].score_e2

    def neighbour(self, article: int, similarity_bp: int = 8_000) -> list[Neighbour]:
        return [Neighbour(article, similarity_bp)]

    def check(self) -> None:
        """Assert what must hold of any state that was reached."""
        check_folds(self.driver)
        check_decides_again(self.driver)


def good_answer(impact_e2: int, confidence_bp: int, *ids: str) -> LlmAnswer:
    return LlmAnswer(
        schema_version=1,
        summary="s",
        impact_e2=impact_e2,
        confidence_bp=confidence_bp,
        rationale="r",
        snapshot_ids=[*ids],
    )


def only(events: Sequence[Event], kind: type[Any]) -> Any:
    """Return the one event of a kind."""
    (found,) = [event for event in events if isinstance(event, kind)]
    return found


def review(events: Sequence[Event]) -> ReviewOpened:
    opened: ReviewOpened = only(events, ReviewOpened)
    return opened
