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
        ("Acme CORRECTED: falls", ""),
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


@given(st.text(max_size=400))
def test_any_title_is_read(title: str) -> None:
    assert notice(title) in ("", "correction", "retraction")


def test_page_is_of_a_url() -> None:
    assert page("") == ""
    assert len(page("https://daily.example/1")) == PAGE_CHARS
    assert page("https://daily.example/1") != page("https://daily.example/2")
