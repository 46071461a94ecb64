"""Compare a market with itself at an earlier message.   then_and_now.py SYMBOL SEQUENCE"""

import sys

from api import request

symbol, sequence = sys.argv[1:3]
then = request(f"/market/{symbol}?at={sequence}")["market"]
now = request(f"/market/{symbol}")["market"]
for name in ("market_price", "reality_score", "final_price"):
    print(f"{name:14} {then[name]:>7} -> {now[name]:>7}")
