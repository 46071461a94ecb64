"""The words that shift valence, by their role, and the clauses within which they do.

`shifters.tsv` lists them by hand. A longer form wins over the shorter ones in it, as with
keywords. What a role does is in `composition`.
"""

from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

from schemas.chain import digest
from streams.ingest.limits import SENTENCES_KEPT
from streams.ingest.measuring.tokens import Phrases, stretches, words

Roles = frozenset[str]
ROLES: Final = frozenset(
    (
        *("good", "bad", "bad event", "neither", "carrier"),
        *("rise", "rise after", "fall", "fall after", "pace", "extreme"),
        *("end", "lose", "lift", "begin", "keep", "finish", "none"),
        *("deny", "reject", "claim", "fail", "find", "not", "act", "oblige", "must", "yield"),
        *("than", "expected", "mark", "over mark", "under mark", "level", "data"),
        *("stop", "clause", "but", "concede", "drop"),
    )
)
NO_ROLES: Final[Roles] = frozenset()
CONCEDED: Final = 0.5
"""What is left of what a sentence says before `but` or after `although`, as in VADER."""
_COMPARED: Final = 3
"""How many words may stand between the two of `as good as`."""


class Clause(NamedTuple):
    """A clause: how much of it counts, and its words in lower case with their roles.

    A phrase has its roles at its first word; `ends` says where the phrase at a word ends.
    """

    weight: float
    given: tuple[str, ...]
    roles: tuple[Roles, ...]
    ends: tuple[int, ...]


class Shifters:
    """The list, loaded. Raises ValueError for a malformed list."""

    def __init__(self, text: str | None = None) -> None:
        if text is None:
            text = (files(__package__) / "shifters.tsv").read_text(encoding="utf-8")
        self.digest = digest(text.encode())
        roles: dict[tuple[str, ...], Roles] = {}
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            role, _, forms = line.partition("\t")
            if role not in ROLES:
                raise ValueError(f"no such role: {line}")
            for form in forms.split("|"):
                key = tuple(words(form))
                if not key or role in roles.get(key, NO_ROLES):
                    raise ValueError(f"form empty or given twice as {role}: {form!r}")
                roles[key] = roles.get(key, NO_ROLES) | {role}
        self._roles = Phrases(roles)
        self.clauses = lru_cache(maxsize=SENTENCES_KEPT)(self._clauses)
        """Return the clauses of a sentence: it is read once for all measures."""

    def _clauses(self, sentence: str) -> tuple[Clause, ...]:
        found: list[Clause] = []
        for stretch in stretches(sentence):
            start, weight = 0, 1.0
            for place in range(len(stretch)):
                roles = self._roles.at(stretch, place)[1] or NO_ROLES
                if not roles & {"clause", "but", "concede"} or _compares(stretch, place):
                    continue
                found.append(self._clause(stretch[start:place], weight))
                start, weight = place, CONCEDED if "concede" in roles else 1.0
                if "but" in roles:
                    found = [one._replace(weight=CONCEDED) for one in found]
            found.append(self._clause(stretch[start:], weight))
        return tuple(one for one in found if one.given)

    def _clause(self, given: list[str], weight: float) -> Clause:
        roles = [NO_ROLES] * len(given)
        ends = list(range(1, len(given) + 1))
        place = 0
        while place < len(given):
            length, found = self._roles.at(given, place)
            if found is not None:
                roles[place], ends[place] = found, place + length
            elif given[place].endswith("n't"):
                roles[place] = frozenset({"not"})
            place = ends[place]
        return Clause(weight, tuple(given), tuple(roles), tuple(ends))


def _compares(given: list[str], place: int) -> bool:
    """Tell whether the word at `place` is one of `as good as`, which begins no clause."""
    before = given[max(0, place - _COMPARED) : place]
    return given[place] == "as" and "as" in before + given[place + 1 : place + 1 + _COMPARED]


@cache
def shifters() -> Shifters:
    """Return the list, which is loaded once."""
    return Shifters()
