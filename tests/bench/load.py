"""A seeded workload of mixed orders, the same bytes for the same seed but for the time."""

import random
from collections.abc import Iterator, Sequence

from schemas.codec import encode
from schemas.commands import CancelAll, PlaceOrder, Side


def orders(
    rng: random.Random, account: str, symbols: Sequence[str], count: int, time_ns: int
) -> Iterator[bytes]:
    """Yield `count` encoded commands: 70% rest near the mid, 25% cross, 5% clear a symbol.

    Cancels name no order id, because the ids of orders still on their way are not known.
    """
    for number in range(count):
        symbol = rng.choice(symbols)
        draw = rng.random()
        client_id = f"{account}-{time_ns % 10**9}-{number}"
        if draw < 0.05:
            yield encode(CancelAll(client_id, time_ns, symbol))
            continue
        side: Side = "buy" if rng.random() < 0.5 else "sell"
        distance = rng.randint(1, 200)
        away = distance if draw < 0.75 else -rng.randint(0, 20)
        price = 5_000 - away if side == "buy" else 5_000 + away
        yield encode(
            PlaceOrder(
                client_order_id=client_id,
                client_time_ns=time_ns,
                symbol=symbol,
                side=side,
                quantity_lots=rng.randint(1, 100),
                price_ticks=price,
                time_in_force="ioc" if draw >= 0.9 else "gtc",
            )
        )
