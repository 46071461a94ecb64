"""Bytes to text, as browsers do it, and a little better where they would show nonsense.

The charset is that of the byte order mark. Without one, what has more characters of UTF-8 than
bytes that are none of it is UTF-8, whatever it says of itself: servers add `charset=ISO-8859-1`
to everything. Then the header's charset counts, then the one that the document declares. A name
that nobody knows says nothing, and where nothing is said or UTF-8 is said in vain, it is
windows-1252 (decision 0076).

Labels mean what the Encoding Standard says: https://encoding.spec.whatwg.org/#names-and-labels.
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
_WIDE: Final = frozenset({"utf-16-le", "utf-16-be"})
_FALLBACK: Final = "cp1252"
_TAKEN_AS: Final = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "utf-16": "utf-16-le",
}
"""These labels mean other charsets in the Encoding Standard, mostly larger ones."""
_LABELS: Final = {
    **{f"iso8859{part}": f"iso8859-{part}" for part in (*range(1, 11), 13, 14, 15)},
    **{f"x-cp{page}": f"cp{page}" for page in range(1250, 1259)},
    **dict.fromkeys(("csiso88596e", "csiso88596i", "iso-8859-6-e", "iso-8859-6-i"), "iso8859-6"),
    "sun_eu_greek": "iso8859-7",
    **dict.fromkeys(("csiso88598e", "iso-8859-8-e", "visual"), "iso8859-8"),
    **dict.fromkeys(("csiso88598i", "iso-8859-8-i", "logical"), "iso8859-8"),
    "csisolatin9": "iso8859-15",
    "unicode-1-1-utf-8": "utf-8",
    **dict.fromkeys(("koi", "koi8"), "koi8-r"),
    **dict.fromkeys(("csmacintosh", "mac", "x-mac-roman"), "mac-roman"),
    **dict.fromkeys(("x-mac-cyrillic", "x-mac-ukrainian"), "mac-cyrillic"),
    **dict.fromkeys(("dos-874", "iso885911", "windows-874"), "cp874"),
    **dict.fromkeys(("csgb2312", "gb_2312", "gb_2312-80", "x-gbk"), "gb18030"),
    **dict.fromkeys(("cn-big5", "x-x-big5"), "big5hkscs"),
    **dict.fromkeys(("cseucpkdfmtjapanese", "x-euc-jp"), "euc_jp"),
    **dict.fromkeys(("windows-31j", "x-sjis"), "cp932"),
    **dict.fromkeys(("cseuckr", "csksc56011987", "iso-ir-149", "ks_c_5601-1989"), "cp949"),
    **dict.fromkeys(("ksc_5601", "windows-949"), "cp949"),
}
"""Labels of the Encoding Standard that Python does not know."""
_ALLOWED: Final = re.compile(
    r"utf-8|utf-16(-[lb]e)?|iso8859-\d+|cp125\d|cp874|cp866|ascii|koi8-[ru]|mac-(roman|cyrillic)"
    r"|tis-620|gb2312|gbk|gb18030|big5(hkscs)?|shift_jis|cp932|euc_(jp|kr)|cp949|iso2022_jp"
)
"""Python knows more charsets, and some of them (utf-7, unicode_escape) are dangerous."""
_BETWEEN: Final = re.compile(r"[\s,;\"']+")
_DECLARED_XML: Final = re.compile(
    rb"""^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']\s*([A-Za-z0-9._:()+-]{1,40})"""
)
_DECLARED_HTML: Final = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9._:()+-]{1,40})""", re.IGNORECASE
)
_LOOKED_AT_BYTES: Final = 8 * 1_024
_BAD_SHARE: Final = 100
"""A text with more than one unreadable character in this many is in another charset."""
_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\n\f\r\x1b"))
"""Bytes that no text has: https://mimesniff.spec.whatwg.org/#binary-data-byte."""


def decode(body: bytes, claimed: str) -> str:
    """Return `body` as text. `claimed` is what the header says. Raises Unfetched(BAD_CHARSET).

    A few wrong bytes become U+FFFD.
    """
    for mark, name in _MARKS:
        if body.startswith(mark):
            return _decoded(body[len(mark) :], name)
    head = body[:_LOOKED_AT_BYTES]
    if head.startswith((b"<\x00", b"\x00<")):  # XML in UTF-16 without a mark
        return _decoded(body, "utf-16-le" if head.startswith(b"<\x00") else "utf-16-be")
    if not body.isascii() and _is_utf8(body):
        return _decoded(body, "utf-8")
    return _as_said(body, [*_BETWEEN.split(claimed), _declared(head)])


def _as_said(body: bytes, labels: list[str]) -> str:
    """Return `body`, which has no use of UTF-8, by the first of `labels` that fits it."""
    misfit = ""
    for label in labels:
        name = _codec(label)
        # A text in UTF-16 has zeros. What was read as ASCII to find its charset has none.
        if not name or (name in _WIDE and b"\0" not in body):
            continue
        text = body.decode(name, "replace")
        if "\ufffd" not in text or (name != "utf-8" and _is_readable(text)):
            return text
        misfit = misfit or (name if name != "utf-8" else "")
    if misfit or _is_binary(body):
        raise Unfetched(FetchProblem.BAD_CHARSET, f"not {misfit}" if misfit else "not a text")
    return _decoded(body, _FALLBACK)


def _declared(head: bytes) -> str:
    found = _DECLARED_XML.search(head) or _DECLARED_HTML.search(head)
    return found[1].decode("ascii") if found is not None else ""


def _codec(label: str) -> str:
    """Return the codec that `label` means, "" if nobody knows it. Raises Unfetched."""
    label = label.strip().lower()
    try:
        name = codecs.lookup(_LABELS.get(label, label)).name
    except (LookupError, ValueError):
        return ""
    if _ALLOWED.fullmatch(name) is None:
        raise Unfetched(FetchProblem.BAD_CHARSET, "a charset that is not taken")
    return _TAKEN_AS.get(name, name)


def _is_utf8(body: bytes) -> bool:
    """Tell whether more of `body` is UTF-8 beyond ASCII than is broken."""
    text = body.decode("utf-8", "replace")
    beyond = len(text) - len(text.encode("ascii", "ignore"))
    return beyond > 2 * (text.count("\ufffd") - body.count("\ufffd".encode()))


def _is_binary(body: bytes) -> bool:
    """Tell whether `body` is no text. Almost any bytes can be read as windows-1252."""
    controls = len(body) - len(body.translate(None, _CONTROLS))
    return not body.isascii() and controls * _BAD_SHARE > len(body)


def _decoded(body: bytes, name: str) -> str:
    text = body.decode(name, "replace")
    if not _is_readable(text):
        raise Unfetched(FetchProblem.BAD_CHARSET, f"not {name}")
    return text


def _is_readable(text: str) -> bool:
    return text.count("\ufffd") * _BAD_SHARE <= len(text)
