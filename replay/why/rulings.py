"""What people decided, as far as a price may rest on it."""

from typing import NamedTuple

from schemas.events.governance import (
    DecisionAccepted,
    DecisionPending,
    MarketEdited,
    MarketListed,
    MarketResolved,
    PolicySet,
    ReviewAnswered,
    SourceAdded,
    SourceChanged,
)
from schemas.records import Record

Ruled = (
    MarketListed
    | MarketEdited
    | MarketResolved
    | PolicySet
    | ReviewAnswered
    | SourceAdded
    | SourceChanged
)


class Ruling(NamedTuple):
    """A decision's effect. `accepted` says who signed it, `proposed` where it waited, if it did."""

    sequence: int
    event: Ruled
    accepted: DecisionAccepted | None
    proposed: int


class Rulings:
    """The decisions that hold: about one symbol, and those about everything."""

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._proposed: dict[str, int] = {}
        self.policies: dict[int, Ruling] = {}
        """By version."""
        self._sources: dict[str, list[Ruling]] = {}

    def take(self, sequence: int, record: Record) -> list[Ruling]:
        """Return what one record of governance decides about the symbol, and all policies."""
        accepted: DecisionAccepted | None = None
        found: list[Ruling] = []
        for event in record.events:
            if isinstance(event, DecisionAccepted):
                accepted = event
            elif isinstance(event, DecisionPending):
                self._proposed[event.decision_hash] = event.cause
            elif isinstance(event, Ruled):
                own = accepted if accepted and accepted.cause == event.cause else None
                proposed = self._proposed.get(own.decision_hash, 0) if own else 0
                self._keep(Ruling(sequence, event, own, proposed), found)
        return found

    def _keep(self, ruling: Ruling, found: list[Ruling]) -> None:
        event = ruling.event
        if isinstance(event, PolicySet):
            self.policies[event.version] = ruling
            found.append(ruling)
        elif isinstance(event, SourceAdded | SourceChanged):
            self._sources.setdefault(event.source.source, []).append(ruling)
        elif event.symbol == self._symbol:
            found.append(ruling)

    def of_source(self, name: str, before: int) -> Ruling | None:
        """Return what was last decided about a source before sequence `before`."""
        rulings = self._sources.get(name, [])
        return next((one for one in reversed(rulings) if one.sequence < before), None)
