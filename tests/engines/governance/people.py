"""People with keys, for tests of what they may sign."""

from typing import Any

from engines.governance.engine import GovernanceEngine
from engines.governance.state import State
from schemas import signatures
from schemas.chain import digest
from schemas.codec import encode
from schemas.decisions import AnyDecision, EnrolKey, Genesis, ListMarket, SignedDecision
from schemas.events import Event
from schemas.events.governance import DecisionRefused
from schemas.policy import SEED_PLAN, Policy
from schemas.sources import Source
from schemas.units import HOUR_NS, SECOND_NS
from tests.engines.driver import Driver

START_NS = 1_700_000_000 * SECOND_NS


class Person:
    """A holder of one key, who counts his or her decisions."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.seed = signatures.seed_from(digest(b"%d" % number)[:32].encode())
        self.key = signatures.public_key(self.seed)
        self.counter = 0

    def sign(self, body: bytes) -> bytes:
        """Return the payload of a signed decision with `body`."""
        return encode(SignedDecision(self.key, body.decode(), signatures.sign(self.seed, body)))


ROOT, ANNA, BERT, CARA = (
    Person(name, i) for i, name in enumerate(("root", "anna", "bert", "cara"))
)
NOTARY = Person("notary", 99)


def genesis(root: Person = ROOT, **changes: Any) -> Genesis:
    fields: dict[str, Any] = {
        "venue": "Test venue",
        "root_key": root.key,
        "notary_key": NOTARY.key,
        "policy": SEED_PLAN,
        "time_ns": START_NS,
    }
    return Genesis(**(fields | changes))


class GovernedVenue:
    """A founded venue and a way to decide on it."""

    def __init__(self, policy: Policy = SEED_PLAN, *, founded: bool = True) -> None:
        self.driver: Driver[State] = Driver(GovernanceEngine(), START_NS)
        for person in (ROOT, ANNA, BERT, CARA):
            person.counter = 0
        self.venue_id = digest(encode(genesis(policy=policy)))
        if founded:
            self.send(ROOT, encode(genesis(policy=policy)))

    @property
    def state(self) -> State:
        return self.driver.state

    def send(self, person: Person, body: bytes, subject: str | None = None) -> list[Event]:
        return self.driver.feed((subject or f"main.cmd.admin.{person.key}", person.sign(body)))

    def body(self, person: Person, kind: type[AnyDecision], **fields: Any) -> bytes:
        """Return the text of `person`'s next decision."""
        person.counter += 1
        common: dict[str, Any] = {
            "venue_id": self.venue_id,
            "counter": person.counter,
            "expires_ns": self.driver.now_ns + HOUR_NS,
        }
        return encode(kind(**(common | fields)))

    def decide(self, person: Person, kind: type[AnyDecision], **fields: Any) -> list[Event]:
        return self.send(person, self.body(person, kind, **fields))

    def code(self, person: Person, kind: type[AnyDecision], **fields: Any) -> str:
        """Return the refusal's code, or "" if the decision was not refused."""
        return refusal(self.decide(person, kind, **fields))

    def enrol(self, person: Person, role: str) -> None:
        events = self.decide(ROOT, EnrolKey, key=person.key, holder=person.name, role=role)
        assert refusal(events) == ""

    def list(self, person: Person = ROOT, symbol: str = "RAIN", **fields: Any) -> list[Event]:
        common = {"symbol": symbol, "name": "Rain", "market_type": "social"}
        return self.decide(person, ListMarket, **(common | fields))


def rss(name: str, **fields: Any) -> Source:
    """Return a feed as a decision states it."""
    common = {"name": name, "kind": "rss", "url": f"https://{name}.example/feed.xml"}
    return Source(source=name, **(common | fields))


def refusal(events: list[Event]) -> str:
    """Return the code of the one refusal in `events`, or ""."""
    if len(events) == 1 and isinstance(events[0], DecisionRefused):
        return events[0].code
    assert not any(isinstance(event, DecisionRefused) for event in events)
    return ""


def names(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]
