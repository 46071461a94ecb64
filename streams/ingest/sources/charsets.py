"""Bytes to text, as the web does it.

The charset is that of the byte order mark, else that of the header, else the one that the
document declares, else UTF-8.
"""

import codecs
import re
from typing import Final

from schemas.observations import FetchProblem
from streams.ingest.fetching.problems import Unfetched

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_TAKEN_AS: Final = {"iso8859-1": "cp1252", "ascii": "cp1252", "utf-16": "utf-16-le"}
"""These labels mean other charsets in the Encoding Standard."""
_ALLOWED: Final = re.compile(
    r"utf-8|utf-16(-[lb]e)?|iso8859-\d+|cp125\d|cp874|cp866|ascii|koi8-[ru]|mac-(roman|cyrillic)"
    r"|tis-620|gb2312|gbk|gb18030|big5(hkscs)?|shift_jis|cp932|euc_(jp|kr)|cp949|iso2022_jp"
)
"""Python knows more charsets, and some of them (utf-7, unicode_escape) are dangerous."""
_DECLARED_XML: Final = re.compile(
    rb"""^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']"""
)
_DECLARED_HTML: Final = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9._-]{1,40})""", re.IGNORECASE
)
_LOOKED_AT_BYTES: Final = 1_024
_BAD_SHARE: Final = 100
"""A text with more than one unreadable character in this many is in another charset."""


def decode(body: bytes, claimed: str) -> str:
    """Return `body` as text. `claimed` is the header's charset. Raises Unfetched(BAD_CHARSET).

    A few wrong bytes become U+FFFD.
    """
    for mark, name in _MARKS:
        if body.startswith(mark):
            return _decoded(body[len(mark) :], name)
    return _decoded(body, _codec(claimed or _declared(body) or "utf-8"))


def _declared(body: bytes) -> str:
    head = body[:_LOOKED_AT_BYTES]
    if head.startswith((b"<\x00", b"\x00<")):  # XML in UTF-16 without a mark
        return "utf-16-le" if head.startswith(b"<\x00") else "utf-16-be"
    found = _DECLARED_XML.search(head) or _DECLARED_HTML.search(head)
    if found is None:
        return ""
    name = found[1].decode("ascii")
    # The declaration was read as ASCII, so the document is not in UTF-16.
    return "utf-8" if name.lower().startswith("utf-16") else name


def _codec(label: str) -> str:
    try:
        name = codecs.lookup(label.strip().strip("\"'")).name
    except (LookupError, ValueError) as error:
        raise Unfetched(FetchProblem.BAD_CHARSET, "a charset that nobody knows") from error
    if _ALLOWED.fullmatch(name) is None:
        raise Unfetched(FetchProblem.BAD_CHARSET, "a charset that is not taken")
    return _TAKEN_AS.get(name, name)


def _decoded(body: bytes, name: str) -> str:
    text = body.decode(name, "replace")
    if text.count("\ufffd") * _BAD_SHARE > len(text):
        raise Unfetched(FetchProblem.BAD_CHARSET, f"not {name}")
    return text
