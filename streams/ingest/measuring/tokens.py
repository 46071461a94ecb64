"""Words and sentences of a text, normalized, as the rule-based measures see them."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Generic, TypeVar

from streams.ingest.limits import MAX_SENTENCE_CHARS
from streams.ingest.measuring.typography import normalized

_END: Final = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+")
_SENTENCE: Final = re.compile(rf".{{1,{MAX_SENTENCE_CHARS}}}", re.DOTALL)
_WORD: Final = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_CLAUSE_END: Final = re.compile(r"[,;:!?.)]\W*\s|\s[–—-]+\s|[—;(]")

Value = TypeVar("Value")


def sentences(text: str) -> list[str]:
    """Return the sentences of `text`; one longer than MAX_SENTENCE_CHARS is cut into several.

    The full stop of an abbreviation ends a sentence, too. The sentence is then measured in
    two halves, which does little harm.
    """
    pieces = (piece.strip() for piece in _END.split(normalized(text)))
    return [part for piece in pieces if piece for part in _SENTENCE.findall(piece)]


def words(text: str) -> list[str]:
    """Return the words of `text` in lower case; apostrophes and hyphens within one belong to it.

    >>> words("The state-run bank's loss, isn’t it?")
    ['the', 'state-run', "bank's", 'loss', "isn't", 'it']
    """
    return _WORD.findall(normalized(text).lower())


def stretches(sentence: str) -> list[list[str]]:
    """Return the words of `sentence` in lower case, cut at its punctuation.

    >>> stretches("Acme: its better-than-expected U.S. sales (2.5% up)")
    [['acme'], ['its', 'better', 'than', 'expected', 'u', 's'], ['sales'], ['2', '5', 'up']]
    """
    found: list[list[str]] = [[]]
    text, end = normalized(sentence).lower().replace("-than-", " than "), 0
    for match in _WORD.finditer(text):
        if found[-1] and _CLAUSE_END.search(text, end, match.start()):
            found.append([])
        found[-1].append(match.group())
        end = match.end()
    return found if found[-1] else []


class Phrases(Generic[Value]):
    """A table of phrases, each a tuple of words. The longest that fits counts."""

    def __init__(self, table: Mapping[tuple[str, ...], Value]) -> None:
        self._table = table
        self._longest: dict[str, int] = {}
        for key in table:
            self._longest[key[0]] = max(self._longest.get(key[0], 0), len(key))

    def at(self, given: Sequence[str], position: int) -> tuple[int, Value | None]:
        """Return the length of the longest phrase at `position` and its value, or 0 and None."""
        longest = self._longest.get(given[position], 0)
        for length in range(min(longest, len(given) - position), 0, -1):
            value = self._table.get(tuple(given[position : position + length]))
            if value is not None:
                return length, value
        return 0, None
