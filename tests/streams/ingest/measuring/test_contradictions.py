"""Texts that are nearly alike and say the opposite: which side each is measured to be on.

The texts differ in a word or two, so their embeddings do not tell them apart (0.9 and more).
"""

from schemas.articles import notice
from streams.ingest.measuring.keywords import Keywords
from streams.ingest.measuring.sentiment import Sentiment
from streams.ingest.measuring.tokens import sentences

REST = (
    "Shares of the company were little changed in early trading in London. Analysts had expected "
    "the ruling for months. The company is based in Oslo and employs 4,000 people."
)
WINS = (
    "Acme wins patent case against Bolt",
    f"A court ruled that Acme did not infringe the patents of Bolt. {REST}",
)
LOSES = (
    "Acme loses patent case against Bolt",
    f"A court ruled that Acme infringed the patents of Bolt. {REST}",
)
CORRECTED = (
    "CORRECTED-Acme profit falls 10%",
    f"(Corrects to say profit fell, not rose) Acme said its profit fell 10%. {REST}",
)


def side(title: str, text: str) -> int:
    said = [*sentences(title), *sentences(text)]
    base = 4 * Sentiment().of(said) + 3 * Keywords().of(said).score_bp
    return (base > 0) - (base < 0)


def test_win_and_loss_are_on_opposite_sides() -> None:
    assert (side(*WINS), side(*LOSES)) == (1, -1)


def test_correction_is_known_by_its_title_where_tone_does_not_tell() -> None:
    assert notice(CORRECTED[0]) == "correction"
