"""How well tone and keywords agree with people: correlation with a file of ratings.

A rated text counts as wholly about its subject: relevance is 1 and takes its sign from
sentiment and keywords, as in quick_score. A file of ratings is for measuring the tools,
never for fitting single lines of the keyword list.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.errors import InputError
from schemas.policy import Scoring
from schemas.units import WEIGHT_ONE_BP
from streams.ingest.measuring.keywords import Keywords
from streams.ingest.measuring.sentiment import Sentiment
from streams.ingest.measuring.tokens import sentences

COLUMNS: Final = ("mean_rating", "text")
CLEAR: Final = 1.0
"""From which mean rating on, to either side, people agree on the sign."""

Floats = npt.NDArray[np.float64]


class Agreement(NamedTuple):
    """Correlation of one measure with the ratings; 0 if either never varies.

    `silent_bp` is how many of ten thousand texts the measure gives 0 for; `right_bp`, of those
    rated CLEAR or beyond, how many it gives the rating's sign.
    """

    measure: str
    pearson: float
    spearman: float
    silent_bp: int
    right_bp: int


class AgreementReport(NamedTuple):
    """How each measure agrees with the ratings of `texts` texts."""

    texts: int
    keywords: str
    agreements: list[Agreement]


def correlate(path: Path, scoring: Scoring | None = None) -> AgreementReport:
    """Measure every text of a tab-separated file with the columns mean_rating and text.

    Raises InputError for a file that is not like that.
    """
    rated = _read(path)
    ratings = np.array([rating for rating, _ in rated])
    sentiment, keywords, scoring = Sentiment(), Keywords(), scoring or Scoring()
    tones, found, quick = [], [], []
    for _, text in rated:
        said = sentences(text)
        tones.append(sentiment.of(said))
        found.append(keywords.of(said).score_bp)
        quick.append(full_quick_bp(tones[-1], found[-1], scoring))
    measures = {"sentiment": tones, "keywords": found, "quick_score": quick}
    agreements = [_agreement(name, values, ratings) for name, values in measures.items()]
    return AgreementReport(len(rated), keywords.name, agreements)


def _read(path: Path) -> list[tuple[float, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            rated = [(float(row["mean_rating"]), row["text"]) for row in rows]
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path.name} is no tab-separated file with {' and '.join(COLUMNS)}"
        ) from error
    if len(rated) < 2:
        raise InputError(f"{path.name} has fewer than two ratings")
    return rated


def full_quick_bp(sentiment_bp: int, keywords_bp: int, scoring: Scoring) -> int:
    """Return quick_score of a text whose subject is named in full."""
    said = scoring.quick_sentiment_bp * sentiment_bp + scoring.quick_keywords_bp * keywords_bp
    if said == 0:
        return 0
    size = (abs(said) + scoring.quick_relevance_bp * WEIGHT_ONE_BP) // WEIGHT_ONE_BP
    return size if said > 0 else -size


def _agreement(measure: str, values: Sequence[int], ratings: Floats) -> Agreement:
    given = np.array(values, np.float64)
    silent = int(np.count_nonzero(given == 0)) * WEIGHT_ONE_BP // len(given)
    clear = np.abs(ratings) >= CLEAR
    right = int(np.count_nonzero(np.sign(given[clear]) == np.sign(ratings[clear])))
    right_bp = right * WEIGHT_ONE_BP // max(1, int(np.count_nonzero(clear)))
    spearman = pearson(_ranks(given), _ranks(ratings))
    return Agreement(measure, pearson(given, ratings), spearman, silent, right_bp)


def pearson(one: Floats, other: Floats) -> float:
    """Return the correlation of two rows of numbers, 0 if either never varies."""
    first, second = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / scale if scale else 0.0


def _ranks(values: Floats) -> Floats:
    """Return the rank of each value; equal values share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle: Floats = last - (counts - 1) / 2
    return middle[which]
