"""Which language a text is in: py3langid, with the claimed language where it cannot tell."""

from importlib.metadata import version
from typing import Final, NamedTuple

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from schemas.units import WEIGHT_ONE_BP

SCORED: Final = "en"
"""The one language that sentiment, keywords and embeddings are made for."""
_SURE_BP: Final = 5_000
"""Below this the model is unsure: a headline of names or numbers may be in any language."""
_MAX_SUBTAG_CHARS: Final = 3


class Language(NamedTuple):
    """An ISO 639 code, and the model's probability for it."""

    code: str
    probability_bp: int


class Languages:
    """The model, loaded. All of its languages stay possible.

    A model that is restricted to a few languages takes every other text for one of them.
    """

    def __init__(self) -> None:
        self.name = f"py3langid/{version('py3langid')}"
        self._model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

    def of(self, text: str, claimed: str) -> Language:
        """Return the language of `text`; `claimed` is a tag such as `en-GB`, or empty.

        The claim counts only if the model is unsure: feeds often claim the language of the
        software that made them.
        """
        ranked = [Language(code, _bp(likely)) for code, likely in self._model.rank(text)]
        best = ranked[0]
        subtag = claimed.replace("_", "-").partition("-")[0].lower()
        if best.probability_bp >= _SURE_BP or not _is_subtag(subtag):
            return best
        return next((one for one in ranked if one.code == subtag), Language(subtag, 0))


def _is_subtag(text: str) -> bool:
    return 0 < len(text) <= _MAX_SUBTAG_CHARS and text.isascii() and text.isalpha()


def _bp(probability: float) -> int:
    return round(probability * WEIGHT_ONE_BP)
