"""The realtime envelope (EM-118): what every message of a feed channel looks like.

`sequence_number` is dense from 1 per channel, so a reader knows when it missed one.
`event_id` is `<log sequence>-<position in the record>`; `log_sequence` and `ts` are the
record's. Amounts in `payload` are decimals as strings; counts are integers.
"""

from typing import Any

import msgspec

from schemas.codec import encode


class Envelope(msgspec.Struct, kw_only=True, frozen=True):
    channel: str
    sequence_number: int
    event_id: str
    log_sequence: int
    ts: str
    source_of_truth: str
    producer: str
    kind: str
    payload: dict[str, Any]


decode_envelope = msgspec.json.Decoder(Envelope).decode
encode_envelope = encode
