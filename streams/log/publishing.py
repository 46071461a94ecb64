"""The bytes of a publish and the meaning of the server's answer. No I/O.

One message is a PUB, or an HPUB where headers fence it. An atomic batch (ADR-50) is an
HPUB per message with `Nats-Batch-Id` and `Nats-Batch-Sequence` from 1, the last one with
`Nats-Batch-Commit`; the server answers only the first message and the last.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from schemas.errors import AppendFailed
from schemas.limits import MAX_ATOMIC_BATCH
from streams.log.ports import Fence

HEADER_ROOM: Final = 512
"""Bytes that headers may add to a payload, the longest fence's subject included."""
MAX_SUBJECT_CHARS: Final = 255
WRONG_LAST_SEQUENCE: Final = 10071
BATCHES_FULL: Final = 10210
"""As many batches are open as the server takes: anybody's, of one stream or of all."""

_LITERAL = re.compile(r"[!-)+-=?-~]+")
"""Printable ASCII without space, `*` and `>`: a subject that can be published to."""


class Ack(NamedTuple):
    """A server's answer: a sequence (of a batch's last message), or an error's code and text."""

    sequence: int
    error: int = 0
    text: str = ""


class _Error(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _PubAck(msgspec.Struct):
    seq: int = 0
    error: _Error | None = None


_decode_ack = msgspec.json.Decoder(_PubAck).decode


def read_ack(status: int, payload: bytes) -> Ack:
    """Read a publish's answer. An unreadable answer is an error, never a sequence."""
    if not payload:
        return Ack(0, status or 500, "no stream takes this subject" if status == 503 else "refused")
    try:
        answer = _decode_ack(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Ack(0, 500, "unreadable answer")
    if answer.error is not None:
        return Ack(0, answer.error.err_code or answer.error.code, answer.error.description)
    if answer.seq <= 0:
        return Ack(0, 500, "answer without a sequence")
    return Ack(answer.seq)


@lru_cache(maxsize=65_536)
def check_subject(subject: str, prefix: str) -> bytes:
    """Return the subject's bytes; raise AppendFailed unless it is a literal one under `prefix`."""
    tokens = subject.split(".")
    if (
        not subject.startswith(prefix)
        or len(subject) > MAX_SUBJECT_CHARS
        or not all(_LITERAL.fullmatch(token) for token in tokens)
    ):
        raise AppendFailed(f"not a subject of this stream: {subject[:MAX_SUBJECT_CHARS]!r}")
    return subject.encode()


def check_size(payload: bytes, max_payload: int) -> None:
    """Raise AppendFailed if the server would close the connection on `payload`."""
    if len(payload) + HEADER_ROOM > max_payload:
        raise AppendFailed(f"{len(payload)} bytes are more than the log takes")


def fence_header(fence: Fence | None) -> bytes:
    """Return the header lines that make the server check `fence`."""
    if fence is None:
        return b""
    return (
        b"Nats-Expected-Last-Subject-Sequence: %d\r\n"
        b"Nats-Expected-Last-Subject-Sequence-Subject: %b\r\n"
    ) % (fence.sequence, fence.subject.encode())


EMPTY_LOG_HEADER: Final = b"Nats-Expected-Last-Sequence: 0\r\n"


def single(subject: bytes, reply: bytes, payload: bytes, header: bytes = b"") -> bytes:
    """Return the bytes that publish one message."""
    if not header:
        return b"PUB %b %b %d\r\n%b\r\n" % (subject, reply, len(payload), payload)
    size = len(header) + 12  # NATS/1.0, its line end, and the empty line
    total = size + len(payload)
    return b"HPUB %b %b %d %d\r\nNATS/1.0\r\n%b\r\n%b\r\n" % (
        subject,
        reply,
        size,
        total,
        header,
        payload,
    )


_BATCH_HEADER: Final = b"NATS/1.0\r\nNats-Batch-Id: %b\r\nNats-Batch-Sequence: %d\r\n"
_COMMIT: Final = b"Nats-Batch-Commit: 1\r\n"


def batch(
    messages: Sequence[tuple[bytes, bytes]],
    batch_id: bytes,
    first_reply: bytes,
    last_reply: bytes,
    header: bytes = b"",
) -> bytes:
    """Return the bytes that publish 1 to MAX_ATOMIC_BATCH messages, all or none.

    `header` (a fence) goes on the first message, because the server accepts it only there.
    """
    count = len(messages)
    if not 1 <= count <= MAX_ATOMIC_BATCH:
        raise AppendFailed(f"a batch holds 1 to {MAX_ATOMIC_BATCH} messages, not {count}")
    parts: list[bytes] = []
    for number, (subject, payload) in enumerate(messages, 1):
        head = _BATCH_HEADER % (batch_id, number)
        reply = b""
        if number == 1:
            head += header
            reply = first_reply + b" "
        if number == count:
            head += _COMMIT
            reply = last_reply + b" "
        size = len(head) + 2
        parts.append(
            b"HPUB %b %b%d %d\r\n%b\r\n%b\r\n"
            % (subject, reply, size, size + len(payload), head, payload)
        )
    return b"".join(parts)
