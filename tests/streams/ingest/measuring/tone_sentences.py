"""Sentences of news in our own words, with the sign that each should get: `tone_sentences.tsv`.

Half of them are held out: the rules were made and mended by looking at the others alone. Which
half a sentence is in follows from its digest, so nobody chose it.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_suffix(".tsv")


class Judged(NamedTuple):
    """A sentence and its sign: 1 good, -1 bad, 0 neither for whom it is about."""

    kind: str
    want: int
    text: str

    @property
    def held_out(self) -> bool:
        """Tell whether the rules were made without looking at it."""
        return hashlib.sha256(self.text.encode()).digest()[0] % 2 == 1


def judged() -> list[Judged]:
    """Return all sentences in the order of the file."""
    lines = (line.split("\t") for line in FILE.read_text(encoding="utf-8").splitlines())
    return [Judged(kind, int(want), text) for kind, want, text in lines if kind[0] != "#"]


def share_right(some: Iterable[tuple[int, int]]) -> float:
    """Return the share of pairs of wanted and given signs that are equal."""
    pairs = list(some)
    return sum(want == given for want, given in pairs) / len(pairs)
