"""Refuse, before decoding, what only some interpreters could decode.

How deep a JSON decoder can go depends on how deep its caller already is, and how many
digits an integer may have depends on the environment. Engines must judge the same bytes
the same way everywhere, so both have bounds of their own, far below anyone's.
"""

import re
from typing import Final

from schemas.errors import MalformedMessage
from schemas.limits import MAX_INTEGER_DIGITS, MAX_NESTING

UNCHECKED_BYTES: Final = 512
"""So few bytes can neither nest nor count too far; an ordinary order is shorter."""

ANY_BYTES: Final = 2**62

_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")
_ANY_DIGIT: Final = bytes(48 if 48 <= byte <= 57 else byte for byte in range(256))
_TOO_LONG: Final = b"0" * (MAX_INTEGER_DIGITS + 1)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def check(data: bytes) -> None:
    """Raise MalformedMessage if JSON `data` nests or counts further than the limits allow."""
    few_brackets = data.count(b"[") + data.count(b"{") <= MAX_NESTING
    if few_brackets and not _counts_too_far(data):
        return
    bare = _without_strings(data)
    if _counts_too_far(bare):
        raise MalformedMessage(f"an integer has more than {MAX_INTEGER_DIGITS} digits")
    if _nests_too_deep(bare):
        raise MalformedMessage(f"nested deeper than {MAX_NESTING}")


def _without_strings(data: bytes) -> bytes:
    if b"\\" in data:
        return _STRING.sub(b"", data)
    return b"".join(data.split(b'"')[::2])  # several times faster, and nearly always enough


def _counts_too_far(data: bytes) -> bool:
    return _TOO_LONG in data.translate(_ANY_DIGIT)


def _nests_too_deep(bare: bytes) -> bool:
    """Tell whether more than MAX_NESTING rounds of taking out the innermost level are left.

    What is not balanced is malformed; then it is enough that little of it remains.
    """
    brackets = bare.translate(_ONE_KIND, _NOT_BRACKETS)
    for _ in range(MAX_NESTING):
        outer = brackets.replace(b"[]", b"")
        if len(outer) == len(brackets):
            return len(brackets) > MAX_NESTING
        brackets = outer
    return bool(brackets)
