"""Document types: which of them a feed may declare.

A document type can make a large document out of a small one, and name files to be read. So
none is ever handed to a parser. Some feeds only say with it that they are RSS 0.91, or name
a few characters. Those are known by their text, and everything else is refused.
"""

import html
import re
from typing import Final, NamedTuple

from streams.ingest.limits import MAX_XML_ENTITY_CHARS

_KNOWN_IDS: Final = (
    "-//netscape communications//dtd rss 0.9",
    "http://my.netscape.com/publish/formats/rss-0.9",
    "http://www.rssboard.org/rss-0.9",
    "http://backend.userland.com/rss091",
    "-//w3c//dtd html ",
    "-//w3c//dtd xhtml ",
    "-//w3c//entities ",
)
"""How the public or system ids begin of what once was usual, in lower case. None is fetched."""
_QUOTED: Final = r"""(?:"[^"<>]*+"|'[^'<>]*+')"""
_EXTERNAL: Final = rf"(?:PUBLIC\s++{_QUOTED}(?:\s*+{_QUOTED})?+|SYSTEM\s++{_QUOTED})"
_ENTITY: Final = r"""<!ENTITY\s++([A-Za-z_][\w.-]*+)\s++(?:"([^"<%]*+)"|'([^'<%]*+)')\s*+>"""
_SUBSET: Final = (
    rf"(?:\s++|%[A-Za-z_][\w.-]*+;|<!--(?:(?!--).)*+-->"
    rf"|<!ENTITY\s++%\s++[A-Za-z_][\w.-]*+\s++{_EXTERNAL}\s*+>|{_ENTITY})*+"
)
_DOCTYPE: Final = re.compile(
    rf"<!DOCTYPE\s++(?P<root>[\w.:-]++)\s*+(?P<external>{_EXTERNAL})?+\s*+"
    rf"(?:\[(?P<subset>{_SUBSET})\]\s*+)?+>",
    re.IGNORECASE | re.DOTALL,
)
_PLAIN: Final = re.compile(
    r"(?:[^&<]|&#(?:[0-9]{1,7}|x[0-9A-Fa-f]{1,6});|&(?:amp|lt|gt|quot|apos);)*+"
)
"""The value of an entity that names no other one."""
_ENTITIES: Final = re.compile(_ENTITY, re.IGNORECASE)
_EXTERNALS: Final = re.compile(_EXTERNAL, re.IGNORECASE)
_IDS: Final = re.compile(_QUOTED)


class Doctype(NamedTuple):
    """What a document type says. `harmless` is False for one that no feed needs."""

    end: int
    harmless: bool
    entities: dict[str, str]


def doctype_at(text: str, at: int) -> Doctype:
    """Return the document type that begins at `at`."""
    found = _DOCTYPE.match(text, at)
    if found is None:
        end = text.find(">", at)
        return Doctype(len(text) if end < 0 else end + 1, False, {})
    subset = found["subset"] or ""
    values = {one[1]: one[2] or one[3] or "" for one in _ENTITIES.finditer(subset)}
    externals = [found["external"] or "", *_EXTERNALS.findall(subset)]
    harmless = all(_is_known(one) for one in externals if one) and all(
        len(value) <= MAX_XML_ENTITY_CHARS and _PLAIN.fullmatch(value) for value in values.values()
    )
    known = {name: html.unescape(value) for name, value in values.items()} if harmless else {}
    return Doctype(found.end(), harmless, known)


def _is_known(external: str) -> bool:
    first = _IDS.search(external)
    return first is not None and first[0][1:].lower().startswith(_KNOWN_IDS)
