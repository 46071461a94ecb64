"""The fixed, signed keyword list: `keywords.tsv`, written by hand.

A line's weight says how good or bad the news is for its subject. The third column says what
kind of news it is. A longer phrase wins over the phrases in it, so that `not guilty` does
not count as `guilty`. A negation shortly before a keyword reverses its weight, at three
quarters: that something did not happen is smaller news than that it did. VADER has the same
factor for sentiment (N_SCALAR, -0.74).
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Final, NamedTuple

from schemas.chain import digest
from schemas.units import WEIGHT_ONE_BP
from streams.ingest.limits import MAX_KEYWORDS_LISTED
from streams.ingest.measuring.tokens import words

MAX_WEIGHT: Final = 100
_NEGATIONS: Final = frozenset(
    (
        *("no", "not", "never", "neither", "nor", "without", "cannot"),
        *("deny", "denies", "denied", "denying"),
        *("avoid", "avoids", "avoided", "avert", "averts", "averted"),
        *("prevent", "prevents", "prevented", "unlikely", "barely", "hardly"),
    )
)
_REACH: Final = 3
"""How many words after a negation it still holds, as in VADER."""
_NEGATED_PERCENT: Final = -75
_EVIDENCE: Final = 50
"""Added to the size of a sentence's keywords: one keyword of weight 50 scores a half."""


class Keyword(NamedTuple):
    """One line of the list. `kind` is the reason why it is listed."""

    name: str
    weight: int
    kind: str


class Found(NamedTuple):
    """The score, -10,000 to 10,000, and the terms behind it in the order of the text."""

    score_bp: int
    terms: list[str]


class Keywords:
    """The list, loaded. Raises ValueError for a malformed list."""

    def __init__(self, text: str | None = None) -> None:
        if text is None:
            text = (files(__package__) / "keywords.tsv").read_text(encoding="utf-8")
        self.name = f"keywords/{digest(text.encode())}"
        self._terms: dict[tuple[str, ...], Keyword] = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                self._add(line)
        self._longest = max(map(len, self._terms), default=0)

    def _add(self, line: str) -> None:
        forms, weight, kind = line.split("\t")
        term = Keyword(forms.partition("|")[0], int(weight), kind)
        if not 0 < abs(term.weight) <= MAX_WEIGHT or not kind:
            raise ValueError(f"keyword line without weight or reason: {line}")
        for form in forms.split("|"):
            key = tuple(words(form))
            if not key or key in self._terms:
                raise ValueError(f"keyword form empty or given twice: {form!r}")
            self._terms[key] = term

    @property
    def forms(self) -> dict[str, Keyword]:
        """Return every form with its keyword."""
        return {" ".join(key): term for key, term in self._terms.items()}

    def of(self, sentences: Sequence[str]) -> Found:
        """Return what the list finds in `sentences`.

        A sentence's score is the sum of its keywords' weights, divided by the sum of their
        absolute weights plus _EVIDENCE. It never reaches +-1, and contradictions bring it
        near 0. A keyword counts once in a sentence. The text's score is the mean over its
        sentences, as with sentiment: a longer text has more keywords, but not more to say.
        """
        terms: dict[str, None] = {}
        total_bp = 0
        for sentence in sentences:
            weights = self._in_sentence(words(sentence))
            terms.update(dict.fromkeys(weights))
            total, size = sum(weights.values()), sum(map(abs, weights.values()))
            total_bp += round(total * WEIGHT_ONE_BP / (size + _EVIDENCE))
        score_bp = round(total_bp / max(1, len(sentences)))
        return Found(score_bp, list(terms)[:MAX_KEYWORDS_LISTED])

    def _in_sentence(self, given: list[str]) -> dict[str, int]:
        """Return the keywords of one sentence, by their listed names, with their weights there."""
        found: dict[str, int] = {}
        position = 0
        while position < len(given):
            length, term = self._longest_at(given, position)
            if term is None:
                position += 1
                continue
            if any(map(_negates, given[max(0, position - _REACH) : position])):
                found[f"not {term.name}"] = round(term.weight * _NEGATED_PERCENT / 100)
            else:
                found[term.name] = term.weight
            position += length
        return found

    def _longest_at(self, given: list[str], position: int) -> tuple[int, Keyword | None]:
        for length in range(min(self._longest, len(given) - position), 0, -1):
            term = self._terms.get(tuple(given[position : position + length]))
            if term is not None:
                return length, term
        return 0, None


def _negates(word: str) -> bool:
    return word in _NEGATIONS or word.endswith("n't")
