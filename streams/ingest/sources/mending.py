"""Broken feeds, mended: from a text that no XML parser takes to the XML that was meant.

Publishers write `&nbsp;` and `AT&T`, forget quotes and end tags, break off, and let scripts
follow. One pass from left to right writes the feed again, so that it is well-formed: what
is not markup becomes text, what was left open is closed, what stands outside of the feed is
left out. An item that the document breaks off in is left out too: its text is not all there.

Nothing is looked up and nothing expands: of a document type only entities of a few plain
characters are known (`doctypes.py`), beside those of HTML. Each kind of mark is searched
forward once, so the time grows with the length of the text.
"""

import html
import re
from html.entities import html5
from typing import Final, NamedTuple

from schemas.observations import FetchProblem
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.limits import (
    MAX_FEED_ITEMS,
    MAX_FETCH_BYTES,
    MAX_MENDED_PARTS,
    MAX_XML_DEPTH,
)
from streams.ingest.sources.doctypes import Doctype, doctype_at
from streams.ingest.sources.feed_check import FEED_ROOTS, ITEMS, fault_at, local_name

_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]+")
"""Characters that XML does not have."""
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_.-]*+(?::[A-Za-z_][A-Za-z0-9_.-]*+)?+"
_START: Final = re.compile(rf"<(?!xmlns:)({_NAME})")
_END: Final = re.compile(rf"</\s*+({_NAME})[^<>]*+>?+")
_ATTRIBUTE: Final = re.compile(
    r"""\s*+([^\s=<>"'/]++)"""
    r"""(?:\s*+=\s*+(?:"([^"<]*+)"|'([^'<]*+)'"""
    r"""|"([^"]*+)"(?=\s*+/?+>|\s++[A-Za-z_:.-]++\s*+=)"""  # it holds a `<`, and the tag goes on
    r"""|["']?+([^\s"'<>]*+)))?+"""
)
_BETWEEN: Final = re.compile(r"""[\s"'=/]*+""")
"""What may stand between attributes, such as a quote too many."""
_WHOLE_NAME: Final = re.compile(_NAME)
_REFERENCE: Final = re.compile(
    r"((?:&\#(?:[0-9]{1,7}+(?![0-9])|[xX][0-9A-Fa-f]{1,6}+(?![0-9A-Fa-f]));?+)++)"
    r"|&(?!(?:amp|lt|gt|quot|apos);)(?:([A-Za-z][A-Za-z0-9]{0,31}+);)?+"
)
_NUMBER: Final = re.compile(r"#(?:[xX]([0-9A-Fa-f]+)|([0-9]+))")
_SECTION: Final = "<![CDATA["
_SECTION_END: Final = "]]>"
_ITEM_END: Final = re.compile(r"</(?:item|entry)\s*+>", re.IGNORECASE)
_MAX_INSTRUCTION_CHARS: Final = 1_000

_PAGE: Final = "html"
_ALWAYS_EMPTY: Final = frozenset({"br", "hr", "img", "input", "wbr", "enclosure"})
"""Elements that nobody closes, in HTML or in RSS."""
_LINES: Final = frozenset(
    {"title", "link", "description", "pubdate", "guid", "id", "updated", "published", "issued",
     "modified", "date", "category", "comments", "summary"}
)  # fmt: skip
"""Fields of an item that hold text: one that is open ends where the next begins."""
_NOT_IN_ITSELF: Final = frozenset({"p", "li"})
_USUAL_PREFIXES: Final = {
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}
"""What is meant by a prefix that a feed uses and does not declare."""


_XML_OWN: Final = ("http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/")


class _StartTag(NamedTuple):
    name: str
    attributes: dict[str, str]
    empty: bool
    end: int


def mended(text: str, first_line: int = 1) -> str | None:
    """Return the feed in `text` as well-formed XML, or None if there is none.

    The lines of `text` count from `first_line`. Raises Unfetched: BAD_XML for what breaks off in
    front of the end of its first item, BAD_TYPE for a page, and DTD, TOO_LARGE or BAD_XML for
    what is beyond the bounds.
    """
    return _Mending(_ILLEGAL.sub("", text), first_line).run()


class _Mending:
    """Reads `text` once, and writes `_written`. The root's own tag is written last."""

    def __init__(self, text: str, first_line: int) -> None:
        self._text = text
        self._first_line = first_line
        self._at = 0
        self._written: list[str] = []
        self._open: list[str] = []
        self._root: _StartTag | None = None
        self._ended = False
        self._items = 0
        self._item_at = 0
        """Where in `_written` the last item begins."""
        self._doctype = Doctype(0, True, {})
        self._namespaces: dict[str, str] = {}
        self._prefixes: dict[str, None] = {}
        self._next: dict[str, int] = {}
        self._parts = 0
        self._grown = 0

    def run(self) -> str | None:
        at = 0
        while not self._ended:
            to = self._text.find("<", at)
            self._say(self._text[at:] if to < 0 else self._text[at:to])
            self._at = len(self._text) if to < 0 else to
            if to < 0:
                break
            at = self._markup(to)
        if self._root is None:
            return None
        if not self._ended:
            self._break_off()
        self._close_to(0)
        return self._root_tag() + "".join(self._written)

    def _break_off(self) -> None:
        """Leave out the item that is not all there."""
        within = self._item_depth()
        if self._items <= (within is not None):
            raise self._fault(FetchProblem.BAD_XML, "the feed breaks off")
        if within is not None:
            del self._written[self._item_at :]
            del self._open[within:]

    # -- reading ----------------------------------------------------------------------

    def _markup(self, at: int) -> int:
        """Take what begins with the `<` at `at`; return where it ends."""
        text = self._text
        self._count()
        if (start := _START.match(text, at)) is not None:
            tag = self._tag(start)
            self._begin(tag)
            return tag.end
        if (end := _END.match(text, at)) is not None:
            self._finish(end[1])
            return end.end()
        if text.startswith(_SECTION, at):
            return self._cdata(at)
        if text.startswith("<!--", at):
            return self._past("-->", at + len("<!--"))
        if text.startswith("<?", at):
            end_at = self._find("?>", at)
            near = 0 <= end_at - at < _MAX_INSTRUCTION_CHARS
            return end_at + 2 if near else self._past(">", at)
        if text[at : at + 9].upper() == "<!DOCTYPE":
            return self._declared(at)
        if text.startswith("<!", at):
            return self._past(">", at)
        self._say("<")
        return at + 1

    def _declared(self, at: int) -> int:
        self._doctype = doctype_at(self._text, at)
        if self._root is not None:
            self._check_doctype()
        return self._doctype.end

    def _check_doctype(self) -> None:
        if not self._doctype.harmless:
            raise self._fault(FetchProblem.DTD, "the feed declares a document type")

    def _tag(self, start: re.Match[str]) -> _StartTag:
        text, at = self._text, start.end()
        attributes: dict[str, str] = {}
        while True:
            before, at = at, _BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # or ""
            found = _ATTRIBUTE.match(text, at)
            if found is None:
                break
            self._count()
            at = found.end()
            value = next((one for one in found.groups()[1:] if one is not None), "")
            if _WHOLE_NAME.fullmatch(found[1]) is not None:
                attributes.setdefault(found[1], value)
        ended = text.startswith(">", at)
        if not ended and at == len(text):
            return _StartTag("", {}, True, at)  # broken off within the tag
        return _StartTag(start[1], attributes, "/" in text[before:at], at + ended)

    def _cdata(self, at: int) -> int:
        """Take a CDATA section. One that goes on behind the end of its item was left open."""
        begin, end = at + len(_SECTION), self._find(_SECTION_END, at)
        item_end = self._find_item_end(begin)
        if item_end >= 0 and (end < 0 or item_end < end) and self._open:
            own_end = self._text.find(f"</{self._open[-1]}", begin, item_end)
            stop = own_end if own_end >= 0 else item_end
            self._write_cdata(self._text[begin:stop])
            return stop
        if end < 0:
            return len(self._text)
        self._write_cdata(self._text[begin:end])
        return end + len(_SECTION_END)

    def _find(self, mark: str, at: int) -> int:
        """Return where `mark` next stands, or -1. It is looked for once, not from each `at`."""
        known = self._next.get(mark)
        if known is None or 0 <= known < at:
            known = self._next[mark] = self._text.find(mark, at)
        return known

    def _find_item_end(self, at: int) -> int:
        known = self._next.get("item")
        if known is None or 0 <= known < at:
            found = _ITEM_END.search(self._text, at)
            known = self._next["item"] = -1 if found is None else found.start()
        return known

    def _past(self, mark: str, at: int) -> int:
        end = self._find(mark, at)
        return len(self._text) if end < 0 else end + len(mark)

    def _count(self) -> None:
        self._parts += 1
        if self._parts > MAX_MENDED_PARTS:
            raise self._fault(FetchProblem.BAD_XML, "too much markup to be mended")

    def _fault(self, problem: FetchProblem, kind: str) -> Unfetched:
        line = self._first_line + self._text.count("\n", 0, self._at)
        return fault_at(problem, line, self._items, kind)

    # -- the tree ---------------------------------------------------------------------

    def _begin(self, tag: _StartTag) -> None:
        name = local_name(tag.name)
        if not name:
            return
        if self._root is None:
            self._begin_feed(tag, name)
            return
        if name in ITEMS:
            if (within := self._item_depth()) is not None:
                self._close_to(within)
            if self._items == MAX_FEED_ITEMS:
                self._ended = True
                return
            self._items += 1
            self._item_at = len(self._written)
        elif self._ends_what_is_open(name):
            self._close_to(len(self._open) - 1)
        if len(self._open) == MAX_XML_DEPTH:
            raise self._fault(FetchProblem.BAD_XML, "nested too deeply")
        empty = tag.empty or name in _ALWAYS_EMPTY or (name == "link" and "href" in tag.attributes)
        self._written.append(f"<{tag.name}{self._attributes(tag)}{'/' if empty else ''}>")
        if not empty:
            self._open.append(tag.name)

    def _begin_feed(self, tag: _StartTag, name: str) -> None:
        if name == _PAGE:
            raise self._fault(FetchProblem.BAD_TYPE, "a page of HTML, not a feed")
        if name not in FEED_ROOTS:
            return  # something in front of the feed, such as a warning
        self._check_doctype()
        self._root, self._ended = tag, tag.empty
        self._open.append(tag.name)

    def _item_depth(self) -> int | None:
        """Return how many elements are open around the open item; None if there is none."""
        for depth, name in enumerate(self._open):
            if local_name(name) in ITEMS:
                return depth
        return None

    def _ends_what_is_open(self, name: str) -> bool:
        if len(self._open) < 2:
            return False
        inner = self._open[-1].lower()
        if inner in _LINES and name in _LINES:
            return local_name(self._open[-2]) in (*ITEMS, *FEED_ROOTS)
        return inner == name and inner in _NOT_IN_ITSELF

    def _finish(self, name: str) -> None:
        """Close the element so called, and what was left open in it. Others end nothing."""
        lowest = 0 if local_name(name) in (*ITEMS, *FEED_ROOTS) else self._item_depth() or 0
        for depth in range(len(self._open) - 1, lowest - 1, -1):
            if self._open[depth].lower() == name.lower():
                self._ended = depth == 0
                self._close_to(depth)
                return

    def _close_to(self, depth: int) -> None:
        self._written += [f"</{name}>" for name in reversed(self._open[depth:])]
        del self._open[depth:]

    # -- writing ----------------------------------------------------------------------

    def _say(self, text: str) -> None:
        if self._open and text:
            self._written.append(
                self._with_references(text).replace(_SECTION_END, "").replace("<", "&lt;")
            )

    def _write_cdata(self, text: str) -> None:
        if self._open:
            plain = text.replace(_SECTION, "")  # one within another
            self._written.append(f"{_SECTION}{plain}{_SECTION_END}")

    def _attributes(self, tag: _StartTag) -> str:
        self._use(tag.name)
        said = []
        for name, value in tag.attributes.items():
            prefix, _, declared = name.partition(":")
            if prefix == "xmlns":
                value = "".join(html.unescape(value).split())  # a blank ends the name in a parser
                if not self._may_declare(declared, value):
                    continue
            else:
                self._use(name)
            safe = self._with_references(value).replace("<", "&lt;").replace('"', "&quot;")
            said.append(f' {name}="{safe}"')
        return "".join(said)

    def _may_declare(self, prefix: str, uri: str) -> bool:
        """Note what a prefix stands for. XML forbids to declare its own two."""
        if prefix in ("xml", "xmlns") or uri.startswith(_XML_OWN) or (prefix and not uri):
            return False
        self._namespaces.setdefault(prefix, uri)
        return True

    def _use(self, name: str) -> None:
        prefix, colon, _ = name.partition(":")
        if colon and prefix not in ("xml", "xmlns"):
            self._prefixes[prefix] = None

    def _root_tag(self) -> str:
        assert self._root is not None
        said = self._attributes(self._root)
        for prefix in self._prefixes:
            if f' xmlns:{prefix}="' not in said:
                uri = self._namespaces.get(prefix) or _USUAL_PREFIXES.get(prefix, f"urn:{prefix}")
                said += f' xmlns:{prefix}="{html.escape(uri)}"'
        return f"<{self._root.name}{said}>"

    def _with_references(self, text: str) -> str:
        return _REFERENCE.sub(self._reference, text) if "&" in text else text

    def _reference(self, found: re.Match[str]) -> str:
        self._count()
        numbers, name = found.groups()
        if numbers is not None:
            return html.escape(_characters(numbers), quote=True)
        if name is None:
            return "&amp;"
        value = self._doctype.entities.get(name) or html5.get(f"{name};")
        if value is None:
            return f"&amp;{name};"
        self._grown += len(value)
        if self._grown > MAX_FETCH_BYTES:
            raise self._fault(FetchProblem.TOO_LARGE, "its entities say too much")
        return html.escape(value, quote=True)


def _characters(references: str) -> str:
    """Return what numbers stand for. Two surrogates are one character, as in JavaScript."""
    codes = [int(one[1], 16) if one[1] else int(one[2]) for one in _NUMBER.finditer(references)]
    text = "".join(chr(code) for code in codes if code <= 0x10FFFF)
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _ILLEGAL.sub("", whole)
