"""The sign of short news sentences, as it decides to which side an article moves a score."""

import pytest

from streams.ingest.measuring.tokens import sentences
from tests.bench.bench_tone import SignedTone
from tests.streams.ingest.measuring.tone_sentences import judged, share_right

TONE = SignedTone()


@pytest.mark.parametrize("held_out", [False, True])
def test_our_sentences_get_the_right_sign(held_out: bool) -> None:
    some = [one for one in judged() if one.held_out == held_out]
    assert len(some) > 150
    assert share_right((one.want, TONE.of(one.text)) for one in some) >= 0.95


def test_every_kind_of_sentence_gets_it() -> None:
    kinds: dict[str, list[tuple[int, int]]] = {}
    for one in judged():
        kinds.setdefault(one.kind, []).append((one.want, TONE.of(one.text)))
    poor = {kind: share_right(some) for kind, some in kinds.items() if share_right(some) < 0.85}
    assert len(kinds) == 19
    assert poor == {}


@pytest.mark.parametrize(
    ("want", "text"),
    [
        (1, "Unemployment falls to record low."),
        (1, "Losses narrow at Acme."),
        (1, "Acme denies it is bankrupt."),
        (-1, "Acme fails to win approval."),
        (1, "EU lifts sanctions on Acme."),
        (0, "Interest rate decision due Thursday."),
        (0, "Gross domestic product was flat."),
    ],
)
def test_what_was_reported(want: int, text: str) -> None:
    assert TONE.of(text) == want
    assert TONE.of(text.rstrip(".")) == want
    assert TONE.of(text.upper()) == want


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("Inflation slows", "Inflation accelerates"),
        ("Acme up 5%", "Acme down 5%"),
        ("Losses less than feared", "Losses more than feared"),
        ("Acme raises outlook", "Acme cuts outlook"),
        ("Acme swings to profit", "Acme swings to loss"),
        ("Acme avoids default", "Acme loses contract"),
        ("Court strikes down ban", "Court strikes down relief plan"),
        ("War ends", "Ceasefire ends"),
        ("Acme won't cut jobs", "Acme won't raise wages"),
        ("A rise in crime slows", "A rise in sales slows"),
        ("Prosecutors found no evidence of fraud", "Doctors found no cure"),
        ("Acme did not pay bribes", "Acme did not pay wages"),
    ],
)
def test_what_differs_in_a_word_or_two_is_on_opposite_sides(good: str, bad: str) -> None:
    assert (TONE.of(good), TONE.of(bad)) == (1, -1)


def test_a_sentence_has_no_say_in_the_next() -> None:
    assert len(sentences("Acme does not fail. It wins.")) == 2
    assert TONE.of("They do not. Acme wins.") == 1
