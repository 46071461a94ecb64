"""The bytes of answers, in the shape that clients of JetStream read.

    {"stream":"LOG_main","seq":1234,"shard":"main"}
    {"error":{"code":429,"err_code":0,"description":"…"},"code":"command_quota","retry_after_s":1}

The inner `code` is a status as HTTP has them, since libraries choose their exception by it;
the outer one is the venue's stable code.
"""

from typing import Final

from schemas.codec import encode
from schemas.errors import (
    Busy,
    EverythingError,
    InputError,
    MalformedMessage,
    OverQuota,
    TooLarge,
)
from schemas.limits import RETRY_AFTER_S

_BAD_REQUEST: Final = 400
_TOO_LARGE: Final = 413
_TOO_MANY: Final = 429
_INVALID: Final = 422
_UNAVAILABLE: Final = 503


def stored(stream: str, sequence: int, shard: str) -> bytes:
    """Return the answer to a command that is on the log."""
    return b'{"stream":"%b","seq":%d,"shard":"%b"}' % (stream.encode(), sequence, shard.encode())


def refused(error: EverythingError) -> bytes:
    """Return the answer to a command that is not on the log, or not known to be there."""
    status = _status(error)
    description = f"{error.code}: {error}" if str(error) else error.code
    said = {"code": status, "err_code": 0, "description": description}
    answer: dict[str, object] = {"error": said, "code": error.code}
    if isinstance(error, OverQuota | Busy):
        answer["retry_after_s"] = error.retry_after_s
    elif status == _UNAVAILABLE:
        answer["retry_after_s"] = RETRY_AFTER_S
    return encode(answer)


def _status(error: EverythingError) -> int:
    match error:
        case OverQuota():
            return _TOO_MANY
        case MalformedMessage():
            return _BAD_REQUEST
        case TooLarge():
            return _TOO_LARGE
        case InputError():
            return _INVALID
        case _:
            return _UNAVAILABLE
