"""Words and sentences of a text, normalized, as the rule-based measures see them."""

import re
from typing import Final

from streams.ingest.limits import MAX_SENTENCE_CHARS
from streams.ingest.measuring.typography import normalized

_END: Final = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+")
_SENTENCE: Final = re.compile(rf".{{1,{MAX_SENTENCE_CHARS}}}", re.DOTALL)
_WORD: Final = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


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
