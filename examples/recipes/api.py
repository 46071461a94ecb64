"""What the recipes share: one request, its JSON answer, and the error envelope as an exception.

The standard library is all it takes. `API` and `TOKEN` come from the environment.
"""

import json
import os
import urllib.error
import urllib.request
from typing import Any

API = os.environ.get("API", "http://127.0.0.1:8000/api/v1")
TOKEN = os.environ.get("TOKEN", "")
TIMEOUT_S = 15


class Refused(Exception):
    """The venue said no; `code` is stable, the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def request(path: str, body: dict[str, Any] | None = None) -> Any:
    """GET `path`, or POST `body` to it, and return what the JSON answer holds."""
    headers = {"Content-Type": "application/json"}
    if TOKEN:
        headers["Authorization"] = f"Bearer {TOKEN}"
    data = json.dumps(body).encode() if body is not None else None
    asked = urllib.request.Request(f"{API}{path}", data, headers)
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        said = json.load(error)["error"]
        raise Refused(said["code"], said["message"]) from None
