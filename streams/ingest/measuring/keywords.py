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
from streams.ingest.measuring.composition import compose
from streams.ingest.measuring.shifters import shifters
from streams.ingest.measuring.tokens import Phrases, words

MAX_WEIGHT: Final = 100
_EVIDENCE: Final = 50
"""Added to the size of a sentence's keywords: one keyword of weight 50 scores a half."""
_LEAST: Final = 30
"""The weight of news for which the list has no word."""


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
        self.name = f"keywords/2/{digest(text.encode())}/{shifters().digest}"
        self._terms: dict[tuple[str, ...], Keyword] = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                self._add(line)
        self._phrases = Phrases(self._terms)

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
            weights = self._in_sentence(sentence)
            terms.update(dict.fromkeys(weights))
            total, size = sum(weights.values()), sum(map(abs, weights.values()))
            total_bp += round(total * WEIGHT_ONE_BP / (size + _EVIDENCE))
        score_bp = round(total_bp / max(1, len(sentences)))
        return Found(score_bp, list(terms)[:MAX_KEYWORDS_LISTED])

    def _in_sentence(self, sentence: str) -> dict[str, int]:
        """Return the terms of one sentence with their weights there."""
        found: dict[str, int] = {}
        for clause in shifters().clauses(sentence):
            given = clause.given
            terms, weights = self._listed(given)
            for valence, places in compose(clause, weights, _LEAST):
                term = terms[places[0]]
                if term is None or len(places) > 1:
                    name = " ".join(given[one] for one in places)
                else:
                    name = term.name if valence * term.weight > 0 else f"not {term.name}"
                found[name] = round(clause.weight * valence)
        return found

    def _listed(self, given: Sequence[str]) -> tuple[list[Keyword | None], list[float]]:
        """Return the keyword that begins at each word, and its weight."""
        terms: list[Keyword | None] = [None] * len(given)
        weights = [0.0] * len(given)
        place = 0
        while place < len(given):
            length, term = self._phrases.at(given, place)
            if term is not None:
                terms[place], weights[place] = term, term.weight
            place += max(1, length)
        return terms, weights
