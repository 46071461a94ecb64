"""Content encodings as servers send them: gzip in members, deflate with a header or without.

What `Content-Encoding` says and is no encoding (`UTF-8`, `none`, `identity`) counts as none. A body
that begins as gzip does is unpacked also when nothing says so: files end in `.gz` there. What is
packed twice is unpacked once, and a header that says so is refused.

The output comes in steps of UNPACK_STEP_BYTES, so that who counts it can stop: a small body
cannot become gigabytes.
"""

import zlib
from collections.abc import Iterator
from typing import Final

from schemas.observations import FetchProblem
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.limits import MAX_GZIP_MEMBERS, UNPACK_STEP_BYTES

_UNPACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})
_ENCODINGS: Final = _UNPACKED | {"br", "zstd", "compress", "x-compress", "dcb", "dcz"}
"""What a Content-Encoding can be: https://www.iana.org/assignments/http-parameters."""
_TELLING_BYTES: Final = 3
"""So many bytes tell how a body is packed,"""
_MAGIC: Final = b"\x1f\x8b\x08"
"""and with these a member of gzip begins: RFC 1952, 2.3.1."""
_GZIP_BITS: Final = 16 + zlib.MAX_WBITS
"""zlib's word for a gzip header and trailer."""


class Unpacking:
    """Unpacks one body. `encoding` is its Content-Encoding, `status` that of its response."""

    def __init__(self, encoding: str, status: int = 0) -> None:
        """Raise Unfetched(BAD_TYPE) for an encoding that was not asked for, and for two."""
        said = [one for one in map(str.strip, encoding.lower().split(",")) if one in _ENCODINGS]
        if len(said) > 1 or not _UNPACKED.issuperset(said):
            raise Unfetched(FetchProblem.BAD_TYPE, "an encoding not asked for", status)
        self._is_packed = bool(said)
        self._is_deflate = said == ["deflate"]
        self._status = status
        self._held = b""
        self._stream: zlib._Decompress | None = None
        self._members = 0
        self._passes = False
        self.is_over = False
        """Whether nothing that follows is a part of the body."""

    def take(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what `chunk` adds to the body. Raises Unfetched for what cannot be unpacked."""
        self._held += chunk
        while self._held and not self.is_over:
            if self._passes:
                part, self._held = self._held, b""
                yield part
            elif self._stream is not None:
                yield self._inflated(self._stream)
            elif len(self._held) < _TELLING_BYTES:
                return
            else:
                self._begin()

    def end(self) -> Iterator[bytes]:
        """Yield what is left now that the body has ended. Raises Unfetched if it ends too soon."""
        if self._held and self._stream is None and not self._members:
            self._begin()
            yield from self.take(b"")
        while (stream := self._stream) is not None:
            part = self._inflated(stream)
            if not part and self._stream is not None:
                raise Unfetched(FetchProblem.UNREACHABLE, "the body ends too soon", self._status)
            yield part

    def _begin(self) -> None:
        """Look at the first bytes of a body or of a further member of gzip."""
        is_gzip = self._held.startswith(_MAGIC)
        if not self._members and not self._is_packed and not is_gzip:
            self._passes = True
        elif self._members and (self._is_deflate or not is_gzip):
            self.is_over = True
        else:
            self._members += 1
            if self._members > MAX_GZIP_MEMBERS:
                raise Unfetched(
                    FetchProblem.TOO_LARGE, f"more than {MAX_GZIP_MEMBERS} members", self._status
                )
            self._stream = zlib.decompressobj(self._bits())

    def _bits(self) -> int:
        if not self._is_deflate:
            return _GZIP_BITS
        # RFC 1950, 2.2: this is how a header of zlib is told. Many servers leave it out.
        has_header = self._held[0] & 15 == 8 and int.from_bytes(self._held[:2]) % 31 == 0
        return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS

    def _inflated(self, stream: "zlib._Decompress") -> bytes:
        try:
            part = stream.decompress(self._held, UNPACK_STEP_BYTES)
        except zlib.error as error:
            raise Unfetched(
                FetchProblem.BAD_TYPE, "not what its encoding says", self._status
            ) from error
        self._held = stream.unused_data if stream.eof else stream.unconsumed_tail
        if stream.eof:
            self._stream = None
        return part
