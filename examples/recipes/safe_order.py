"""Place an order so that trying again is harmless.   TOKEN=… safe_order.py SYMBOL PRICE

The client_order_id is chosen once, before the first attempt. An answer that never came is
asked for again with the same id: the order is carried out at most once.
"""

import sys
import time
import uuid

from api import Refused, request

ATTEMPTS = 5
order = {
    "client_order_id": str(uuid.uuid4()),
    "client_time_ns": time.time_ns(),
    "symbol": sys.argv[1],
    "side": "buy",
    "quantity": 1,
    "price": sys.argv[2],
}
for attempt in range(ATTEMPTS):
    try:
        answer = request("/orders?wait=outcome", order)
        break
    except (OSError, Refused) as error:
        again = not isinstance(error, Refused) or error.code in ("busy", "append_unknown")
        if not again or attempt == ATTEMPTS - 1:
            raise
        time.sleep(2**attempt)
print(f"order {answer['order_id']}: {answer['status']}, {answer['resting']} resting")
again = request("/orders?wait=outcome", order)
print(f"the same once more: {again['status']}, still order {again['order_id']}")
