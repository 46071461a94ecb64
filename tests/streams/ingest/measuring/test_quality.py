import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from deploy.cli.app import app
from schemas.errors import InputError
from streams.ingest.measuring.quality import _ranks, correlate, pearson

RATED = [
    (2.5, "The plan is a great success and the town celebrates."),
    (1.0, "The plan is approved."),
    (0.0, "The plan has nine pages."),
    (-1.5, "The plan is delayed by a dispute."),
    (-3.0, "The plan is a terrible scandal and its author was arrested."),
]


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.tsv"
    lines = [f"{number}\t{rating}\t{text}" for number, (rating, text) in enumerate(RATED)]
    path.write_text("\n".join(["id\tmean_rating\ttext", *lines]))
    return path


def test_what_people_would_say_agrees(ratings: Path) -> None:
    report = correlate(ratings)
    assert report.texts == len(RATED)
    found = {one.measure: one for one in report.agreements}
    assert list(found) == ["sentiment", "keywords", "quick_score"]
    assert all(one.pearson > 0.8 for one in report.agreements)
    assert found["quick_score"].spearman == pytest.approx(1)
    assert found["keywords"].silent_bp == 2_000
    assert found["quick_score"].right_bp == 10_000


def test_turned_round_it_disagrees(ratings: Path) -> None:
    turned = ratings.with_name("turned.tsv")
    lines = ratings.read_text().splitlines()[1:]
    fields = [line.split("\t") for line in lines]
    texts = [f"{a}\t{-float(b)}\t{c}" for a, b, c in fields]
    turned.write_text("\n".join(["id\tmean_rating\ttext", *texts]))
    pairs = zip(correlate(ratings).agreements, correlate(turned).agreements, strict=True)
    for one, other in pairs:
        assert other.pearson == pytest.approx(-one.pearson)
        assert other.spearman == pytest.approx(-one.spearman)
        assert other.right_bp == 0 < one.right_bp


@pytest.mark.parametrize(
    "content",
    [b"", b"id\ttext\n1\tx\n", b"mean_rating\ttext\nx\ty\n", b"mean_rating\ttext\n1\tx\n", b"\xff"],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"other\.tsv"):
        correlate(path)
    with pytest.raises(InputError, match="nowhere"):
        correlate(tmp_path / "nowhere.tsv")


def test_pearson_of_what_never_varies_is_none() -> None:
    assert pearson(np.array([1.0, 1.0]), np.array([1.0, 2.0])) == 0
    assert pearson(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])) == pytest.approx(1)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_ranks_share_the_mean_among_equals(values: list[int]) -> None:
    def rank(value: int) -> float:
        return sum(one < value for one in values) + (values.count(value) + 1) / 2

    assert _ranks(np.array(values, np.float64)).tolist() == [rank(one) for one in values]


def test_the_command(ratings: Path) -> None:
    shown = CliRunner().invoke(app, ["quality", str(ratings)])
    assert shown.exit_code == 0
    assert "quick_score" in shown.stdout
    told = json.loads(CliRunner().invoke(app, ["quality", str(ratings), "--json"]).stdout)
    assert told["texts"] == len(RATED)
    assert [one["measure"] for one in told["agreements"]] == [
        "sentiment",
        "keywords",
        "quick_score",
    ]
