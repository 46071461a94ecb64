"""What may stand in the headers of a native command. None of them reaches the log.

JetStream obeys headers whose names begin with `Nats-`. The relay appends a message of its own,
so they have no effect; who sends one that would mean something must not believe that it does.
"""

from typing import Final

from streams.relay.errors import BatchRefused, HeaderRefused

_LINE: Final = b"\r\n"
_OWN: Final = b"Nats-Request-Info:"
"""The server puts this one into everything that crosses the border."""
_LINES_OF_OWN: Final = 3
"""The version, that header, and the empty line."""
_PREFIX: Final = "nats-"
_BATCH: Final = "nats-batch-"
_WITHOUT_EFFECT: Final = ("nats-request-info", "nats-msg-id", "nats-trace-")
"""Message ids are stream-wide, so one trader's would swallow another's order: they are dropped,
as a client's library may put them in unasked."""
_EXPECTED_STREAM: Final = "nats-expected-stream"


def check_headers(header: bytes, stream: str) -> None:
    """Pass what has no effect, or an expectation that holds: that the command goes to `stream`.

    Raises BatchRefused, and HeaderRefused for any other header of JetStream.
    """
    if _OWN in header and header.count(_LINE) <= _LINES_OF_OWN:
        return
    for line in header.split(_LINE)[1:]:
        name, _, value = line.decode("latin-1").partition(":")
        name = name.strip().lower()
        if not name.startswith(_PREFIX) or name.startswith(_WITHOUT_EFFECT):
            continue
        if name.startswith(_BATCH):
            raise BatchRefused("no batches of a trader's own: send place_orders, or one by one")
        if name != _EXPECTED_STREAM or value.strip() != stream:
            raise HeaderRefused(f"{name[:40]}: this header has no meaning here")
