"""Cancel every open order of an account.   TOKEN=… cancel_all.py"""

from api import request

resting = request("/orders?status=open")["orders"]
print(f"{len(resting)} open")
answer = request("/cancel?wait=outcome", {"all": True})
print(f"cancelled: {answer['status']}")
