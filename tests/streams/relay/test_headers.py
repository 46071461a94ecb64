"""What a native command's headers may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.relay.errors import BatchRefused, HeaderRefused
from streams.relay.headers import check_headers

OWN = b'Nats-Request-Info: {"acc":"TRADERS","rtt":1}'


def header(*lines: bytes) -> bytes:
    return b"\r\n".join((b"NATS/1.0", *lines, OWN, b"", b""))


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (b"Nats-Msg-Id: 1",),
        (b"nats-msg-id: 1", b"traceparent: 00-1"),
        (b"Nats-Trace-Dest: main.evt.exchange",),
        (b"Nats-Expected-Stream: LOG_main",),
        (b"Nats-Expected-Stream:LOG_main ",),
        (b"Status: 503", b"no colon at all", b"\xff\xfe: \x00", b": nameless"),
    ],
)
def test_what_has_no_effect_passes(lines: tuple[bytes, ...]) -> None:
    check_headers(header(*lines), "LOG_main")


def test_a_header_without_the_servers_own_line_is_looked_at() -> None:
    check_headers(b"NATS/1.0\r\nA: b\r\n\r\n", "LOG_main")
    with pytest.raises(HeaderRefused):
        check_headers(b"NATS/1.0\r\nNats-Rollup: all\r\n\r\n", "LOG_main")


@pytest.mark.parametrize(
    "name",
    [
        "Nats-Expected-Last-Sequence",
        "Nats-Expected-Last-Subject-Sequence",
        "Nats-Rollup",
        "Nats-TTL",
        "Nats-Incr",
        "Nats-Schedule",
        "Nats-Something-Of-A-Later-Server",
    ],
)
def test_what_would_mean_something_is_refused_by_name(name: str) -> None:
    with pytest.raises(HeaderRefused, match=name.lower()):
        check_headers(header(b"A: b", f"{name}: 1".encode()), "LOG_main")


@pytest.mark.parametrize("name", ["Id", "Sequence", "Commit"])
def test_a_batch_says_what_to_send_instead(name: str) -> None:
    with pytest.raises(BatchRefused, match="place_orders"):
        check_headers(header(f"Nats-Batch-{name}: 1".encode()), "LOG_main")


def test_another_stream_is_not_this_one() -> None:
    with pytest.raises(HeaderRefused):
        check_headers(header(b"Nats-Expected-Stream: FEED_main"), "LOG_main")


@given(st.binary(max_size=200))
def test_whatever_bytes_there_are(junk: bytes) -> None:
    try:
        check_headers(b"NATS/1.0\r\n" + junk + b"\r\n" + OWN + b"\r\n\r\n", "LOG_main")
    except HeaderRefused:
        assert b"nats-" in junk.lower()
