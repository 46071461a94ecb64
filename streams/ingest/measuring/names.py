"""Which open markets a text speaks of: their names and aliases, by exact phrase.

A symbol is no name unless it is listed among the aliases. `spelling` says in which spellings a name
counts. Of overlapping phrases that contain one another only the longest counts, so that
`New York Times` is not `New York`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NamedTuple

import spacy
from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc
from spacy.vocab import Vocab

from schemas.errors import ModelMismatch
from schemas.limits import MAX_MENTIONS
from schemas.observations import Mention
from schemas.texts import clean
from streams.ingest.limits import MAX_ENTITIES_LISTED, MAX_ENTITY_CHARS
from streams.ingest.measuring.spelling import Spelling, spellings, words_of
from streams.ingest.measuring.typography import normalized

_RULES: Final = "phrases/2"


class Named(NamedTuple):
    """The markets that a text mentions, those in the title first, and its other entities."""

    mentions: list[Mention]
    entities: list[str]


class _Market(NamedTuple):
    name: str
    spellings: list[Spelling]


class Names:
    """The names of open markets, as far as the log is read.

    `pipeline` is the name of an installed spaCy pipeline that finds other entities, or
    empty for none. Raises ModelMismatch when it is not installed.
    """

    def __init__(self, pipeline: str = "") -> None:
        self._vocab = Vocab()
        self._pipeline = _load(pipeline) if pipeline else None
        self.name = f"{_RULES} spacy/{version('spacy')}"
        if pipeline:
            self.name += f" {pipeline}/{version(pipeline)}"
        self._matcher = PhraseMatcher(self._vocab, attr="ORTH")
        self._markets: dict[str, _Market] = {}
        self._spellings: dict[str, list[Spelling]] = {}
        """By the words in lower case, joined by blanks, which is what the matcher looks for."""

    def __len__(self) -> int:
        return len(self._markets)

    def put(self, symbol: str, name: str, aliases: Iterable[str]) -> None:
        """Set the names of a market, instead of those before."""
        self.drop(symbol)
        market = _Market(name, spellings(symbol, name, tuple(aliases)))
        for spelling in market.spellings:
            phrase = " ".join(spelling.key)
            if phrase not in self._spellings:
                self._matcher.add(phrase, [self._doc(spelling.key)])
            self._spellings.setdefault(phrase, []).append(spelling)
        self._markets[symbol] = market

    def drop(self, symbol: str) -> None:
        """Forget a market that is closed or resolved."""
        market = self._markets.pop(symbol, None)
        for spelling in market.spellings if market else ():
            phrase = " ".join(spelling.key)
            self._spellings[phrase].remove(spelling)
            if not self._spellings[phrase]:
                del self._spellings[phrase]
                self._matcher.remove(phrase)

    def of(self, title: str, excerpt: str) -> Named:
        """Return the markets that title and excerpt mention, MAX_MENTIONS at most."""
        title, excerpt = normalized(title), normalized(excerpt)
        # The zone forgets words that are in no name: the vocabulary would grow without end.
        with self._vocab.memory_zone():
            in_title, in_text = self._count(title), self._count(excerpt)
        every = [
            Mention(symbol, in_title[symbol], in_text[symbol])
            for symbol in sorted(in_title | in_text)
        ]
        every.sort(key=lambda one: (-one.title_count, -one.body_count))
        mentions = every[:MAX_MENTIONS]
        return Named(mentions, self._entities(mentions, f"{title}\n{excerpt}"))

    def _count(self, text: str) -> Counter[str]:
        """Count the markets in a text: a span counts unless a longer one contains it."""
        counted: Counter[str] = Counter()
        reach, last = 0, (0, 0)
        for start, end, symbol in sorted(
            set(self._spans(text)), key=lambda span: (span[0], -span[1], span[2])
        ):
            if end <= reach and (start, end) != last:
                continue
            reach, last = max(reach, end), (start, end)
            counted[symbol] += 1
        return counted

    def _spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield where names stand, in words of the text, and the symbols that are meant."""
        words = words_of(text)
        lower = [word.said.lower() for word in words]
        for _, start, end in self._matcher(self._doc(lower)):
            for spelling in self._spellings[" ".join(lower[start:end])]:
                if spelling.fits(text, words[start:end]):
                    yield start, end, spelling.symbol

    def _doc(self, words: Sequence[str]) -> Doc:
        return Doc(self._vocab, words=list(words))

    def _entities(self, mentions: list[Mention], text: str) -> list[str]:
        listed = dict.fromkeys(self._markets[one.symbol].name for one in mentions)
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
