"""Whether two articles in nearly the same words report contrary outcomes.

An embedding hardly tells "wins" from "loses" where all else is the same, and tone tells them
apart only where both words have one. So titles and first sentences of near copies are compared
word by word, by three signs:

- one has a word of a pair such as *uphold* and *overturn*, the other its counterpart;
- one denies what the other says ("did not infringe", "infringed");
- the same words stand in another order ("Acme beats Bolt", "Bolt beats Acme").

A sign counts only if all words of the part agree on it. What is missed is judged as a copy, as
ever; a false sign has a copy heard once more.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from streams.ingest.limits import MAX_REMEMBERED_WORDINGS, MAX_WORDING_CHARS
from streams.ingest.measuring.tokens import sentences, words
from streams.ingest.measuring.typography import normalized

_PAIRS: Final = (
    ("win won victory winner", "lose lost loss defeat loser"),
    (
        "rise rose risen raise increase climb jump surge soar gain up higher grow grew grown "
        "growth rally advance",
        "fall fell fallen drop decrease slump plunge sink sank down lower shrink shrank slide "
        "slid tumble decline cut reduce",
    ),
    (
        "approve approval pass back accept allow permit uphold upheld sign clear support grant "
        "endorse adopt confirm",
        "reject rejection block veto overturn refuse deny denial bar quash oppose decline dismiss "
        "strike struck",
    ),
    ("convict conviction guilty", "acquit acquittal innocent clear"),
    ("beat exceed top", "miss"),
    (
        "open start begin began begun resume launch continue reopen restart",
        "close shut stop end halt suspend cancel",
    ),
    ("hire recruit", "fire sack dismiss lay laid"),
    ("hold held survive", "collapse fail break broke broken"),
    ("succeed success pass", "fail failure"),
    ("upgrade", "downgrade"),
    ("safe", "unsafe dangerous harmful"),
    ("legal lawful constitutional", "illegal unlawful unconstitutional"),
    ("more above better faster stronger", "less fewer below worse slower weaker"),
    ("buy bought acquire", "sell sold"),
    ("profit", "loss"),
    ("true", "false"),
    ("join enter", "leave left quit withdraw withdrew exit"),
    ("alive survive", "dead die kill"),
    ("agree agreement", "disagree disagreement"),
    ("elect", "oust defeat"),
    ("confirm admit", "deny denied"),
    ("extend renew", "end expire"),
    ("allow permit", "ban prohibit forbid bar"),
    ("best high", "worst low"),
)
_SIDES: Final[dict[str, list[tuple[int, int]]]] = {}
for _number, _sides in enumerate(_PAIRS):
    for _side, _names in zip((1, -1), _sides, strict=True):
        for _name in _names.split():
            _SIDES.setdefault(_name, []).append((_number, _side))
_NEGATORS: Final = frozenset({"not", "no", "never", "neither", "nor", "cannot"})
_REACH: Final = 3
"""How many words a negation reaches ahead."""
_PLAIN: Final = frozenset(
    {
        "the", "and", "for", "that", "with", "from", "this", "will", "would", "have", "has",
        "had", "was", "were", "been", "are", "its", "their", "his", "her", "did", "does", "but",
        "said", "says", "say", "comment", "immediately",
    }
)  # fmt: skip
"""Words that are denied or not without an outcome being another."""
_LEAST_STEM: Final = 4


class Wording(NamedTuple):
    """The parts of an article that say what came of it."""

    title: str
    lead: str


def wording(title: str, excerpt: str) -> Wording:
    """Return an article's title and first sentence, without a desk's explanation before it."""
    title, excerpt = normalized(title), normalized(excerpt)
    if excerpt.startswith(("(", "[")):
        excerpt = excerpt.partition(")" if excerpt[0] == "(" else "]")[2].lstrip() or excerpt
    lead = next(iter(sentences(excerpt[: 2 * MAX_WORDING_CHARS])), "")
    return Wording(title[:MAX_WORDING_CHARS], lead[:MAX_WORDING_CHARS])


def contrary(one: Wording, other: Wording) -> bool:
    """Tell whether two articles, whose texts are nearly alike, report contrary outcomes.

    >>> contrary(Wording("Court upholds ban", ""), Wording("Court overturns ban", ""))
    True
    """
    return any(_contrary(words(a), words(b)) for a, b in zip(one, other, strict=True))


def _contrary(one: list[str], other: list[str]) -> bool:
    if not one or not other:
        return False
    if one != other and Counter(one) == Counter(other):
        return True
    return _clash(_outcomes(one), _outcomes(other)) or _clash(_said(one), _said(other))


def _clash(one: dict[object, int], other: dict[object, int]) -> bool:
    return any(side * other.get(key, 0) < 0 for key, side in one.items())


def _outcomes(said: list[str]) -> dict[object, int]:
    """Return by pair on which side all its words are; 0 where they are on both."""
    found: dict[object, int] = {}
    for place, word in enumerate(said):
        for pair, side in next((_SIDES[base] for base in _bases(word) if base in _SIDES), ()):
            side = -side if _is_denied(said, place) else side
            found[pair] = side if found.get(pair, side) == side else 0
    return found


def _said(said: list[str]) -> dict[object, int]:
    """Return by stem whether all that is said of it is denied (-1) or not (1); else 0."""
    found: dict[object, int] = {}
    for place, word in enumerate(said):
        stem = min(_bases(word), key=len).rstrip("e")
        if word in _PLAIN or len(stem) < _LEAST_STEM:
            continue
        side = -1 if _is_denied(said, place) else 1
        found[stem] = side if found.get(stem, side) == side else 0
    return found


def _is_denied(said: list[str], place: int) -> bool:
    before = said[max(place - _REACH, 0) : place]
    return any(word in _NEGATORS or word.endswith("n't") for word in before)


def _bases(word: str) -> Iterator[str]:
    """Yield a word and what it may be a form of."""
    yield word
    for end in ("ies", "ied"):
        if word.endswith(end):
            yield word[:-3] + "y"
            return
    for end in ("'s", "s", "d", "es", "ed", "ing"):
        if word.endswith(end) and len(word) > len(end) + 2:
            bare = word[: -len(end)]
            yield bare
            if end == "ing":
                yield bare + "e"
            if end in ("ed", "ing") and bare[-1] == bare[-2]:
                yield bare[:-1]


class Wordings:
    """The wordings of the last MAX_REMEMBERED_WORDINGS articles, by log sequence."""

    def __init__(self) -> None:
        self._kept: dict[int, Wording] = {}

    def get(self, article: int) -> Wording | None:
        return self._kept.get(article)

    def add(self, article: int, one: Wording) -> None:
        """Remember an article; the oldest is forgotten if there is no room."""
        self._kept[article] = one
        if len(self._kept) > MAX_REMEMBERED_WORDINGS:
            del self._kept[next(iter(self._kept))]
