"""The valence of a clause: how its words change that of each other.

A lexicon knows that losses are bad. That they narrow, end or are denied is good, and other
words of the clause say so (Polanyi & Zaenen, "Contextual Valence Shifters", 2006; Moilanen &
Pulman, "Sentiment Composition", RANLP 2007). Step by step:

1. Words of which lexicons know another meaning (`gross`, `interest`) have no valence, and
   neither has the standard of a comparison: what follows `than`.
2. A word of more or less and the thing that it moves are one piece of news. Its sign is that
   of the thing, turned round if there is less of it; its size is the largest valence in it.
3. So are a word that begins or ends something and what it begins or ends, which may be news
   of step 2: the end of a rise in crime is good. `no` and `without` end what follows them.
4. A quantity that stays as it is, or will be published, has no valence.
5. Goals that are not reached are bad, and so are duties. Denials turn round what they deny,
   negations what follows within a few words.

It sees words, not grammar: what moves what is guessed from the order of words.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from streams.ingest.measuring.shifters import NO_ROLES, Clause, Roles

TURNED: Final = -0.75
"""What is left of a valence that is denied: that something did not happen is smaller news than
that it did. VADER has the same factor (N_SCALAR, -0.74)."""
TURNED_BAD: Final = -0.25
"""What is left of a bad valence that is negated: what is not bad is not yet good.

Kiritchenko & Mohammad, "The Effect of Negators, Modals, and Degree Adverbs on Sentiment
Composition", WASSA 2016.
"""
_REACH: Final = 4
"""How many words after a negation it still holds."""
_OBJECT: Final = 4
"""How many words after a verb its object is looked for."""
_SUBJECT: Final = 8
"""How many words before a verb its subject is looked for."""
_LINK: Final = 3
"""How many words lie between a preposition and the things that it links: sales of new homes."""
_ORDER: Final = 6
"""How many words after `orders` the verb of what is ordered is looked for."""
_BY: Final = 3
"""How many words after `above` the forecasts are looked for, and after `rejects` the claims."""
_PHRASE: Final = 4
"""No listed phrase has more words."""
_BE: Final = frozenset({"is", "are", "was", "were", "be", "been", "being"})
_AUXILIARIES: Final = _BE | {"has", "have"}
_ARTICLES: Final = frozenset({"a", "an", "the", "any", "sharp", "big", "small", "slight"})
_LINKS: Final = frozenset(
    ("of", "in", "at", "on", "for", "from", "with", "by", "about", "against", "over", "between")
)
_FROM: Final = frozenset({"from", "off"})
_TAILS: Final = frozenset({"of", "about", "over", "and"})
_AFTER_NUMBERS: Final = frozenset(
    ("percent", "per", "pct", "points", "on", "in", "at", "from", "to")
)
_BARE: Final = frozenset({"less", "more", "least"})
"""They move what follows them only, or what is compared: losses less than feared."""
_BAD: Final = frozenset({"bad", "bad event"})
_QUANTITIES: Final = frozenset({"good", "bad", "neither"})
_THINGS: Final = _QUANTITIES | _BAD
_MORE: Final = frozenset({"rise", "rise after"})
_LESS: Final = frozenset({"fall", "fall after"})
_AFTER: Final = frozenset({"rise after", "fall after"})
_ENDS: Final = frozenset({"end", "lose", "none", "reject"})
_NEGATIONS: Final = frozenset({"none", "not"})
_NO_THINGS: Final = _ENDS | {"level", "than", "not", "fail", "deny", "lift"}
"""Roles of words that are no things, even if a lexicon gives them a valence."""


class Part(NamedTuple):
    """A piece of a clause with a valence, and the places of the words that it is made of."""

    valence: float
    places: tuple[int, ...]


class _News:
    """A part in the making."""

    def __init__(self, valence: float, places: set[int]) -> None:
        self.valence = valence
        self.places = places


class _Thing(NamedTuple):
    """What is moved: the word that decides whether it is good, and all of its places."""

    head: int
    places: set[int]


def compose(clause: Clause, valences: Sequence[float], least: float) -> list[Part]:
    """Return what has a valence in `clause`.

    `valences` is what a lexicon says of each word, 0 if it does not know it. `least` is the
    size of news for which the lexicon has no word.
    """
    found = _Composition(clause, valences, least).parts()
    return [Part(one.valence, tuple(sorted(one.places))) for one in found]


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _worth(roles: Roles) -> int:
    """Return 1 if more of a thing is good, -1 if it is bad, 0 if it is neither or no thing."""
    return 1 if "good" in roles else -1 if roles & _BAD else 0


class _Composition:
    """One clause, composed in place."""

    def __init__(self, clause: Clause, valences: Sequence[float], least: float) -> None:
        self._given = clause.given
        self._roles = list(clause.roles)
        self._ends = clause.ends
        self._values = list(valences)
        self._least = least
        self._news: list[_News] = []
        self._of: dict[int, _News] = {}
        """The news that the word at a place is part of."""

    def parts(self) -> list[_News]:
        """Return the news of the clause. Verbs look for objects first, so it goes backwards."""
        forwards = [place for place, roles in enumerate(self._roles) if roles]
        if not forwards:
            return [_News(value, {place}) for place, value in enumerate(self._values) if value]
        for place in forwards:
            self._drop(place)
        for place in reversed(forwards):
            self._move(place)
        for place in reversed(forwards):
            self._end(place)
        self._level(forwards)
        for place, value in enumerate(self._values):
            if value and place not in self._of:
                self._add(value, {place})
        for place in forwards:
            self._fail(place)
            self._oblige(place)
        for place in forwards:
            self._deny(place)
            self._negate(place)
        return [one for one in self._news if one.valence]

    # -- the steps

    def _drop(self, place: int) -> None:
        """Take the valence from words that mean something else here."""
        roles = self._roles[place]
        if "extreme" in roles and _FROM & {*self._given[max(0, place - _LINK) : place]}:
            self._forget(place, self._ends[place])  # off a record low
        for one in self._span(place):
            if "drop" in roles or self._values[one] * _worth(roles) < 0:
                self._values[one] = 0
        second = self._given[place] == "as" and "as" in self._given[max(0, place - 3) : place]
        if "than" not in roles and not second:
            return
        after = place + 1
        if after < len(self._given) and "expected" in self._roles[after]:
            self._forget(place, self._ends[after])
        elif after == len(self._given) or not (
            self._given[after][0].isdigit() or self._given[place - 1] in _BARE
        ):
            self._forget(place, len(self._given))

    def _move(self, place: int) -> None:
        """Join a word of more or less with what it moves."""
        roles = self._roles[place]
        if self._against_mark(place) or not roles & (_MORE | _LESS):
            return
        direction = 1 if roles & _MORE else -1
        follows = bool(roles & _AFTER)
        bare = self._given[place] in _BARE
        target = None if follows else self._object(place, lexical=bare and direction < 0)
        if target is None and self._is_noun(place) and self._next(place) in ("in", "of"):
            target = self._object(place, lexical=True, across="in")
        if target is not None and target in self._of:
            self._join(self._of[target], place, direction)
            return
        if target is not None:
            self._compose(place, direction, self._thing_from(target))
            if bare:  # the storm was less severe
                self._absorb(place)
            return
        subject = self._subject(place)
        if bare and self._next(place) != "than" and not self._tells_of(place, subject):
            return
        if subject is None and follows and self._is_measured(place):
            self._add(direction * self._least, {place})
        elif subject is None and not follows:
            target = self._object(place, lexical=False, across="in")
            if target is not None and target not in self._of:
                self._compose(place, direction, self._thing_from(target))
        elif subject is not None and subject in self._of and "pace" in roles:
            self._join(self._of[subject], place, direction)
        elif subject is not None:
            self._compose(place, direction, self._thing_to(subject))

    def _against_mark(self, place: int) -> bool:
        """Join a comparison with what was expected, such as `above forecasts`."""
        roles = self._roles[place]
        if not roles & {"over mark", "under mark"}:
            return False
        start = self._ends[place]
        mark = self._first(start, start + _BY, "mark")
        if mark is None or mark in self._of:
            return False
        subject = self._subject(place)
        places = {*range(place, self._ends[mark])}
        sign = 1 if "over mark" in roles else -1
        if subject is not None:
            sign *= self._news_sign(subject) or 1
            places |= self._span(subject)
        self._add(sign * self._least, places)
        return True

    def _end(self, place: int) -> None:
        """Join a word that begins, ends or lifts something with what that is."""
        roles = self._roles[place]
        ends = bool(roles & _ENDS) and self._claim(place) is None
        if not (ends or roles & {"begin", "keep", "lift"}) or place in self._of:
            return
        if place and self._is_noun(place) and self._next(place) not in ("of", "to"):
            return
        found = self._object(place, lexical=True)
        if found is None and ends:
            found = self._object(place, lexical=True, across="from")
        if found is not None:
            thing = self._thing_from(found)
        else:
            found = None if "none" in roles else self._subject(place)
            if found is None:
                return
            thing = self._thing_to(found)
        known = found in self._of
        sign = self._own_sign(thing.head)
        valued = any(self._values[one] for one in thing.places)
        if "finish" in roles and found < place and sign > 0 and not (valued or known):
            return
        if not known and (("lose" in roles and sign < 0) or ("begin" in roles and sign > 0)):
            return
        direction = -1 if ends else 1
        if known:
            self._join(self._of[found], place, direction)
        elif "lift" in roles:  # a ban or a forecast
            self._compose(place, sign, thing)
        else:
            self._compose(place, direction, thing)

    def _level(self, forwards: Sequence[int]) -> None:
        """Take the valence from quantities that nothing moves."""
        levels = [
            place
            for place in forwards
            if "level" in self._roles[place] and self._next(place) != "to"
        ]
        for place in forwards:
            if self._roles[place] & _QUANTITIES and place not in self._of:
                end = self._ends[place]
                if levels or self._first(end, end + 2, "data") is not None:
                    for one in (place, *levels):
                        self._silence(one)

    def _fail(self, place: int) -> None:
        if "fail" not in self._roles[place]:
            return
        start = self._ends[place]
        finds = start < len(self._given) and "find" in self._roles[start]
        scope = self._scope(start, len(self._given), things=True)
        for news in scope:
            news.valence = news.valence * TURNED if finds else -abs(news.valence)
        own = max(abs(self._values[one]) for one in self._span(place))
        self._replace(place, 0 if finds and scope else -max(own, self._least))

    def _oblige(self, place: int) -> None:
        start = self._ends[place]
        if "must" in self._roles[place]:
            near = range(start, min(start + _ORDER, len(self._given)))
            acts = [one for one in near if "yield" in self._roles[one]]
            if not any(one - start < 2 or self._given[one - 1] == "to" for one in acts):
                return
        elif "oblige" not in self._roles[place]:
            return
        for news in self._scope(start, len(self._given)):
            news.valence = min(news.valence, 0)
        self._replace(place, -self._least)

    def _deny(self, place: int) -> None:
        denies = "deny" in self._roles[place]
        if not denies and self._claim(place) is None:
            return
        own = self._of.get(place)
        after = self._scope(self._ends[place], len(self._given), things=True)
        turned = [news for news in after if news is not own]
        is_participle = self._given[place].endswith("ed")  # and not: there is no evidence of it
        passive = denies and is_participle and place > 0 and self._given[place - 1] in _BE
        if passive and turned:  # somebody was denied a visa
            for news in turned:
                news.valence = -abs(news.valence)
            return
        if not turned:
            before = self._scope(0, place, things=True)
            turned = [news for news in before if news is not own]
        for news in turned:
            news.valence *= TURNED
        self._replace(place, -self._least if passive and not turned else 0)

    def _negate(self, place: int) -> None:
        if "not" not in self._roles[place] or self._next(place) in ("only", "just"):
            return
        start = self._ends[place]
        end = min(start + _REACH, len(self._given))
        if not self._scope(start, end):
            act = self._first(start, end, "act")
            if act is not None:
                thing = next((one for one in range(act + 1, end) if _worth(self._roles[one])), act)
                self._add(self._least * (_worth(self._roles[thing]) or 1), self._span(thing))
        scope = self._scope(start, end)
        if scope:
            self._absorb(place)
        for news in scope:
            news.valence *= TURNED if news.valence > 0 else TURNED_BAD

    # -- what is near

    def _next(self, place: int) -> str:
        end = self._ends[place]
        return self._given[end] if end < len(self._given) else ""

    def _first(self, start: int, end: int, role: str) -> int | None:
        """Return the first place with `role` from `start` to before `end`."""
        near = range(start, min(end, len(self._given)))
        return next((one for one in near if role in self._roles[one]), None)

    def _claim(self, place: int) -> int | None:
        """Return the place of the claim that the word at `place` rejects."""
        if "reject" not in self._roles[place]:
            return None
        start = self._ends[place]
        return self._first(start, start + _BY, "claim")

    def _is_noun(self, place: int) -> bool:
        return place == 0 or self._given[place - 1] in _ARTICLES

    def _tells_of(self, place: int, subject: int | None) -> bool:
        """Tell whether the word at `place` says how `subject` is: the storm was less severe."""
        return subject is not None and all(
            word in _AUXILIARIES for word in self._given[self._ends[subject] : place]
        )

    def _is_measured(self, place: int) -> bool:
        """Tell whether a number follows as in `up 5%`."""
        start = end = self._ends[place]
        while end < len(self._given) and self._given[end][0].isdigit():
            end += 1
        return end > start and (end == len(self._given) or self._given[end] in _AFTER_NUMBERS)

    def _object(self, place: int, *, lexical: bool, across: str = "") -> int | None:
        """Return the place of the thing after `place`: a listed one, or one with a valence."""
        start, carried = self._ends[place], False
        for one in range(start, min(start + _OBJECT, len(self._given))):
            roles, word = self._roles[one], self._given[one]
            if roles & _NEGATIONS:
                return None
            if one in self._of or roles & _THINGS:
                return one
            if lexical and self._values[one] and not roles & _NO_THINGS:
                return one
            carried = carried or "carrier" in roles
            if "stop" in roles and word not in ("of", across) and not (word == "to" and carried):
                return None
        return None

    def _subject(self, place: int) -> int | None:
        """Return the place of the thing before `place`."""
        adjacent = True
        for one in range(place - 1, max(-1, place - 1 - _SUBJECT), -1):
            if one in self._of or self._roles[one] & _THINGS:
                return one
            if adjacent and self._values[one] and not self._roles[one] & _NO_THINGS:
                return one
            adjacent = adjacent and self._given[one] in _AUXILIARIES
        return None

    def _thing_from(self, first: int) -> _Thing:
        """Return the thing that begins at `first`: the last of its nouns is its head."""
        head, end = first, self._ends[first]
        while end < len(self._given) and self._roles[end] & _THINGS and end not in self._of:
            if "neither" not in self._roles[end]:
                head = end
            end = self._ends[end]
        while end < len(self._given) and self._given[end] in _TAILS:
            near = range(end + 1, min(end + 1 + _LINK, len(self._given)))
            tail = next(
                (one for one in near if self._roles[one] & _THINGS or self._values[one]), None
            )
            if tail is None or tail in self._of:
                break
            end = self._ends[tail]
        return _Thing(head, set(range(first, end)))

    def _thing_to(self, last: int) -> _Thing:
        """Return the thing that ends at `last`: what others belong to is its head."""
        head = first = last
        while first:
            before = self._start(first - 1)
            if self._roles[before] & _THINGS and before not in self._of:
                head = before if "neither" in self._roles[head] else head
                first = before
                continue
            owner = self._owner(first)
            if owner is None:
                break
            head = first = owner
        return _Thing(head, set(range(first, self._ends[last])))

    def _owner(self, place: int) -> int | None:
        """Return what the thing at `place` belongs to: the sales of `sales of new homes`."""
        for link in range(place - 1, max(-1, place - 1 - _LINK), -1):
            if self._given[link] in _LINKS:
                for one in range(link - 1, max(-1, link - 1 - _LINK), -1):
                    if self._roles[one] & _THINGS and one not in self._of:
                        return one
                return None
        return None

    def _start(self, place: int) -> int:
        """Return where the phrase begins that has a word at `place`."""
        before = range(max(0, place - _PHRASE), place)
        return next((one for one in before if self._ends[one] > place), place)

    def _span(self, place: int) -> set[int]:
        return set(range(place, self._ends[place]))

    def _scope(self, start: int, end: int, *, things: bool = False) -> list[_News]:
        """Return the news with a place from `start` to before `end`, things as news as well."""
        for one in range(start, end if things else start):
            roles = self._roles[one]
            sign = _worth(roles) or int("act" in roles)
            if sign and one not in self._of:
                self._add(sign * self._least, self._span(one))
        return [one for one in self._news if any(start <= place < end for place in one.places)]

    # -- signs and news

    def _news_sign(self, place: int) -> int:
        news = self._of.get(place)
        return self._own_sign(place) if news is None else _sign(news.valence)

    def _own_sign(self, place: int) -> int:
        """Return the sign of the word at `place`, whatever moves it."""
        roles = self._roles[place]
        return _worth(roles) if roles & _THINGS else _sign(self._values[place])

    def _compose(self, place: int, direction: int, thing: _Thing) -> None:
        places = thing.places | self._span(place)
        size = max(self._least, *(abs(self._values[one]) for one in places))
        self._add(direction * self._own_sign(thing.head) * size, places)

    def _join(self, news: _News, place: int, direction: int) -> None:
        news.valence *= direction
        news.places |= self._span(place)
        self._of.update(dict.fromkeys(self._span(place), news))

    def _absorb(self, place: int) -> None:
        """Take the valence of its own from the quantity of which the word at `place` tells."""
        subject = self._subject(place)
        if subject is not None and self._roles[subject] & _THINGS:
            news = self._of.get(subject)
            if news is None:
                self._silence(subject)
            elif news.places <= self._span(subject):
                news.valence = 0

    def _add(self, valence: float, places: set[int]) -> None:
        news = _News(valence, places)
        self._news.append(news)
        for one in places:
            self._of.setdefault(one, news)

    def _replace(self, place: int, valence: float) -> None:
        """Make the words at `place` news of their own instead of what they were."""
        for one in self._span(place):
            old = self._of.pop(one, None)
            if old is not None and len(old.places) == 1:
                old.valence = 0
        self._add(valence, self._span(place))

    def _silence(self, place: int) -> None:
        for one in self._span(place):
            self._values[one] = 0

    def _forget(self, start: int, end: int) -> None:
        for one in range(start, end):
            self._values[one] = 0
            self._roles[one] = NO_ROLES
