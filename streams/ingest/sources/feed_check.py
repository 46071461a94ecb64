"""What a feed must be before feedparser sees it, which is slow and believes everything.

A feed is well-formed XML without a document type, not nested too deeply, and cut after
MAX_FEED_ITEMS items. A fault says in which line and item it is.

feedparser takes the caption of a picture for the text of an item. So captions get a name of
their own, CAPTION, under which nobody takes them for more than they are.
"""

import re
from collections.abc import Mapping
from typing import Final
from xml.parsers import expat

from schemas.observations import FetchProblem
from streams.ingest.fetching.problems import Unfetched
from streams.ingest.limits import MAX_FEED_ITEMS, MAX_XML_DEPTH
from streams.ingest.sources.model import Document

FEED_ROOTS: Final = ("rss", "feed", "rdf", "channel")
"""Root elements without prefix, in lower case. `channel` is that of CDF, and of cut RSS."""
ITEMS: Final = ("item", "entry")
CAPTION: Final = "caption"
"""What captions are called behind the check."""

_TYPES: Final = re.compile(
    r"(application|text)/(([a-z0-9.+-]+\+|x-)?xml(-dtd|-external-parsed-entity)?"
    r"|([a-z0-9.+-]+\+)?json|(x-)?(rss|atom|rdf|feed))"
    r"|text/(html|plain)|application/((x-)?(octet-stream|gzip|download|unknown)|force-download)"
    r"|binary/octet-stream|unknown/unknown|"
)
"""Types of feeds, and those that misconfigured servers send feeds as. What comes is looked at."""
_CAPTIONS: Final = {
    "media": frozenset({"description"}),
    "itunes": frozenset({"summary", "subtitle"}),
}
_CAPTION_NAMESPACES: Final = {
    "http://search.yahoo.com/mrss": "media",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
}
"""Namespaces with captions by their usual prefix: lower case, without a slash at the end."""
_DECLARATION: Final = re.compile(r"^\s*(?:<\?xml[^>]*\?>)?\s*")
_START_TAG: Final = re.compile(rb"""<(?:[^>"']|"[^"]*+"|'[^']*+')*+>""")
_END_TAG: Final = re.compile(rb"</[^>]*+>")


def local_name(name: str) -> str:
    """Return an element's name without its prefix, in lower case."""
    return name.rpartition(":")[2].lower()


def check_type(document: Document) -> None:
    """Raise Unfetched(BAD_TYPE) for a document whose type no feed or sitemap has."""
    if _TYPES.fullmatch(document.media_type) is None:
        raise Unfetched(FetchProblem.BAD_TYPE, "not a feed's type")


def behind_declaration(text: str) -> tuple[str, int]:
    """Return the XML in `text` without its declaration, and the line in which it begins."""
    start = _DECLARATION.match(text).end()  # type: ignore[union-attr]  # it matches nothing, too
    return text[start:].strip(), text.count("\n", 0, start) + 1


def fault_at(problem: FetchProblem, line: int, items: int, kind: str) -> Unfetched:
    """Return a fault in the last of `items` items; with 0 it is in front of the first."""
    item = f", item {items}" if items else ""
    return Unfetched(problem, f"line {line}{item}: {kind}")


class FeedCheck:
    """Bounds the input of feedparser. A text that was cut before has lines from `first_line` on."""

    def __init__(self, first_line: int = 1) -> None:
        self._parser = expat.ParserCreate("utf-8")
        self._first_line = first_line
        self._open: list[str] = []
        self._items = 0
        self._rest: tuple[int, list[str]] | None = None
        self._prefixes = {name: name for name in _CAPTIONS}
        self._captions: list[tuple[int, bool]] = []
        """Where the tags of captions begin, and whether they are start tags."""

    def run(self, data: bytes) -> bytes:
        """Return the feed cut after MAX_FEED_ITEMS items, with its captions named so.

        Raises Unfetched unless `data` is a feed in well-formed XML without a DTD.
        """
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            raise self._fault(FetchProblem.BAD_XML, expat.ErrorString(error.code)) from error
        self._check_prefixes(data)
        at, still_open = self._rest or (len(data), [])
        end_tags = "".join(f"</{name}>" for name in reversed(still_open)).encode()
        return self._with_captions_named(data[:at]) + end_tags

    def _check_prefixes(self, data: bytes) -> None:
        """Check the namespaces, without which feedparser falls back on its own way."""
        try:
            expat.ParserCreate("utf-8", namespace_separator=" ").Parse(data, True)
        except expat.ExpatError as error:
            line = self._first_line + error.lineno - 1
            kind = expat.ErrorString(error.code)
            raise fault_at(FetchProblem.BAD_XML, line, 0, kind) from error

    def _with_captions_named(self, data: bytes) -> bytes:
        pieces, done = [], 0
        for at, starts in self._captions:
            tag = (_START_TAG if starts else _END_TAG).match(data, at)
            if tag is None:
                break  # behind the items that are read
            slash = b"" if starts else b"/"
            alone = b"/" if starts and tag[0].endswith(b"/>") else b""
            pieces += [data[done:at], b"<%b%b%b>" % (slash, CAPTION.encode(), alone)]
            done = tag.end()
        return b"".join([*pieces, data[done:]]) if pieces else data

    def _fault(self, problem: FetchProblem, kind: str) -> Unfetched:
        line = self._first_line + self._parser.CurrentLineNumber - 1
        return fault_at(problem, line, self._items, kind)

    def _doctype(self, *_: object) -> None:
        # This comes before any entity in it is read.
        raise self._fault(FetchProblem.DTD, "the feed declares a document type")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        kind = local_name(name)
        if not self._open and kind not in FEED_ROOTS:
            raise self._fault(FetchProblem.BAD_TYPE, "not a feed")
        if len(self._open) == MAX_XML_DEPTH:
            raise self._fault(FetchProblem.BAD_XML, "nested too deeply")
        self._items += kind in ITEMS
        if self._items > MAX_FEED_ITEMS and self._rest is None:
            self._rest = (self._parser.CurrentByteIndex, list(self._open))
        self._declare(attributes)
        self._note_caption(name, starts=True)
        self._open.append(name)

    def _declare(self, attributes: Mapping[str, str]) -> None:
        for attribute, uri in attributes.items():
            usual = _CAPTION_NAMESPACES.get(uri.strip().rstrip("/").lower())
            if usual is not None and attribute.startswith("xmlns:"):
                self._prefixes[attribute.removeprefix("xmlns:")] = usual

    def _end(self, name: str) -> None:
        self._open.pop()
        self._note_caption(name, starts=False)

    def _note_caption(self, name: str, *, starts: bool) -> None:
        prefix, colon, rest = name.partition(":")
        if not colon or not self._items:
            return
        at, usual = self._parser.CurrentByteIndex, self._prefixes.get(prefix, "")
        is_caption = rest.lower() in _CAPTIONS.get(usual, ())
        if is_caption and not (self._captions and self._captions[-1][0] == at):  # `<a/>` ends, too
            self._captions.append((at, starts))
