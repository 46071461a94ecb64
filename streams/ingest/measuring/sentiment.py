"""The tone of a text: VADER's lexicon, composed clause by clause, averaged over sentences.

Hutto & Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social
Media Text", ICWSM 2014. Of VADER are the valences of words, what degree adverbs add to them,
and the compound of a sentence, x / sqrt(x^2 + 15) of the sum x of all valences. What a clause
makes of a valence is in `composition`: VADER itself turns round the three words after a
negation. Capitals and exclamation marks are no emphasis in the news and add nothing.

The compound grows with the length of a text and soon reaches +-1. Of 249 newspaper editorials
38% were beyond +-0.9, and the correlation with people's ratings was 0.56. So a text's sentiment
is the mean over its sentences, those without any tone included.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from vaderSentiment.vaderSentiment import (
    BOOSTER_DICT,
    SentimentIntensityAnalyzer,
    normalize,
)

from schemas.units import WEIGHT_ONE_BP
from streams.ingest.measuring.composition import compose
from streams.ingest.measuring.shifters import shifters

_LEAST: Final = 1.5
"""The valence of news for which VADER has no word; its words are within +-4."""
_BOOSTS: Final = (1.0, 0.95, 0.9)
"""How much of a degree adverb's effect is left one, two and three words later, as in VADER."""


class Sentiment:
    """The lexicon, loaded."""

    def __init__(self) -> None:
        self.name = f"vader/{version('vaderSentiment')}/clauses-1/{shifters().digest}"
        analyser = SentimentIntensityAnalyzer()
        self._lexicon: dict[str, float] = analyser.lexicon
        self._emojis: dict[str, str] = analyser.emojis

    def of(self, sentences: Sequence[str]) -> int:
        """Return the mean sentiment of `sentences`, -10,000 to 10,000; 0 without any."""
        if not sentences:
            return 0
        return round(sum(map(self._compound, sentences)) / len(sentences) * WEIGHT_ONE_BP)

    def _compound(self, sentence: str) -> float:
        total = 0.0
        for clause in shifters().clauses(self._spelled(sentence)):
            parts = compose(clause, self._valences(clause.given), _LEAST)
            total += clause.weight * sum(part.valence for part in parts)
        compound: float = normalize(total)
        return compound

    def _spelled(self, sentence: str) -> str:
        """Return `sentence` with VADER's words for its emoji."""
        if sentence.isascii():
            return sentence
        return "".join(f" {self._emojis[one]} " if one in self._emojis else one for one in sentence)

    def _valences(self, given: Sequence[str]) -> list[float]:
        """Return the valence of each word, with what degree adverbs before it add."""
        found = [0.0 if word in BOOSTER_DICT else self._lexicon.get(word, 0.0) for word in given]
        for place, valence in enumerate(found):
            if valence:
                for back, left in enumerate(_BOOSTS[:place], 1):
                    boost = BOOSTER_DICT.get(given[place - back], 0.0) * left
                    found[place] += boost if valence > 0 else -boost
        return found
