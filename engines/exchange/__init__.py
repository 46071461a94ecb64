"""The exchange: accounts, money, orders and books of a shard, decided by one writer.

`engine.py` is the way in. `inputs.py` reads a message and `decide/` judges it and returns
events; `evolve.py` applies them to the `state.py`, with `money.py`, `accounts.py` and
`book.py`. At the end of a record `decide/group_end.py` states what the record touched.

A share is one side of a fully collateralised pair. Everything here counts in the *cost* of
a side: what one lot of it pays when it opens. A buyer at price p has the cost p, a seller
PAR - p, so the two costs of a trade always add up to PAR, the higher cost is the better
order on both sides of a book, and two orders cross when their costs reach PAR. A trade is
always the same two movements: a party pays its cost for every lot, and gets PAR back for
every lot that closes one it held on the other side.
"""

from engines.exchange.engine import ExchangeEngine

__all__ = ["ExchangeEngine"]
