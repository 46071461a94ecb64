"""What the log says that the attackers moved, against what the policy lets them."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from schemas import subjects
from schemas.events.exchange import Traded
from schemas.events.pricing import PriceChanged
from schemas.events.reality import ScoreChanged
from schemas.limits import READ_BATCH
from schemas.observations import OBSERVATIONS, SourceFetched
from schemas.policy import UnsignedMoves
from schemas.records import EVENT_MESSAGES
from schemas.stored import Stored
from schemas.units import HOUR_NS, WEIGHT_ONE_BP
from streams.log.nats_log import NatsLog
from tests.siege.world import WHISPER_TRUST_BP, WHISPERS

SHARD: Final = subjects.DEFAULT_SHARD
PRICE_MOVE_E2: Final = 200
"""Two accounts alone move a MarketPrice by no more in an hour."""
_POLL_S: Final = 10
_ENGINES: Final = (subjects.EXCHANGE, subjects.PRICING, subjects.REALITY)


@dataclass
class Moved:
    """Moves of scores by symbol and by symbol and source, prices by symbol with their times."""

    scores_e2: Counter[str] = field(default_factory=Counter)
    by_source_e2: Counter[tuple[str, str]] = field(default_factory=Counter)
    prices: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    trades: Counter[str] = field(default_factory=Counter)
    bytes_by_account: Counter[str] = field(default_factory=Counter)
    fetched: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How often each source was fetched, by what came of it."""

    async def read(self, log: NatsLog) -> "Moved":
        """Walk along the commands and records that stand on the log by now."""
        wanted = [subjects.events(SHARD, engine) for engine in _ENGINES]
        wanted += [subjects.order_command(SHARD, "*"), subjects.fetches(SHARD, "*")]
        end = await log.last_sequence()
        reader = await log.open_reader(wanted, 0)
        try:
            at = 0
            while at < end and (messages := await reader.poll(READ_BATCH, _POLL_S)):
                for message in messages:
                    self._read(message)
                at = messages[-1].sequence
        finally:
            await reader.close()
        return self

    def _read(self, message: Stored) -> None:
        if ".cmd." in message.subject:
            account = subjects.last_token(message.subject)
            self.bytes_by_account[account] += len(message.payload)
        elif ".obs-fetch." in message.subject:
            said = OBSERVATIONS.decode(message.payload)
            assert isinstance(said, SourceFetched)
            self.fetched[said.source][f"fetch: {said.problem or said.outcome}"] += 1
        else:
            record = EVENT_MESSAGES.decode(message.payload)
            for event in record.events:
                self._take(event, record.time_ns)

    def _take(self, event: Any, time_ns: int) -> None:
        match event:
            case ScoreChanged(review=""):
                self.scores_e2[event.symbol] += abs(event.delta_e2)
                self.by_source_e2[event.symbol, event.source] += abs(event.delta_e2)
            case PriceChanged():
                self.prices[event.symbol].append((time_ns, event.market_price_e2))
            case Traded():
                self.trades[event.symbol] += 1
            case _:
                pass

    def price_move_e2(self, symbol: str, listed_e2: int) -> int:
        """Return the most by which a MarketPrice moved within any hour."""
        prices = [(0, listed_e2), *self.prices[symbol]]
        most = 0
        for index, (now_ns, price) in enumerate(prices):
            for then_ns, then in reversed(prices[:index]):
                most = max(most, abs(price - then))
                if now_ns - then_ns > HOUR_NS:
                    break
        return most


def whispered_e2(rules: UnsignedMoves, phases: int) -> int:
    """Return by how much new sources of so little trust may move one symbol in a day.

    Each phase signs new ones.
    """
    one = rules.source_symbol_day_e2 * WHISPER_TRUST_BP * rules.new_source_bp / WEIGHT_ONE_BP**2
    return min(rules.symbol_day_e2, round(one * len(WHISPERS) * phases))
