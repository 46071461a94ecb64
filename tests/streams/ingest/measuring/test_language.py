import pytest

from streams.ingest.measuring.language import Language
from tests.streams.ingest.measuring.world import LANGUAGES, TEXT

GERMAN = "Der Bürgermeister trat am Montag nach dem Streit um die Brücke zurück."


@pytest.mark.parametrize(
    ("text", "claimed", "code"),
    [
        (TEXT, "", "en"),
        (TEXT, "de-DE", "en"),
        (GERMAN, "", "de"),
        (GERMAN, "en-US", "de"),
        ("Nasdaq +3%", "en-US", "en"),
        ("Nasdaq +3%", "EN_gb", "en"),
        ("Nasdaq +3%", "de", "de"),
        ("12345 678", "tlh", "tlh"),
    ],
)
def test_text_tells_and_the_claim_helps_where_it_does_not(
    text: str, claimed: str, code: str
) -> None:
    assert LANGUAGES.of(text, claimed).code == code


@pytest.mark.parametrize("claimed", ["", "english", "e1", "ⅷ", "-", "x" * 35])
def test_a_claim_that_is_no_language_does_not_count(claimed: str) -> None:
    assert LANGUAGES.of("Nasdaq +3%", claimed) == LANGUAGES.of("Nasdaq +3%", "")


def test_probability_is_the_models_own_for_that_language() -> None:
    sure = LANGUAGES.of(TEXT, "")
    claimed = LANGUAGES.of("Nasdaq +3%", "en")
    assert 5_000 <= sure.probability_bp <= 10_000
    assert 0 <= claimed.probability_bp < 5_000
    assert LANGUAGES.of("12345 678", "tlh") == Language("tlh", 0)
