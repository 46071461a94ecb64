"""Near copies that report contrary outcomes, and those that report the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ingest.limits import MAX_REMEMBERED_WORDINGS, MAX_WORDING_CHARS
from streams.ingest.measuring import contraries
from streams.ingest.measuring.contraries import Wording, Wordings, contrary, wording

REST = "Shares of the company were little changed in early trading in London."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme wins patent case against Bolt", "Acme loses patent case against Bolt"),
        ("Acme profit rises 10%", "Acme profit falls 10%"),
        ("Court upholds ban on Acme", "Court overturns ban on Acme"),
        ("Senate approves Acme merger", "Senate rejects Acme merger"),
        ("Acme found guilty of fraud", "Acme found not guilty of fraud"),
        ("Jury convicts Acme chief", "Jury acquits Acme chief"),
        ("Acme beats estimates", "Acme misses estimates"),
        ("Fed raises rates", "Fed cuts rates"),
        ("Acme shares up 5%", "Acme shares down 5%"),
        ("Acme to open plant in Oslo", "Acme to close plant in Oslo"),
        ("Acme hires 500 workers", "Acme fires 500 workers"),
        ("Ceasefire holds in the north", "Ceasefire collapses in the north"),
        ("Bolt accepts Acme bid", "Bolt declines Acme bid"),
        ("Governor signs Acme bill", "Governor vetoes Acme bill"),
        ("Acme resumes production", "Acme halts production"),
        ("Acme confirms breach", "Acme denies breach"),
        ("Acme drug succeeds in trial", "Acme drug fails in trial"),
        ("Acme is allowed to trade", "Acme is banned from trading"),
        ("Acme beats Bolt 2-1", "Bolt beats Acme 2-1"),
        ("Unemployment falls to record low", "Unemployment rises to record high"),
        ("The court said Acme infringed the patents", "The court said Acme did not infringe them"),
        ("Acme will cut jobs", "Acme won\u2019t cut jobs"),
        ("Strike at Acme begins", "Strike at Acme ends"),
    ],
)
def test_contrary_outcomes(one: str, other: str) -> None:
    assert contrary(wording(one, REST), wording(other, REST))
    assert contrary(wording("Acme news", f"{one}. {REST}"), wording("Acme news", f"{other}."))
    assert contrary(wording(other, REST), wording(one, REST))
    assert not contrary(wording(one, REST), wording(one, REST))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme profit rises 10%", "Acme earnings jump a tenth"),
        ("Port strike enters second day", "Strike at port goes into second day"),
        ("Acme shares rise as profit beats estimates", "Acme profit beats estimates, shares up"),
        ("Acme said its profit fell, not rose", "Acme said its profit fell"),
        ("Bolt will not bid for Acme, source says", "Bolt won't bid for Acme: source"),
        ("Storm hits, thousands without power", "Thousands lose power as storm hits"),
        ("Fed raises rates, stocks fall", "Stocks fall after Fed rate rise"),
        ("Acme did not comment on the deal", "Acme declined to comment on the deal"),
        ("", "Acme wins"),
    ],
)
def test_the_same_in_other_words(one: str, other: str) -> None:
    assert not contrary(wording(one, ""), wording(other, ""))


def test_a_desks_explanation_is_no_lead() -> None:
    explained = "(Corrects to say profit fell, not rose) Acme said its profit fell. It was late."
    assert wording("Acme", explained).lead == "Acme said its profit fell."
    assert wording("Acme", "(never closed").lead == "(never closed"


@given(st.text(max_size=2_000), st.text(max_size=2_000), st.text(max_size=50))
def test_any_texts_are_compared(title: str, excerpt: str, other: str) -> None:
    one = wording(title, excerpt)
    assert len(one.title) <= MAX_WORDING_CHARS and len(one.lead) <= MAX_WORDING_CHARS
    contrary(one, wording(other, title))


def test_wordings_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_REMEMBERED_WORDINGS > 2
    monkeypatch.setattr(contraries, "MAX_REMEMBERED_WORDINGS", 2)
    kept = Wordings()
    for article in range(3):
        kept.add(article, Wording(str(article), ""))
    assert kept.get(0) is None and kept.get(1) is not None and kept.get(2) is not None
