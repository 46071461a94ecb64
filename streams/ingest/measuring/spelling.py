"""How a name may be spelled in a text: its words, their capitals, and what may adjoin them.

What capitals tell: a name is written with those that it is listed with, or in more of them. In a
headline in capitals, or with a capital on each word, they tell nothing; there `Target` may be a
verb, and nothing here can know it.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from unicodedata import normalize

from spacy.lang.en.stop_words import STOP_WORDS

from schemas.aliases import exact_alias
from streams.ingest.measuring.typography import normalized

SHORT_LETTERS: Final = 3
"""A name of so few letters is matched only as it is listed: `GM`, `IT`, `Fed`."""

_WORD: Final = re.compile(
    r"[^\W\d](?:\.[^\W\d])+(?!\w)\.?"  # an abbreviation is one word without its dots: U.S.
    r"|[\w\u0300-\u036f]+"
    r"|(?!(?<=\S)[-\u2013](?=\S))\S"  # any other mark, but for a hyphen within words
)
_ACCENTS: Final = re.compile("[\u0300-\u036f]+")
_STROKES: Final = str.maketrans("ØøŁłĐđ", "OoLlDd")
"""Letters with strokes are letters of their own to Unicode, and accents to newspapers."""
_CONTINUED: Final = re.compile(r"(?<=\w')"), re.compile(r"'(?!(?:s|d|ll|re|ve)(?!\w))\w", re.I)
"""`O'Neill` is no Neill and `can't` no can, but `Acme's` and `Acme'll` are Acme."""
_ABBREVIATED: Final = re.compile(r"(?<=\w&)"), re.compile(r"&\w")
"""`AT&T` is no AT. Longer names may be joined so."""
_ABBREVIATED_LETTERS: Final = 2
_LETTERED: Final = re.compile(r"(?<=\w[-\u2013.])"), re.compile(r"[-\u2013.]\w")
"""A letter within `T-Mobile`, `X-ray` or `AAPL.O` is no name."""
_INITIAL: Final = re.compile(r"\.\s+(?=\w)")
_SMALL: Final = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with")
)
"""Words within a name that stand in any case: `The Guardian` is written `the Guardian`."""
_LETTERS: Final = re.compile(r"[^\W\d_]{2}")
_POSSESSIVE: Final = "'s"
_BREAKS: Final = ".!?:;\n"
_NO_ACRONYMS: Final = STOP_WORDS - {"us"}
"""In capitals these are words rather than names, such as IT and WHO; US is the country."""


class Word(NamedTuple):
    """A word or mark of a text without its accents, and where it stands there."""

    said: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """Return the words and marks of a text in normalized typography.

    A hyphen within words parts them and is no mark; `U.S.` is the word `US`.

    >>> [word.said for word in words_of("U.S.-led Covid-19 talks at AT&T.")]
    ['US', 'led', 'Covid', '19', 'talks', 'at', 'AT', '&', 'T', '.']
    """
    return [_word(match) for match in _WORD.finditer(text.replace("_", " "))]


def _word(match: re.Match[str]) -> Word:
    said, (start, end) = match[0], match.span()
    if "." in said and end - start > 1:
        said = said.replace(".", "")
    if not said.isascii():
        said = _ACCENTS.sub("", normalize("NFD", said.translate(_STROKES))) or said
    return Word(said, start, end)


class Spelling(NamedTuple):
    """One name or alias of a market. `exact` is empty unless it is matched as written."""

    symbol: str
    words: tuple[str, ...]
    exact: str

    @property
    def key(self) -> tuple[str, ...]:
        """The words in lower case: where they stand in a text, the name may stand."""
        return tuple(map(str.lower, self.words))

    def fits(self, text: str, said: Sequence[Word]) -> bool:
        """Tell whether the name stands at `said`, words of `text` that have its key."""
        start, end = said[0].start, said[-1].end
        if _is_part(text, said):
            return False
        if self.exact:
            return text.startswith(self.exact, start)
        spoken = [word.said for word in said]
        if not _is_short(self.words):
            return self._has_capitals(spoken)
        named, found = "".join(self.words), "".join(spoken)
        if named == found:
            return found.lower() not in _NO_ACRONYMS or not (
                found.isupper() and _is_shouted(text, start, end)
            )
        if len(named) > 1 and named.islower():
            return True
        return found.isupper() and not named.isupper() and _is_shouted(text, start, end)

    def _has_capitals(self, spoken: Sequence[str]) -> bool:
        shouting = "".join(word for word in self.words if word not in _SMALL).isupper()
        return all(
            _covers(named, found)
            or ((shouting or len(named) > SHORT_LETTERS) and found == found.capitalize())
            for named, found in zip(self.words, spoken, strict=True)
        )


def spellings(symbol: str, name: str, aliases: Sequence[str]) -> list[Spelling]:
    """Return how the name and the aliases of a market are spelled in texts.

    An alias in quotes is matched as written; so is then the name, if it is the same words.
    """
    listed = [normalized(one) for one in dict.fromkeys((name, *aliases))]
    exact = [_spelling(symbol, one, one) for one in map(exact_alias, listed) if one]
    settled = {one.key for one in exact}
    spoken = [_spelling(symbol, one, "") for one in listed if not exact_alias(one)]
    every = [*exact, *(one for one in spoken if one.key not in settled)]
    return [one for one in every if any(map(str.isalnum, "".join(one.words)))]


def _spelling(symbol: str, name: str, exact: str) -> Spelling:
    words = [word.said for word in words_of(name)]
    while words and words[-1] == ".":
        words.pop()
    return Spelling(symbol, tuple(words if exact else _with_telling_capitals(words)), exact)


def _with_telling_capitals(words: Sequence[str]) -> list[str]:
    """Return the words of a name with only those capitals that a text must have, too."""
    if _is_short(words):
        return list(words)
    shouting = "".join(words).isupper()
    # In `Rain in Oslo` the first capital is that of a line; in `Lloyd's` it is the name's.
    is_line = any(len(word) > 1 and word.islower() for word in words[1:])
    telling = list(words)
    for number, word in enumerate(words[:-1]):
        is_small = word.lower() in _SMALL or (is_line and number == 0)
        if is_small and (shouting or word == word.capitalize()):
            telling[number] = word.lower()
    return telling


def _is_short(words: Sequence[str]) -> bool:
    return sum(map(str.isalpha, "".join(words))) <= SHORT_LETTERS


def _covers(named: str, found: str) -> bool:
    """Tell whether `found` has all capitals of `named`; one with none may have any."""
    return all(other.isupper() for one, other in zip(named, found, strict=False) if one.isupper())


def _is_part(text: str, said: Sequence[Word]) -> bool:
    """Tell whether the words are only a part of a longer one: of `O'Neill`, `AT&T`, `T-Mobile`."""
    first, last = said[0], said[-1]
    start, end = first.start, last.end
    if _CONTINUED[0].match(text, start) or _CONTINUED[1].match(text, end):
        return True
    if len(first.said) <= _ABBREVIATED_LETTERS and _ABBREVIATED[0].match(text, start):
        return True
    if len(last.said) <= _ABBREVIATED_LETTERS and _ABBREVIATED[1].match(text, end):
        return True
    if len(said) > 1 or len(first.said) > 1:
        return False
    if _LETTERED[0].match(text, start) or _LETTERED[1].match(text, end):
        return True
    return _is_initial(text, start, end)


def _is_initial(text: str, start: int, end: int) -> bool:
    """Tell whether a letter is that of a person: `George T. Smith`, but not `sold to T. The`."""
    behind = _INITIAL.match(text, end)
    before = text[:start].split()[-1:]
    return (
        behind is not None
        and text[behind.end()].isupper()
        and not (before and before[0][0].islower())
    )


def _is_shouted(text: str, start: int, end: int) -> bool:
    """Tell whether all the other words up to the next marks are in capitals."""
    first = max(text.rfind(mark, 0, start) for mark in _BREAKS) + 1
    behind = [text.find(mark, end) for mark in _BREAKS]
    last = min((at for at in behind if at >= 0), default=len(text))
    around = f"{text[first:start]} {text[end:last].removeprefix(_POSSESSIVE)}"
    return around.isupper() and _LETTERS.search(around) is not None
