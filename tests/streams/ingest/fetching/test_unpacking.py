"""Content encodings: members, headers that are left out, and what a body can cost."""

import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ingest import limits
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.fetching.unpacking import Unpacking
from tests.streams.ingest.fetching.web import fails
from tests.support.drawing import drawn

TEXT = b"<rss>" + b"<item>something happened</item>" * 3_000 + b"</rss>"


def raw(body: bytes) -> bytes:
    """Compress without header or trailer, as many servers send `deflate`."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def parts(encoding: str, *chunks: bytes) -> Iterator[bytes]:
    unpacking = Unpacking(encoding)
    for chunk in chunks:
        yield from unpacking.take(chunk)
    yield from unpacking.end()


def unpacked(encoding: str, *chunks: bytes) -> bytes:
    return b"".join(parts(encoding, *chunks))


@pytest.mark.parametrize("step", [1, 2, 3, 1_000, 10**9])
@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT)),
        ("GZIP ", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw(TEXT)),
        ("gzip", gzip.compress(TEXT[:9]) + gzip.compress(b"") + gzip.compress(TEXT[9:])),
        ("gzip", gzip.compress(TEXT) + b"\0" * 99),
        ("gzip", gzip.compress(TEXT) + b"\x1f"),
        ("deflate", zlib.compress(TEXT) + gzip.compress(b"more")),
        ("deflate", raw(TEXT) + b"more"),
        ("utf-8, gzip", gzip.compress(TEXT)),
        ("", gzip.compress(TEXT)),
        ("utf-8", gzip.compress(TEXT)),
    ],
)
def test_a_body_is_unpacked_however_it_arrives(encoding: str, packed: bytes, step: int) -> None:
    chunks = [packed[at : at + step] for at in range(0, len(packed), step)]
    assert unpacked(encoding, *chunks) == TEXT


@pytest.mark.parametrize("body", [b"", b"x", b"xy", b"\x1f", b"\x1f\x8b", b"\x1f\x8b\x07"])
def test_a_short_body_is_itself(body: bytes) -> None:
    assert unpacked("", body) == body


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate", "none"])
def test_no_body_is_none(encoding: str) -> None:
    assert unpacked(encoding) == b""


def test_an_empty_body_may_be_packed() -> None:
    assert unpacked("gzip", gzip.compress(b"")) == b""
    assert unpacked("deflate", raw(b"")) == b""
    assert unpacked("deflate", zlib.compress(b"")) == b""


@pytest.mark.parametrize(
    "encoding", ["br", "zstd", "compress", "gzip, gzip", "gzip, deflate", "gzip,br"]
)
def test_what_was_not_asked_for_is_refused(encoding: str) -> None:
    with fails("bad_type"):
        Unpacking(encoding)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("gzip", gzip.compress(TEXT)), ("deflate", zlib.compress(TEXT)), ("deflate", raw(TEXT)),
     ("gzip", gzip.compress(b"x") + gzip.compress(TEXT)), ("", gzip.compress(TEXT))],
)  # fmt: skip
def test_a_body_that_is_cut_off(encoding: str, packed: bytes) -> None:
    for end in (len(packed) - 1, len(packed) // 2, len(packed) // 2 + 1):
        with fails("unreachable"):
            unpacked(encoding, packed[:end])


def test_what_is_packed_twice_is_unpacked_once() -> None:
    twice = gzip.compress(gzip.compress(TEXT))
    assert unpacked("gzip", twice) == gzip.decompress(twice)


def test_members_are_bounded() -> None:
    member = gzip.compress(b"")
    assert unpacked("gzip", member * limits.MAX_GZIP_MEMBERS) == b""
    with fails("too_large"):
        unpacked("gzip", member * (limits.MAX_GZIP_MEMBERS + 1))


@pytest.mark.parametrize("packed", [raw(b"\0" * 50_000_000), gzip.compress(b"\0" * 9_999) * 900])
def test_the_output_comes_in_bounded_steps(packed: bytes) -> None:
    encoding = "gzip" if packed.startswith(b"\x1f\x8b") else "deflate"
    tracemalloc.start()
    try:
        assert max(map(len, parts(encoding, packed))) <= limits.UNPACK_STEP_BYTES
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2_000_000


def test_what_stands_behind_the_last_member_is_not_kept() -> None:
    unpacking = Unpacking("gzip")
    assert b"".join(unpacking.take(gzip.compress(b"x") + b"junk")) == b"x"
    assert unpacking.is_over


@drawn(200)
@given(
    body=st.binary(max_size=300),
    encoding=st.sampled_from(["", "gzip", "deflate"]),
    at=st.integers(0, 300),
    octet=st.integers(0, 255),
    step=st.integers(1, 50),
)
def test_damage_is_a_problem_or_other_bytes(
    body: bytes, encoding: str, at: int, octet: int, step: int
) -> None:
    packed = {"": body, "gzip": gzip.compress(body), "deflate": raw(body)}[encoding]
    damaged = packed[:at] + bytes([octet]) + packed[at + 1 :]
    chunks = [damaged[n : n + step] for n in range(0, len(damaged), step)]
    with contextlib.suppress(Unfetched):
        assert len(unpacked(encoding, *chunks)) <= 1_000_000
