"""Write all trades of a market as CSV, the newest first, page by page.   trades_csv.py SYMBOL"""

import csv
import sys

from api import request

COLUMNS = ("trade_id", "price", "quantity", "taker_side", "sequence")
rows = csv.writer(sys.stdout)
rows.writerow(COLUMNS)
before = ""
while True:
    page = request(f"/market/{sys.argv[1]}/trades?limit=500{before}")
    for trade in page["trades"]:
        rows.writerow(trade[name] for name in COLUMNS)
    if page["next"] is None:
        break
    before = f"&before={page['next']}"
