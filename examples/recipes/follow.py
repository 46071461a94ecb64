"""Follow channels as Server-Sent Events.   follow.py COUNT CHANNEL [CHANNEL …]

Each event's id is the position on every channel; send the last one back as Last-Event-ID and
nothing is missed.
"""

import json
import sys
import urllib.request

from api import API

count, channels = int(sys.argv[1]), "&channel=".join(sys.argv[2:])
asked = urllib.request.Request(f"{API}/feed?channel={channels}", headers={"Last-Event-ID": "0"})
with urllib.request.urlopen(asked, timeout=60) as stream:
    for line in stream:
        if line.startswith(b"data:"):
            message = json.loads(line[5:])
            print(message["channel"], message["kind"])
            count -= 1
        if count == 0:
            break
