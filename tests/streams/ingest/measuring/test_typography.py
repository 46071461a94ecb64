"""Typography: what publishers set in many ways is measured as one."""

from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.ingest.measuring.tokens import sentences, words
from streams.ingest.measuring.typography import TYPOGRAPHY, normalized, stated
from tests.streams.ingest.measuring.world import KEYWORDS, SENTIMENT

ODD = [
    *range(0xA0, 0x180), *range(0x2B0, 0x370), *range(0x2000, 0x2070), *range(0xFB00, 0xFB07),
    *range(0xFE00, 0xFE10), *range(0xFF00, 0xFF60), *range(0x1D400, 0x1D800), 0xFEFF, 0x1FFD,
]  # fmt: skip


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ("isn’t, isn‘t, isnʼt, isn´t, isn＇t", "isn't, isn't, isn't, isn't, isn't"),
        ("“quoted” „low‟ «said»", '"quoted" "low" "said"'),
        ("Beyonce\u0301 sells out", "Beyoncé sells out"),
        ("Bey\u200boncé, go\u00advern\u00adment, \ufeffstart", "Beyoncé, government, start"),
        ("e\u200d\u0301", "é"),
        ("state\u2011run, state\u2010run, -\u2212", "state-run, state-run, --"),
        ("10\u00a0000\u2009km\u202faway\u3000now", "10 000 km away now"),
        ("one\u2028two\u2029three\u0085four", "one\ntwo\nthree\nfour"),
        ("and so on…", "and so on..."),
        ("o\ufb03cial \ufb01rm, \ufb02ood", "official firm, flood"),
        ("ＡＰＰＬＥ\u3000５％", "APPLE 5%"),
        ("𝗕𝗿𝗲𝗮𝗸𝗶𝗻𝗴", "Breaking"),
        ("\u200fright\u202eleft\u2066", "rightleft"),
        ("heart\u2764\ufe0f", "heart\u2764"),
        # what changes a meaning stays
        ("2020–21 — 10² ½ Łódź ™ № 雨", "2020–21 — 10² ½ Łódź ™ № 雨"),
        ("plain 'text' \"here\"\n\t-", "plain 'text' \"here\"\n\t-"),
        ("", ""),
    ],
)
def test_normalized(published: str, expected: str) -> None:
    assert normalized(published) == expected


@settings(deadline=None)
@given(st.text(st.one_of(st.characters(), st.sampled_from([chr(one) for one in ODD])), max_size=60))
def test_a_normalized_text_stays_and_its_size_is_bounded(text: str) -> None:
    expected = normalized(text)
    assert normalized(expected) == expected == normalize("NFC", expected)
    assert len(expected) <= 3 * len(text)


def test_each_character_alone_stays() -> None:
    for number in (*range(0xD800), *range(0xE000, 0x20000)):
        expected = normalized(chr(number))
        assert normalized(expected) == expected, hex(number)
        assert len(expected) <= 3


@pytest.mark.parametrize(
    "plain",
    [
        "The bank's co-op isn't failing.",
        "Acme doesn't win approval, and that's a loss.",
        "Analysts don't like it... The chair won't resign.",
    ],
)
def test_tone_and_keywords_are_those_of_straight_quotes(plain: str) -> None:
    typeset = plain.replace("'", "’").replace("-", "\u2011").replace("...", "…")
    typeset = typeset.replace(" ", "\u00a0", 1)
    assert sentences(typeset) == sentences(plain)
    assert words(typeset) == words(plain)
    assert SENTIMENT.of(sentences(typeset)) == SENTIMENT.of(sentences(plain))
    assert KEYWORDS.of(sentences(typeset)) == KEYWORDS.of(sentences(plain))


def test_what_measured_says_how_texts_were_prepared() -> None:
    assert stated("vader/3.3.2") == f"vader/3.3.2 {TYPOGRAPHY}"
