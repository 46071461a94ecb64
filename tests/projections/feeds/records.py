"""Records made by hand, chained as an engine's host would chain them."""

from collections.abc import Sequence

from schemas.chain import GENESIS_HASH
from schemas.commands import Side
from schemas.events import Event
from schemas.events import exchange as ex
from schemas.records import Record, seal
from schemas.subjects import events as events_subject
from schemas.units import SECOND_NS
from tests.simulated.log import SimulatedServer

START_NS = 1_800_000_000 * SECOND_NS


class Scribe:
    """Writes records of several engines onto one simulated log."""

    def __init__(self, server: SimulatedServer) -> None:
        self.server = server
        self._heads: dict[str, tuple[int, str]] = {}

    def write(self, *events: Event, engine: str = "exchange") -> int:
        """Append one record and return its sequence."""
        number, prev = self._heads.get(engine, (0, GENESIS_HASH))
        sequence = self.server.last_sequence + 1
        record = Record(
            engine=engine,
            decider=f"{engine}/1",
            epoch=1,
            number=number + 1,
            first_input=sequence,
            last_input=sequence,
            time_ns=START_NS + sequence * SECOND_NS,
            tick=False,
            events=list(events),
            state_hash=None,
            prev=prev,
        )
        data, hash_ = seal(record)
        self._heads[engine] = number + 1, hash_
        return self.server.store([(events_subject(self.server.shard, engine), data)])


def opened(account: str) -> ex.AccountOpened:
    return ex.AccountOpened(1, account, "U" + "A" * 55)


def placed(
    order_id: int,
    account: str,
    side: Side,
    price: int,
    quantity: int,
    filled: int = 0,
    resting: int | None = None,
    symbol: str = "TEST",
) -> ex.OrderPlaced:
    rest = quantity - filled if resting is None else resting
    return ex.OrderPlaced(
        cause=order_id // 100,
        order_id=order_id,
        account=account,
        client_order_id=f"c{order_id}",
        symbol=symbol,
        side=side,
        order_type="limit",
        time_in_force="gtc",
        price_ticks=price,
        quantity_lots=quantity,
        filled_lots=filled,
        resting_lots=rest,
        cancelled_lots=quantity - filled - rest,
        cancel_reason="" if quantity == filled + rest else "ioc",
        self_trade_order_id=None,
    )


def traded(
    trade_id: int,
    taker: tuple[int, str, Side],
    maker: tuple[int, str],
    price: int,
    quantity: int,
    maker_left: int,
    symbol: str = "TEST",
) -> ex.Traded:
    return ex.Traded(
        cause=taker[0] // 100,
        trade_id=trade_id,
        symbol=symbol,
        price_ticks=price,
        quantity_lots=quantity,
        taker_side=taker[2],
        taker_order_id=taker[0],
        taker_account=taker[1],
        maker_order_id=maker[0],
        maker_account=maker[1],
        maker_resting_lots=maker_left,
    )


def cancelled(account: str, order_ids: Sequence[int]) -> ex.OrdersCancelled:
    return ex.OrdersCancelled(1, account, "x", list(order_ids))
