"""Which open markets a text speaks of: their names, aliases and symbols, by exact phrase.

Names match in any case, except that a name in capitals matches only in capitals: `US`, `IT`
and `WHO` are markets, `us`, `it` and `who` are words. Of overlapping phrases that contain
one another only the longest counts, so that `New York Times` is not `New York`.
"""

from collections import Counter
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NamedTuple

import spacy
from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc

from schemas.errors import ModelMismatch
from schemas.limits import MAX_MENTIONS
from schemas.observations import Mention
from schemas.texts import clean
from streams.ingest.limits import MAX_ENTITIES_LISTED, MAX_ENTITY_CHARS

_RULES: Final = "phrases/1"


class Named(NamedTuple):
    """The markets that a text mentions, those in the title first, and its other entities."""

    mentions: list[Mention]
    entities: list[str]


class Names:
    """The names of open markets, as far as the log is read.

    `pipeline` is the name of an installed spaCy pipeline that finds other entities, or
    empty for none. Raises ModelMismatch when it is not installed.
    """

    def __init__(self, pipeline: str = "") -> None:
        self._nlp = spacy.blank("en")
        self._pipeline = _load(pipeline) if pipeline else None
        self.name = f"{_RULES} spacy/{version('spacy')}"
        if pipeline:
            self.name += f" {pipeline}/{version(pipeline)}"
        self._any_case = PhraseMatcher(self._nlp.vocab, attr="LOWER")
        self._as_written = PhraseMatcher(self._nlp.vocab, attr="ORTH")
        self._names: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._names)

    def put(self, symbol: str, name: str, aliases: Iterable[str]) -> None:
        """Set the names of a market, instead of those before."""
        self.drop(symbol)
        terms = sorted({symbol, name, *aliases})
        written = [term for term in terms if term.isupper()]
        spoken = [term for term in terms if not term.isupper()]
        for matcher, some in ((self._as_written, written), (self._any_case, spoken)):
            if some:
                matcher.add(symbol, [self._nlp.make_doc(term) for term in some])
        self._names[symbol] = name

    def drop(self, symbol: str) -> None:
        """Forget a market that is closed or resolved."""
        for matcher in (self._as_written, self._any_case):
            if symbol in matcher:
                matcher.remove(symbol)
        self._names.pop(symbol, None)

    def of(self, title: str, excerpt: str) -> Named:
        """Return the markets that title and excerpt mention, MAX_MENTIONS at most."""
        # The zone forgets words that are in no name: the vocabulary would grow without end.
        with self._nlp.memory_zone():
            in_title, in_text = self._count(title), self._count(excerpt)
        every = [
            Mention(symbol, in_title[symbol], in_text[symbol])
            for symbol in sorted(in_title | in_text)
        ]
        every.sort(key=lambda one: (-one.title_count, -one.body_count))
        mentions = every[:MAX_MENTIONS]
        return Named(mentions, self._entities(mentions, f"{title}\n{excerpt}"))

    def _count(self, text: str) -> Counter[str]:
        doc = self._nlp.make_doc(text)
        spans = {(start, end, key) for key, start, end in self._matches(doc)}
        # Longest first: a span counts unless a longer one contains it.
        longest: list[tuple[int, int]] = []
        counted: Counter[str] = Counter()
        for start, end, symbol in sorted(spans, key=lambda span: (span[0] - span[1], span)):
            if any(a <= start and end <= b and b - a > end - start for a, b in longest):
                continue
            longest.append((start, end))
            counted[symbol] += 1
        return counted

    def _matches(self, doc: Doc) -> Iterable[tuple[str, int, int]]:
        for matcher in (self._any_case, self._as_written):
            for key, start, end in matcher(doc):
                yield self._nlp.vocab.strings[key], start, end

    def _entities(self, mentions: list[Mention], text: str) -> list[str]:
        listed = dict.fromkeys(self._names[one.symbol] for one in mentions)
        if self._pipeline is not None:
            with self._pipeline.memory_zone():
                found = [ent.text for ent in self._pipeline(text).ents]
            listed.update(dict.fromkeys(clean(one, MAX_ENTITY_CHARS) for one in found))
        return list(listed)[:MAX_ENTITIES_LISTED]


def _load(pipeline: str) -> Language:
    try:
        version(pipeline)
        return spacy.load(pipeline)
    except (PackageNotFoundError, OSError) as error:
        raise ModelMismatch(f"the spaCy pipeline {pipeline!r} is not installed") from error
