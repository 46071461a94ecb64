"""What one walk along the log keeps in order to say why one symbol's price is what it is."""

from replay.why.market import Market
from replay.why.rulings import Ruling, Rulings
from replay.why.stories import LocatedEvent, Stories
from schemas import subjects
from schemas.events.exchange import ReviewersChecked, TopsChanged, Traded
from schemas.events.governance import ReviewAnswered
from schemas.events.pricing import BlendSet, PriceChanged, ProposalPriced
from schemas.record_chain import Chains
from schemas.records import EVENT_MESSAGES, Record
from schemas.stored import Stored


class History:
    """One symbol's part of the records, which have to form whole chains.

    `price` and `blend` are what pricing last recorded. `take` raises UnknownRecord or
    LogDiverged where the log is not what it must be.
    """

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.market = Market()
        self.rulings = Rulings(symbol)
        self.stories = Stories(symbol)
        self.price: LocatedEvent[PriceChanged] | None = None
        self.blend: LocatedEvent[BlendSet] | None = None
        self.priced_through = 0
        """Up to which sequence pricing had read."""
        self._chains = Chains(EVENT_MESSAGES.decode)

    def take(self, message: Stored) -> None:
        """Keep what a record says about the symbol."""
        record = self._chains.read(message)
        match record.engine:
            case subjects.GOVERNANCE:
                self._governance(message.sequence, record)
            case subjects.EXCHANGE:
                self._exchange(message.sequence, record)
            case subjects.REALITY:
                self._reality(message.sequence, record)
            case subjects.PRICING:
                self._pricing(message.sequence, record)
            case _:
                pass

    def _governance(self, sequence: int, record: Record) -> None:
        for ruling in self.rulings.take(sequence, record):
            if isinstance(ruling.event, ReviewAnswered):
                self._answered(ruling, ruling.event.proposal_hash)
            else:
                self.market.note(sequence, record.time_ns, ruling)

    def _answered(self, ruling: Ruling, hash_: str) -> None:
        review = self.stories.reviews.get(hash_)
        if review is not None:
            review.answers.append(ruling)

    def _exchange(self, sequence: int, record: Record) -> None:
        for event in record.events:
            if isinstance(event, Traded):
                if event.symbol == self.symbol:
                    self.market.note(sequence, record.time_ns, event)
            elif isinstance(event, TopsChanged):
                for top in event.tops:
                    if top.symbol == self.symbol:
                        self.market.note(sequence, record.time_ns, top)
            elif isinstance(event, ReviewersChecked):
                review = self.stories.reviews.get(event.proposal_hash)
                if review is not None:
                    review.checked.append(LocatedEvent(sequence, event))

    def _reality(self, sequence: int, record: Record) -> None:
        for change in self.stories.take(sequence, record, self.rulings):
            self.market.note(sequence, record.time_ns, change)

    def _pricing(self, sequence: int, record: Record) -> None:
        self.priced_through = record.last_input
        self.market.through(record.last_input)
        for event in record.events:
            if isinstance(event, PriceChanged) and event.symbol == self.symbol:
                self.price = LocatedEvent(sequence, event)
            elif isinstance(event, BlendSet) and event.symbol == self.symbol:
                self.blend = LocatedEvent(sequence, event)
            elif isinstance(event, ProposalPriced) and event.symbol == self.symbol:
                self.stories.review(event.proposal_hash).priced = LocatedEvent(sequence, event)
