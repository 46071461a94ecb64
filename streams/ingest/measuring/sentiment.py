"""The tone of a text: VADER's lexicon, composed clause by clause, averaged over sentences.

Hutto & Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social
Media Text", ICWSM 2014. Of VADER are the valences of words, what degree adverbs add to them,
and the compound of a sentence, x / sqrt(x^2 + 15) of the sum x of all valences. What a clause
makes of a valence is in `shifters`, where VADER has negations of the next three words only.

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
from streams.ingest.measuring.shifters import Shifters

_LEAST: Final = 1.5
"""The valence of news for which VADER has no word; its words are within +-4."""
_BOOSTS: Final = (1.0, 0.95, 0.9)
"""How much of a degree adverb's effect is left one, two and three words later, as in VADER."""


class Sentiment:
    """The lexicon and the shifters, loaded."""

    def __init__(self) -> None:
        self._shifters = Shifters()
        self.name = f"vader/{version('vaderSentiment')}/clauses-1/{self._shifters.digest}"
        self._lexicon: dict[str, float] = SentimentIntensityAnalyzer().lexicon

    def of(self, sentences: Sequence[str]) -> int:
        """Return the mean sentiment of `sentences`, -10,000 to 10,000; 0 without any."""
        if not sentences:
            return 0
        return round(sum(map(self._compound, sentences)) / len(sentences) * WEIGHT_ONE_BP)

    def _compound(self, sentence: str) -> float:
        total = 0.0
        for weight, written in self._shifters.clauses(sentence):
            given = [word.lower() for word in written]
            parts = self._shifters.parts(given, self._valences(given), _LEAST)
            total += weight * sum(part.valence for part in parts)
        compound: float = normalize(total)
        return compound

    def _valences(self, given: Sequence[str]) -> list[float]:
        found = [0.0 if word in BOOSTER_DICT else self._lexicon.get(word, 0.0) for word in given]
        for place, valence in enumerate(found):
            if valence:
                for back, left in enumerate(_BOOSTS[:place], 1):
                    boost = BOOSTER_DICT.get(given[place - back], 0.0) * left
                    found[place] += boost if valence > 0 else -boost
        return found
