"""Print a market's best prices.   python examples/recipes/quote.py SYMBOL"""

import sys

from api import request


def best(levels: list[dict[str, str]]) -> str:
    return f"{levels[0]['quantity']} at {levels[0]['price']}" if levels else "nobody"


book = request(f"/market/{sys.argv[1]}/snapshot?depth=1")
print(f"{book['symbol']}: bid {best(book['bids'])}, ask {best(book['asks'])}")
print(f"market price {book['market_price']}, final price {book['final_price']}")
