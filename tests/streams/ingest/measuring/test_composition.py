import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ingest.measuring.composition import TURNED, TURNED_BAD, compose
from streams.ingest.measuring.shifters import shifters

LEXICON = {"bankrupt": -4.0, "win": 2.0, "wins": 2.0, "crime": -3.0, "gross": -2.0, "bad": -2.0}
LEXICON |= {"good": 2.0, "feared": -2.0, "safe": 2.0, "falls": -1.0, "pay": -0.5, "fails": -2.0}
LEAST = 1.0
VOCABULARY = sorted(
    {word for phrase in shifters()._roles._table for word in phrase} | set(LEXICON) | {"acme", "5"}
)


def parts(sentence: str) -> dict[str, float]:
    """Return the parts of a clause, by their words."""
    (clause,) = shifters().clauses(sentence)
    found = compose(clause, [LEXICON.get(word, 0.0) for word in clause.given], LEAST)
    return {" ".join(clause.given[at] for at in places): value for value, places in found}


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("Acme wins", {"wins": 2}),
        ("Acme employs people", {}),
        # 1: other meanings and standards of comparison
        ("Its gross margin", {}),
        ("It was good than feared", {"good": 2}),
        ("Fewer than feared", {}),
        # 2: more and less
        ("Crime falls", {"crime falls": 3}),
        ("Crime rises", {"crime rises": -3}),
        ("Sales fall", {"sales fall": -LEAST}),
        ("Acme falls", {"falls": -1}),
        ("Interest rates fall", {}),
        ("A fall in crime", {"fall crime": 3}),
        ("Less bad", {"less bad": 2}),
        ("Crime is less bad", {"less bad": 2}),
        ("Sales were not good", {"good": 2 * TURNED}),
        ("Default rates fall", {"default rates fall": LEAST}),
        ("Fears of crime ease", {"fears of crime ease": 3}),
        ("Loss above forecasts", {"loss above forecasts": -LEAST}),
        # 3: beginnings and ends
        ("The strike is called off", {"strike called off": LEAST}),
        ("The merger is called off", {"merger called off": -LEAST}),
        ("They lift the ban", {"lift ban": LEAST}),
        ("They lift the forecast", {"lift forecast": LEAST}),
        ("They impose a ban", {"impose ban": -LEAST}),
        ("School starts", {}),
        ("They restore power", {"restore power": LEAST}),
        ("The concert ended", {}),
        ("The curfew ended", {"curfew ended": LEAST}),
        ("It climbs off record lows", {}),
        ("They rule out a strike", {"rule out strike": LEAST}),
        ("They stop a rise in crime", {"stop rise crime": 3}),
        ("No crime", {"no crime": 3}),
        ("Without a deal", {"without deal": -LEAST}),
        ("They lose contracts", {"lose contracts": -LEAST}),
        # 4: level
        ("Crime is unchanged", {}),
        ("Crime figures", {}),
        # 5: failure, duty, denial, negation
        ("They fail to win", {"fail to": -LEAST, "win": -2}),
        ("They fail to find crime", {"crime": -3 * TURNED}),
        ("They must pay", {"must": -LEAST}),
        ("They must win", {"win": 2}),
        ("It denies it is bankrupt", {"bankrupt": -4 * TURNED}),
        ("Crime is denied", {"crime": -3 * TURNED}),
        ("There is no evidence of crime", {"crime": -3 * TURNED}),
        ("He was denied a visa", {"visa": -LEAST}),
        ("He was denied", {"denied": -LEAST}),
        ("It rejects claims of crime", {"claims": 0, "crime": -3 * TURNED}),
        ("It is not good", {"good": 2 * TURNED}),
        ("It isn't bad", {"bad": -2 * TURNED_BAD}),
        ("It does not work", {"work": LEAST * TURNED}),
        ("Not only good", {"good": 2}),
    ],
)
def test_parts(sentence: str, found: dict[str, float]) -> None:
    assert parts(sentence) == {name: value for name, value in found.items() if value}


@given(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=25), st.data())
def test_news_is_never_larger_than_what_it_is_made_of(
    given: list[str], data: st.DataObject
) -> None:
    for clause in shifters().clauses(" ".join(given)):
        count = len(clause.given)
        values = data.draw(st.lists(st.floats(-4, 4), min_size=count, max_size=count))
        found = compose(clause, values, LEAST)
        assert found == compose(clause, values, LEAST)
        for valence, places in found:
            size = max(abs(values[place]) for place in places)
            assert 0 < abs(valence) <= max(size, LEAST)
            assert list(places) == sorted(set(places))
            assert places[-1] < count
