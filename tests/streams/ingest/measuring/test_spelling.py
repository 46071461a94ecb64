"""In which spellings a name counts: as many kinds of each as publishers were seen to use."""

from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.ingest.measuring.names import Names
from streams.ingest.measuring.spelling import spellings, words_of
from streams.ingest.measuring.typography import normalized


def counted(text: str, name: str, *aliases: str) -> int:
    """Count how often `text` mentions a market of that name."""
    names = Names()
    names.put("SYMBOL", name, aliases)
    return sum(one.body_count for one in names.of("", text).mentions)


CAPITALS = [
    ("Apple", "an apple a day; apples; pineapple; Appleby; aPPLE", 0),
    ("Apple", "Apple rises. APPLE RISES. Shares of APPLE Inc", 3),
    ("Target", "the bank raised its target; TARGET CUTS OUTLOOK; Target fell", 2),
    ("Visa", "visa rules for students", 0),
    ("Fed", "she fed the cat; they are fed up", 0),
    ("Fed", "the Fed met, Fed officials said", 2),
    ("Fed", "FED RAISES RATES. The FED is an agency in this text", 1),
    ("Fed", "Fed’s Powell: FED’S RATE IS HIGH", 2),
    ("bitcoin", "Bitcoin, BITCOIN and bitcoin", 3),
    ("oil", "Oil rises as OIL falls, oil men say", 3),
    ("iPhone", "iPhone, IPhone, Iphone, IPHONE but no iphone", 4),
    ("McDonald's", "McDonald’s, Mcdonald’s, MCDONALD’S, McDONALD'S, no mcdonald’s", 4),
    ("New York Times", "the New York Times, THE NEW YORK TIMES; New York times change", 2),
    ("US tech", "US tech, us tech", 1),
]
ACRONYMS = [
    ("OPEC", "Opec cuts, OPEC+ meets, Opec’s plan, no opec", 3),
    ("NATO", "Nato-led, NATO", 2),
    ("COVID-19", "Covid-19, COVID\u201119, Covid–19, COVID 19; covid-19, COVID-190", 4),
    ("Covid-19", "COVID-19 and Covid-19", 2),
    ("IMF", "the IMF, Imf, imf", 1),
    ("GM", "GM recalls; gm; Gm; GM’s; GM-owned; GMs", 3),
    ("WHO", "Who wins? The WHO says. WHO WINS THE CUP", 1),
    ("IT", "it is IT; IT IS OVER", 1),
    ("US", "US SENATE VOTES; the US; Us; us", 2),
    ("S&P 500", "the S&P 500’s fall", 1),
    ("AT&T", "At&T, at&t, AT&T", 1),
    ("On X", "On X, on X", 1),
    ("Top 10", "Top 10, top 10", 1),
    ("G7", "G7, g7; G7’s; G77", 2),
]
LINES = [
    ("Rain in Oslo", "rain in Oslo, Rain In Oslo, RAIN IN OSLO; rain in oslo", 3),
    ("Climate change", "climate change, Climate Change", 2),
    ("The Guardian", "the Guardian, THE GUARDIAN; the guardian", 2),
    ("BANK OF ENGLAND", "Bank of England, BANK OF ENGLAND; bank of england", 2),
    ("Bank Of England", "the Bank of England", 1),
    ("The Who", "the Who; the who", 1),
    ("Lloyd's of London", "Lloyd’s of London, LLOYD'S OF LONDON; lloyd's of london", 2),
    ("Boeing 737", "a Boeing 737; a boeing 737", 1),
]
JOINED = [
    ("Acme", "Acme’s, Acme's, ACME'S, Acme’ll, (Acme) “Acme” ‘Acme’ #Acme $Acme @Acme", 10),
    ("Harris", "Harris’s, Harris’ plan", 2),
    ("Acme", "Acme-backed, anti-Acme, pro\u2011Acme\u2011and\u2011more, Acme–Zenith, Acme—", 5),
    ("Acme", "Acme. Acme! Acme? Acme: Acme; Acme… it said.Acme, Acme/Zenith", 8),
    ("AT&T", "fined AT&T. AT&T’s, AT&T-led, AT & T; AT&TX", 4),
    ("Yahoo!", "Yahoo! rises", 1),
    ("Amazon", "Amazon.com said", 1),
    ("Apple Inc.", "Apple Inc said, by Apple Inc. Apple", 2),
    ("New York", "New\u00a0York, New\u2011York, New\nYork; New, York; New. York", 3),
    ("Coca-Cola", "Coca Cola, Coca-Cola", 2),
    ("Neill", "O’Neill", 0),
    ("Can", "Can’t, can't", 0),
]
DOTTED = [
    ("U.S.", "U.S.-led talks; the U.S.’s; non-U.S.; in the U.S. The; U.S", 5),
    ("U.S.", "the US, a US-led plan", 2),
    ("U.S.", "U.S.S.R., U.S.A., USA, u.s., us", 0),
    ("US", "the U.S. economy", 1),
    ("J.P. Morgan", "JP Morgan, J.P. Morgan’s, J.P.Morgan", 3),
    ("Washington D.C.", "Washington D.C., Washington DC", 2),
]
LETTERS = [
    ("X", "posts on X. The owner; X’s rules; X", 3),
    ("T", "shares of T fell; T’s plan; sold T. The rest", 3),
    ("T", "t-shirt, T-Mobile, AT&T, DON'T, George T. Smith, T. Rowe, <T.N>, T-Mobile", 0),
    ("x", "X, x", 1),
]
ACCENTS = [
    ("Beyoncé", "Beyoncé, Beyonce\u0301’s, Beyonce, BEYONCÉ; beyoncé", 4),
    ("Sao Paulo", "São Paulo", 1),
    ("Ørsted", "Orsted, Ørsted", 2),
    ("Nestle\u0301", "Nestlé, Nestle", 2),
]
TOGETHER = [*CAPITALS, *ACRONYMS, *LINES, *JOINED, *DOTTED, *LETTERS, *ACCENTS]


@pytest.mark.parametrize(("name", "text", "times"), TOGETHER)
def test_spellings(name: str, text: str, times: int) -> None:
    assert counted(text, name) == counted(text, "Else", name) == times
    assert counted(normalize("NFD", text), name) == times


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("Fed and Fed’s, Fed-led", 3),
        ("FED RAISES RATES", 0),
        ("fed, FED, Fedex", 0),
    ],
)
def test_an_alias_in_quotes_is_matched_as_written(text: str, times: int) -> None:
    for alias in ('"Fed"', "“Fed”"):
        assert counted(text, "Federal Reserve", alias) == times
        assert counted(text, "Fed", alias) == times, "so is then the name of the same words"


def test_what_is_as_written_is_so_to_the_mark() -> None:
    assert counted("Yahoo said, Yahoo! said", "Else", '"Yahoo!"') == 1
    assert counted("the US, the U.S. said", "Else", '"U.S."') == 1
    assert counted("Beyonce, Beyoncé", "Else", '"Beyoncé"') == 1


@pytest.mark.parametrize("alias", ['"Fed', 'the "Fed"', '""', '" Fed"', "!!!", '"', "—"])
def test_a_malformed_alias_stops_nothing(alias: str) -> None:
    assert counted("Acme", "Acme", alias) == 1


def test_capitals_that_tell_nothing_are_believed() -> None:
    """A headline may have them on every word: what is meant cannot be known from them."""
    assert counted("Target Prices Rise for Apple Pickers", "Target") == 1
    assert counted("Fed up voters want change", "Fed") == 1


def test_words_of() -> None:
    text = "U.S.-led Covid\u201119, O’Neill’s São_Paulo... e.g. 1.5"
    said = words_of(normalized(text))
    assert [word.said for word in said] == [
        "US", "led", "Covid", "19", ",", "O", "'", "Neill", "'", "s", "Sao", "Paulo",
        ".", ".", ".", "eg", "1", ".", "5",
    ]  # fmt: skip
    assert [normalized(text)[word.start : word.end] for word in said[:3]] == [
        "U.S.",
        "led",
        "Covid",
    ]


NAMED = st.lists(
    st.text(alphabet="abcdeABCDEéÉ", min_size=2, max_size=6), min_size=1, max_size=4
).map(" ".join)


@settings(deadline=None)
@given(NAMED)
def test_a_name_is_found_as_it_is_listed(name: str) -> None:
    for text in (name, f"said {name}’s plan", f"non-{name}-led", f"({name})", f"by {name}."):
        assert counted(text, name) == 1, text
        assert counted(text, "Else", f'"{name}"') == 1, text


@settings(deadline=None)
@given(st.text(max_size=40), st.text(max_size=80))
def test_any_text_is_read(name: str, text: str) -> None:
    for spelling in spellings("SYMBOL", name, [text]):
        assert all(spelling.key)
    counted(text, name, text)


def test_a_text_full_of_names_takes_memory_and_steps_in_proportion() -> None:
    names = Names()
    for number in range(60):
        names.put(f"S{number}", " ".join(["Acme"] * (number + 1)), ["Fed", "T"])
    (longest, *_) = names.of("", "Acme " * 60).mentions
    assert (longest.symbol, longest.body_count) == ("S59", 1)
    assert names.of("", "FED " * 500).mentions[0].body_count == 500
