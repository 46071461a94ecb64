"""How often tone is right: `python -m tests.bench.bench_tone [RATINGS]`.

First the sign of quick_score on our own sentences, by kind and by half: the rules were made
without a look at those that are held out. Then the agreement with a file of people's ratings,
and how long a text takes.
"""

import sys
import time
from pathlib import Path

from schemas.policy import Scoring
from streams.ingest.measuring.keywords import Keywords
from streams.ingest.measuring.quality import correlate, full_quick_bp
from streams.ingest.measuring.sentiment import Sentiment
from streams.ingest.measuring.tokens import sentences
from tests.bench.rig import machine
from tests.streams.ingest.measuring.tone_sentences import Judged, judged, share_right

ROUNDS = 20


class SignedTone:
    """The sign that a text's tone gives its quick_score."""

    def __init__(self) -> None:
        self._sentiment, self._keywords, self._scoring = Sentiment(), Keywords(), Scoring()

    def of(self, text: str) -> int:
        """Return 1, -1 or 0."""
        said = sentences(text)
        found = self._keywords.of(said).score_bp
        quick = full_quick_bp(self._sentiment.of(said), found, self._scoring)
        return (quick > 0) - (quick < 0)


def table(given: list[tuple[Judged, int]]) -> None:
    """Print how many are right, by kind and half."""
    print("| sentences | looked at | held out |\n|---|---|---|")
    kinds = list(dict.fromkeys(one.kind for one, _ in given))
    for kind in [*kinds, "all"]:
        cells = []
        for held_out in (False, True):
            some = [
                (one.want, sign)
                for one, sign in given
                if kind in (one.kind, "all") and one.held_out == held_out
            ]
            right = sum(want == sign for want, sign in some)
            cells.append(f"{right} of {len(some)} ({share_right(some):.0%})")
        print(f"| {kind} | {' | '.join(cells)} |")


def main() -> None:
    tone, own = SignedTone(), judged()
    table([(one, tone.of(one.text)) for one in own])
    if "--wrong" in sys.argv:
        for one in own:
            if not one.held_out and tone.of(one.text) != one.want:
                print(f"{one.want:+} {one.text}")
    began = time.perf_counter()
    for _ in range(ROUNDS):
        for one in own:
            tone.of(one.text)
    each_us = (time.perf_counter() - began) / ROUNDS / len(own) * 1e6
    print(f"\n{each_us:.0f} us a sentence; {machine()}.")
    files = [Path(name) for name in sys.argv[1:] if not name.startswith("--")]
    for file in files:
        print(f"\n{file.name}:\n\n| measure | Pearson | Spearman | silent | right sign |")
        print("|---|---|---|---|---|")
        for found in correlate(file).agreements:
            print(
                f"| {found.measure} | {found.pearson:.3f} | {found.spearman:.3f} "
                f"| {found.silent_bp / 100:.1f}% | {found.right_bp / 100:.1f}% |"
            )


if __name__ == "__main__":
    main()
