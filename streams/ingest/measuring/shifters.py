"""What the words around it make of a word's valence: contextual valence shifters.

Polanyi & Zaenen, "Contextual Valence Shifters", 2006; Moilanen & Pulman, "Sentiment
Composition", RANLP 2007. A lexicon knows that losses are bad; that they narrow, are denied or
end is good, and other words of the same clause say so. `shifters.tsv` lists those words by
their role. Within a clause, in this order:

1. Words whose other meaning is what lexicons know (`gross`, `interest`) have no valence, and
   neither has the standard of a comparison: what follows `than`.
2. A word of more or less and the thing that it moves are one piece of news. Its sign is that
   of the thing, turned round if there is less of it. Its size is the largest valence in it.
3. So are words that begin or end something and what they begin or end, which may be news of
   step 2: the end of a rise in crime is good. `no` and `without` end what follows them.
4. A quantity that stays as it is, or will be published, has no valence.
5. What fails to be done is bad, and so is what somebody has to do. Denials and negations turn
   round what follows them, at three quarters: that something did not happen is smaller news
   than that it did. VADER has the same factor (N_SCALAR, -0.74).
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Final, NamedTuple

from schemas.chain import digest
from streams.ingest.measuring.tokens import Phrases, stretches, words

TURNED: Final = -0.75
"""What is left of a valence that is denied."""
CONCEDED: Final = 0.5
"""What is left of what a sentence says before `but` or after `although`, as in VADER."""
_REACH: Final = 4
"""How many words after a negation it still holds, as in VADER."""
_TURNED_BAD: Final = -0.25
"""What is left of a bad valence that is negated: what is not bad is not yet good.

Kiritchenko & Mohammad, "The Effect of Negators, Modals, and Degree Adverbs on Sentiment
Composition", 2016.
"""
_NEAR: Final = 4
"""How many words after a verb its object is looked for."""
_FAR: Final = 8
"""How many words before a verb its subject is looked for."""
_CHAIN: Final = 3
"""How many words a thing may have between it and what it belongs to: sales of new homes."""
_AUXILIARIES: Final = frozenset({"is", "are", "was", "were", "be", "been", "being", "has", "have"})
_PASSIVE: Final = _AUXILIARIES - {"has", "have"}
_ARTICLES: Final = frozenset({"a", "an", "the", "any", "sharp", "big", "small", "slight"})
_PREPOSITIONS: Final = frozenset({"of", "in", "at", "on", "for", "from", "with", "by", "about"})
_TAILS: Final = frozenset({"of", "about", "over", "and"})
_THINGS: Final = frozenset({"good", "bad", "bad event", "neither"})
_QUANTITIES: Final = frozenset({"good", "bad", "neither"})
_MORE: Final = frozenset({"rise", "rise after"})
_LESS: Final = frozenset({"fall", "fall after"})
_SILENT: Final = frozenset({"drop", "not", "nobody"})
_SPOKEN: Final = frozenset({"level", "than", "not", "none", "fail", "deny", "reject", "end", "lift"})
_NO_ROLES: Final[frozenset[str]] = frozenset()


class Clause(NamedTuple):
    """The words of a clause as they are written, and how much of it counts."""

    weight: float
    given: list[str]


class Part(NamedTuple):
    """A piece of a clause with a valence, and the places of the words that it is made of."""

    valence: float
    places: tuple[int, ...]


class Shifters:
    """The list, loaded."""

    def __init__(self) -> None:
        text = (files(__package__) / "shifters.tsv").read_text(encoding="utf-8")
        self.digest = digest(text.encode())
        roles: dict[tuple[str, ...], frozenset[str]] = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                role, _, forms = line.partition("\t")
                for form in forms.split("|"):
                    key = tuple(words(form))
                    roles[key] = roles.get(key, _NO_ROLES) | {role}
        self._roles = Phrases(roles)

    def clauses(self, sentence: str) -> list[Clause]:
        """Return the clauses of `sentence`."""
        found: list[Clause] = []
        for stretch in stretches(sentence):
            lower = [word.lower() for word in stretch]
            starts, weights = [0], [1.0]
            for place in range(len(lower)):
                roles = self._roles.at(lower, place)[1] or _NO_ROLES
                if "clause" in roles and not _compares(lower, place):
                    starts.append(place)
                    weights.append(1.0)
                elif "concede" in roles:
                    starts.append(place)
                    weights.append(CONCEDED)
                elif "but" in roles:
                    found = [one._replace(weight=CONCEDED) for one in found]
                    weights = [CONCEDED] * len(weights)
                    starts.append(place)
                    weights.append(1.0)
            ends = [*starts[1:], len(stretch)]
            for weight, start, end in zip(weights, starts, ends, strict=True):
                if start < end:
                    found.append(Clause(weight, stretch[start:end]))
        return found

    def parts(self, given: Sequence[str], valences: Sequence[float], least: float) -> list[Part]:
        """Return what has a valence in a clause of words in lower case.

        `valences` is what a lexicon says of each word, 0 if it does not know it. `least` is the
        size of news for which the lexicon has no word.
        """
        composed = _Composition(self._roles, given, valences, least)
        return [Part(one.valence, tuple(sorted(one.places))) for one in composed.pieces()]


def _compares(lower: Sequence[str], place: int) -> bool:
    """Tell whether the word at `place` is an `as` of `as good as`."""
    near = [*lower[max(0, place - 3) : place], *lower[place + 1 : place + 4]]
    return lower[place] == "as" and "as" in near


def _class_sign(roles: frozenset[str]) -> int:
    """Return whether more of a thing is good, 1, or bad, -1; 0 if neither or no thing."""
    if "good" in roles:
        return 1
    return -1 if roles & {"bad", "bad event"} else 0


class _Piece:
    """News in the making."""

    def __init__(self, valence: float, places: set[int]) -> None:
        self.valence = valence
        self.places = places


class _Composition:
    """One clause."""

    def __init__(
        self,
        roles: Phrases[frozenset[str]],
        given: Sequence[str],
        valences: Sequence[float],
        least: float,
    ) -> None:
        self._given = given
        self._values = list(valences)
        self._least = least
        self._roles = [_NO_ROLES] * len(given)
        self._ends = list(range(1, len(given) + 1))
        """Where the phrase at a place ends."""
        self._news: list[_Piece] = []
        self._of: dict[int, _Piece] = {}
        """The piece that a place belongs to."""
        place = 0
        while place < len(given):
            length, found = roles.at(given, place)
            if found is None and given[place].endswith("n't"):
                found = frozenset({"not"})
            if found is not None:
                self._roles[place] = found
                self._ends[place] = place + max(1, length)
                if found & _SILENT:
                    self._silence(place)
                for one in range(place, self._ends[place]):
                    if self._values[one] * _class_sign(found) < 0:
                        self._values[one] = 0
            place = self._ends[place]

    def pieces(self) -> list[_Piece]:
        """Return the news of the clause."""
        self._drop_standards()
        places = range(len(self._given) - 1, -1, -1)
        for place in places:
            self._move(place)
        for place in places:
            self._end(place)
        self._level()
        for place, value in enumerate(self._values):
            if value and place not in self._of:
                self._add(value, {place})
        for place in range(len(self._given)):
            self._fail(place)
            self._oblige(place)
        for place in range(len(self._given)):
            self._deny(place)
            self._negate(place)
        return [one for one in self._news if one.valence]

    # -- steps

    def _drop_standards(self) -> None:
        for place, word in enumerate(self._given):
            second = word == "as" and "as" in self._given[max(0, place - 3) : place]
            if not (self._is(place, "than") or second):
                continue
            after = place + 1
            if after < len(self._given) and self._is(after, "expected"):
                self._forget(place, self._ends[after])
            elif after == len(self._given) or not (
                self._given[after][0].isdigit() or self._given[place - 1] in ("more", "less")
            ):
                self._forget(place, len(self._given))

    def _move(self, place: int) -> None:
        """Join a word of more or less with what it moves."""
        roles = self._roles[place]
        if self._mark(place):
            return
        more, less = bool(roles & _MORE), bool(roles & _LESS)
        if not more and not less:
            return
        direction = 1 if more else -1
        after = "rise after" in roles or "fall after" in roles
        bare = self._given[place] in ("less", "more", "least")
        to_right = None if after else self._right(place, lexical=bare and less)
        if to_right is None and not after and self._begins_noun(place):
            to_right = self._right(place, lexical=True, cross="in")
        if to_right is not None:
            if to_right in self._of:
                self._join(self._of[to_right], place, direction)
            else:
                self._compose(place, direction, self._run(to_right))
            return
        if bare:
            return
        to_left = self._left(place)
        if to_left is not None:
            if to_left in self._of and "pace" in roles:
                self._join(self._of[to_left], place, direction)
            else:
                self._compose(place, direction, self._subject(to_left))
        elif not after:
            to_right = self._right(place, lexical=False, cross="in")
            if to_right is not None and to_right not in self._of:
                self._compose(place, direction, self._run(to_right))

    def _mark(self, place: int) -> bool:
        """Join a comparison with what was expected, such as `above forecasts`."""
        roles = self._roles[place]
        over, under = "over mark" in roles, "under mark" in roles
        if not (over or under):
            return False
        start = self._ends[place]
        for mark in range(start, min(start + 3, len(self._given))):
            if self._is(mark, "mark") and mark not in self._of:
                thing = self._left(place)
                sign = 1 if over else -1
                if thing is not None:
                    sign *= self._sign(thing) or 1
                self._add(sign * self._least, {*range(place, self._ends[mark]), *self._span(thing)})
                return True
        return False

    def _end(self, place: int) -> None:
        """Join a word that begins, ends or lifts something with what it is about."""
        roles = self._roles[place]
        noun = place and self._given[place - 1] in _ARTICLES and self._next(place) not in ("of", "to")
        if place in self._of or noun:
            return
        none = "none" in roles
        ends = none or bool(roles & {"end", "lose"}) or (
            "reject" in roles and self._claim(place) is None
        )  # fmt: skip
        begins = "begin" in roles
        if not (ends or begins or "lift" in roles):
            return
        found = self._right(place, lexical=True)
        run = None if found is None else self._run(found)
        if found is None and not none:
            found = self._left(place)
            run = None if found is None else self._subject(found)
        if found is None or run is None:
            return
        head, _ = run
        sign = self._sign(found if found in self._of else head)
        if "lose" in roles and found not in self._of and "good" not in self._roles[head]:
            return
        direction = -1 if ends else 1
        if found in self._of:
            self._join(self._of[found], place, direction)
        elif "lift" in roles:
            self._compose(place, 1 if sign > 0 else -1, run)
        else:
            self._compose(place, direction, run)

    def _level(self) -> None:
        """Take the valence from quantities that nothing moved."""
        levels = [
            place
            for place in range(len(self._given))
            if self._is(place, "level") and self._next(place) != "to"
        ]
        for place in range(len(self._given)):
            if self._roles[place] & _QUANTITIES and place not in self._of:
                end = self._ends[place]
                data = any(self._is(near, "data") for near in range(end, min(end + 2, len(self._given))))
                if levels or data:
                    self._silence(place)
                    for level in levels:
                        self._silence(level)

    def _fail(self, place: int) -> None:
        if not self._is(place, "fail"):
            return
        start = self._ends[place]
        if start < len(self._given) and self._is(start, "find"):
            for piece in self._scope(start, len(self._given), things=True):
                piece.valence *= TURNED
            return
        for piece in self._scope(start, len(self._given), things=True):
            piece.valence = -abs(piece.valence)
        own = max((abs(self._values[one]) for one in range(place, start)), default=0)
        self._discard(place, start)
        self._add(-max(own, self._least), set(range(place, start)))

    def _oblige(self, place: int) -> None:
        start = self._ends[place]
        if self._is(place, "must"):
            near = range(start, min(start + 6, len(self._given)))
            acts = [one for one in near if self._is(one, "yield")]
            if not any(one - start < 2 or self._given[one - 1] == "to" for one in acts):
                return
        elif not self._is(place, "oblige"):
            return
        for piece in self._scope(start, len(self._given), things=False):
            piece.valence = min(piece.valence, 0)
        self._discard(place, start)
        self._add(-self._least, set(range(place, start)))

    def _deny(self, place: int) -> None:
        start = self._ends[place]
        if not (self._is(place, "deny") or self._claim(place) is not None):
            return
        own = [self._of[place]] if place in self._of else []
        turned = [one for one in self._scope(start, len(self._given), things=True) if one not in own]
        passive = place and self._given[place - 1] in _PASSIVE
        if passive and turned and self._is(place, "deny"):
            for piece in turned:
                piece.valence = -abs(piece.valence)
            return
        if not turned:
            turned = [one for one in self._scope(0, place, things=True) if one not in own]
        for piece in turned:
            piece.valence *= TURNED
        for piece in own:
            piece.valence = 0
        if passive and not turned:
            self._add(-self._least, {place})

    def _negate(self, place: int) -> None:
        start = self._ends[place]
        if self._is(place, "nobody"):
            reach = len(self._given)
        elif self._is(place, "not") and self._next(place) not in ("only", "just"):
            reach = min(start + _REACH, len(self._given))
        else:
            return
        for one in range(start, reach):
            if self._is(one, "act") and one not in self._of:
                self._add(self._least, {one})
        for piece in self._scope(start, reach, things=False):
            piece.valence *= TURNED if piece.valence > 0 else _TURNED_BAD

    # -- what is near

    def _is(self, place: int, role: str) -> bool:
        return role in self._roles[place]

    def _next(self, place: int) -> str:
        end = self._ends[place]
        return self._given[end] if end < len(self._given) else ""

    def _claim(self, place: int) -> int | None:
        """Return the place of the claim that the word at `place` rejects."""
        if not self._is(place, "reject"):
            return None
        start = self._ends[place]
        near = range(start, min(start + 3, len(self._given)))
        return next((one for one in near if self._is(one, "claim")), None)

    def _begins_noun(self, place: int) -> bool:
        """Tell whether the word at `place` is a noun as in `a fall in`."""
        return self._next(place) in ("in", "of") and (
            place == 0 or self._given[place - 1] in _ARTICLES
        )

    def _right(self, place: int, *, lexical: bool, cross: str = "") -> int | None:
        """Return the place of the thing after `place`: a listed one, or one with a valence."""
        start, carried = self._ends[place], False
        for one in range(start, min(start + _NEAR, len(self._given))):
            roles, word = self._roles[one], self._given[one]
            if roles & {"none", "not"}:
                return None
            if one in self._of or roles & _THINGS:
                return one
            if lexical and self._values[one] and not roles & _SPOKEN:
                return one
            carried = carried or "carrier" in roles
            if "stop" in roles and word not in ("of", cross) and not (word == "to" and carried):
                return None
        return None

    def _left(self, place: int) -> int | None:
        """Return the place of the thing before `place`."""
        adjacent = True
        for one in range(place - 1, max(-1, place - 1 - _FAR), -1):
            if one in self._of or self._roles[one] & _THINGS:
                return one
            if adjacent and self._values[one] and not self._roles[one] & _SPOKEN:
                return one
            adjacent = adjacent and self._given[one] in _AUXILIARIES
        return None

    def _run(self, first: int) -> tuple[int, set[int]]:
        """Return the head of the thing that begins at `first`, and all of its places."""
        head, end = first, self._ends[first]
        places = set(range(first, end))
        while end < len(self._given) and self._roles[end] & _THINGS and end not in self._of:
            if "neither" not in self._roles[end]:
                head = end
            places.update(range(end, self._ends[end]))
            end = self._ends[end]
        while end < len(self._given) and self._given[end] in _TAILS:
            near = range(end + 1, min(end + 1 + _CHAIN, len(self._given)))
            of = next((one for one in near if self._roles[one] & _THINGS or self._values[one]), None)
            if of is None or of in self._of:
                break
            places.update(range(end, self._ends[of]))
            end = self._ends[of]
        return head, places

    def _subject(self, last: int) -> tuple[int, set[int]]:
        """Return the head of the thing that ends at `last`, and all of its places."""
        head, places = last, set(range(last, self._ends[last]))
        first = last
        while first:
            before = first - 1
            while before and self._inside(before):
                before -= 1
            if self._roles[before] & _THINGS and before not in self._of:
                places.update(range(before, first))
                if "neither" in self._roles[head]:
                    head = before
                first = before
                continue
            link = next(
                (
                    one
                    for one in range(first - 1, max(-1, first - 1 - _CHAIN), -1)
                    if self._given[one] in _PREPOSITIONS
                ),
                None,
            )
            if link is None:
                break
            owner = next(
                (
                    one
                    for one in range(link - 1, max(-1, link - 1 - _CHAIN), -1)
                    if self._roles[one] & _THINGS and one not in self._of
                ),
                None,
            )
            if owner is None:
                break
            places.update(range(owner, first))
            head = first = owner
        return head, places

    def _inside(self, place: int) -> bool:
        """Tell whether a longer phrase covers `place`."""
        return any(
            self._ends[one] > place for one in range(max(0, place - 3), place)
        )

    # -- pieces

    def _sign(self, place: int) -> int:
        roles = self._roles[place]
        if place in self._of:
            value = self._of[place].valence
        elif roles & _THINGS:
            return _class_sign(roles)
        else:
            value = self._values[place]
        return (value > 0) - (value < 0)

    def _span(self, place: int | None) -> set[int]:
        return set() if place is None else set(range(place, self._ends[place]))

    def _compose(self, place: int, direction: int, run: tuple[int, set[int]]) -> None:
        head, places = run
        every = places | self._span(place)
        size = max(max(abs(self._values[one]) for one in every), self._least)
        self._add(direction * self._sign(head) * size, every)

    def _join(self, piece: _Piece, place: int, direction: int) -> None:
        piece.valence *= direction
        piece.places |= self._span(place)
        for one in self._span(place):
            self._of[one] = piece

    def _add(self, valence: float, places: set[int]) -> None:
        piece = _Piece(valence, places)
        self._news.append(piece)
        for one in places:
            self._of.setdefault(one, piece)

    def _scope(self, start: int, end: int, *, things: bool) -> list[_Piece]:
        """Return the pieces with a place from `start` to before `end`."""
        for one in range(start, end):
            sign = self._sign(one) if self._roles[one] & _THINGS else int(self._is(one, "act"))
            if things and one not in self._of and sign:
                self._add(sign * self._least, self._span(one))
        return [one for one in self._news if any(start <= place < end for place in one.places)]

    def _silence(self, place: int) -> None:
        for one in range(place, self._ends[place]):
            self._values[one] = 0

    def _forget(self, start: int, end: int) -> None:
        for one in range(start, end):
            self._values[one] = 0
            self._roles[one] = _NO_ROLES

    def _discard(self, start: int, end: int) -> None:
        for one in range(start, end):
            piece = self._of.pop(one, None)
            if piece is not None and piece in self._news and len(piece.places) == 1:
                self._news.remove(piece)
