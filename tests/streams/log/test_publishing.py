"""The bytes of a publish and the reading of acks, without a server."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import AppendFailed
from streams.log import publishing
from streams.log.ports import Fence

SUBJECT = b"main.cmd.order.ada"


def take(data: bytes) -> tuple[list[bytes], bytes, bytes, bytes]:
    """Cut one publish off: the words of its first line, header, payload, and the rest."""
    line, _, rest = data.partition(b"\r\n")
    words = line.split(b" ")
    total = int(words[-1])
    head = int(words[-2]) if words[0] == b"HPUB" else 0
    assert rest[total : total + 2] == b"\r\n"
    return words, rest[:head], rest[head:total], rest[total + 2 :]


@given(payload=st.binary(max_size=300), fenced=st.booleans())
def test_one_message_is_framed(payload: bytes, fenced: bool) -> None:
    header = publishing.fence_header(Fence("main.evt.x.epoch", 7) if fenced else None)
    words, head, body, rest = take(publishing.single(SUBJECT, b"in.1", payload, header))
    assert words[:3] == [b"HPUB" if fenced else b"PUB", SUBJECT, b"in.1"]
    assert (body, rest) == (payload, b"")
    if fenced:
        assert head == (
            b"NATS/1.0\r\n"
            b"Nats-Expected-Last-Subject-Sequence: 7\r\n"
            b"Nats-Expected-Last-Subject-Sequence-Subject: main.evt.x.epoch\r\n\r\n"
        )


@given(payloads=st.lists(st.binary(max_size=50), min_size=1, max_size=30), fenced=st.booleans())
def test_a_batch_is_framed_numbered_and_committed_once(payloads: list[bytes], fenced: bool) -> None:
    header = publishing.fence_header(Fence("f", 1) if fenced else None)
    rest = publishing.batch([(SUBJECT, one) for one in payloads], b"id", b"in.1", b"in.2", header)
    for number, payload in enumerate(payloads, 1):
        words, head, body, rest = take(rest)
        last = number == len(payloads)
        assert body == payload
        assert head.startswith(b"NATS/1.0\r\nNats-Batch-Id: id\r\n")
        assert head.endswith(b"\r\n\r\n")
        assert b"Nats-Batch-Sequence: %d\r\n" % number in head
        assert (b"Nats-Batch-Commit: 1\r\n" in head) == last
        assert (b"Expected" in head) == (fenced and number == 1)
        replies = {1: [b"in.1"]} | {len(payloads): [b"in.2"]}
        assert words[2:-2] == replies.get(number, [])
    assert rest == b""


@pytest.mark.parametrize(
    ("status", "payload", "sequence", "error"),
    [
        (0, b'{"stream":"LOG_main","seq":4,"batch":"b1","count":3}', 4, 0),
        (0, b'{"error":{"code":400,"err_code":10071,"description":"no"},"seq":0}', 0, 10071),
        (0, b'{"error":{"code":503}}', 0, 503),
        (503, b"", 0, 503),
        (0, b"", 0, 500),
        (0, b"{", 0, 500),
        (0, b"{}", 0, 500),
        (0, b'{"seq":-1}', 0, 500),
        (0, b"\xff", 0, 500),
    ],
)
def test_acks(status: int, payload: bytes, sequence: int, error: int) -> None:
    ack = publishing.read_ack(status, payload)
    assert (ack.sequence, ack.error) == (sequence, error)
    assert bool(ack.text) == bool(error) or error == 503


@given(st.text(max_size=300))
def test_no_subject_can_break_out_of_its_line(text: str) -> None:
    try:
        subject = publishing.check_subject(f"main.{text}", "main.")
    except AppendFailed:
        return
    assert re.fullmatch(rb"main(\.[!-~]+)+", subject)
    assert not re.search(rb"(^|\.)[*>](\.|$)", subject)
