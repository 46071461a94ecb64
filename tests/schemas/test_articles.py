"""What a title's leading words say that an article is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.articles import PAGE_CHARS, notice, page


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("CORRECTED-Acme profit falls 10%", "correction"),
        ("UPDATE 1-CORRECTED-Acme falls", "correction"),
        ("CORRECTED: Acme falls", "correction"),
        ("Correction: Acme falls", "correction"),
        ("[Corrected] Acme falls", "correction"),
        ("“Correction”: Acme falls", "correction"),
        ("Correction — Acme falls", "correction"),
        ("Corrections", "correction"),
        ("RETRACTION Acme wins", "retraction"),
        ("Retracted: Acme wins", "retraction"),
        ("WITHDRAWN: Acme wins", "retraction"),
        ("UPDATE 1-Acme profit falls 10%", "correction"),
        ("UPDATE 12 - Acme falls", "correction"),
        ("Update: Acme falls", "correction"),
        ("UPDATED: Acme falls", "correction"),
        ("REFILE-Acme falls", "correction"),
        ("REFILE-UPDATE 2-Acme falls", "correction"),
        ("ADVISORY-CORRECTED-Acme falls", "correction"),
        ("(Corrects second paragraph) Acme falls", "correction"),
        ("(Corrects to say profit fell, not rose) Acme falls", "correction"),
        ("Correction to: Effects of rain", "correction"),
        ("Publisher Correction: Effects of rain", "correction"),
        ("Author\u2019s correction: Effects of rain", "correction"),
        ("Clarification: Acme falls", "correction"),
        ("AMENDED: Acme falls", "correction"),
        ("Acme profit falls (corrected)", "correction"),
        ("Acme profit falls [UPDATED]", "correction"),
        ("Acme wins (RETRACTED)", "retraction"),
        ("RETRACTED ARTICLE: Effects of rain", "retraction"),
        ("Retraction Note: Effects of rain", "retraction"),
        ("UPDATE 1-RETRACTION-Acme wins", "retraction"),
        ("REFILE-RETRACTED: Acme wins", "retraction"),
        ("KILL BILL returns to Oslo", ""),
        ("Acme CORRECTED: falls", ""),
        ("Update your phone now, Acme says", ""),
        ("Updates to follow after storm", ""),
        ("Corrects itself: the market turns", ""),
        ("Killed in crash: three workers of Acme", ""),
        ("Acme issues update (video)", ""),
        ("Correction officers strike", ""),
        ("CORRECTION OFFICERS STRIKE", ""),
        ("Correction-fluid maker soars", ""),
        ("Withdrawn from the market: a drug of Acme", ""),
        ("Acme retracts its offer", ""),
        ("", ""),
    ],
)
def test_leading_words_of_a_title(title: str, kind: str) -> None:
    assert notice(title) == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("(Corrects to say profit fell, not rose) Acme said its profit fell.", "correction"),
        ("(Refiles to remove a word) OSLO, Nov 3 - Acme said", "correction"),
        ("(This Nov. 3 story has been corrected to say Bolt, not Acme) Acme", "correction"),
        ("(This version corrects the name) Acme said", "correction"),
        ("(Withdraws story; no substitute) Acme said", "retraction"),
        ("OSLO (Reuters) - Acme said its profit fell.", ""),
        ("Acme corrects its forecast (adds nothing).", ""),
        ("(This story of a correct forecast) Acme", ""),
    ],
)
def test_first_words_of_a_text(text: str, kind: str) -> None:
    assert notice("Acme profit falls 10%", text) == kind


@given(st.text(max_size=400), st.text(max_size=400))
def test_any_title_is_read(title: str, text: str) -> None:
    assert notice(title, text) in ("", "correction", "retraction")


@pytest.mark.parametrize(
    "text", ["(This story " * 9_000, "(" * 90_000, " " * 90_000, "update " * 9]
)
def test_no_title_takes_long_to_read(text: str) -> None:
    assert notice(text, text) == ""


def test_page_is_of_a_url() -> None:
    assert page("") == ""
    assert len(page("https://daily.example/1")) == PAGE_CHARS
    assert page("https://daily.example/1") != page("https://daily.example/2")
