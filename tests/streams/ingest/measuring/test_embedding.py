"""The real model: that it is the pinned one, and that a number depends on nothing else."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from schemas.errors import ModelMismatch
from streams.ingest.limits import EMBEDDING_TOKENS
from streams.ingest.measuring import embedding as module
from streams.ingest.measuring.embedding import (
    FILES,
    WEIGHTS,
    Embedding,
    check_files,
    model_folder,
)
from tests.streams.ingest.measuring.test_window import alike
from tests.streams.ingest.measuring.world import TEXT, TITLE

STORIES = [
    "Central bank raises interest rates by half a point to fight inflation",
    "The central bank lifted its key interest rate half a point as prices climb",
    "Striker scores twice as the home team wins the cup final",
]


@pytest.fixture(scope="module")
def embedding() -> Embedding:
    return Embedding()


@pytest.mark.slow
def test_the_same_story_in_other_words_is_near_another_story_far(embedding: Embedding) -> None:
    rates, same, football = (embedding.of(text) for text in STORIES)
    assert alike(rates, same) > 6_500
    assert alike(rates, football) < 3_000


@pytest.mark.slow
def test_a_number_depends_on_the_text_alone(embedding: Embedding) -> None:
    alone = embedding.of(STORIES[0]).tobytes()
    for other in ("x", TITLE, f"{TEXT} " * 30):
        embedding.of(other)
        assert embedding.of(STORIES[0]).tobytes() == alone
    assert Embedding().of(STORIES[0]).tobytes() == alone


@pytest.mark.slow
def test_threads_do_not_change_a_number(embedding: Embedding) -> None:
    one = [embedding.of(text).tobytes() for text in STORIES]
    try:
        two = Embedding(threads=2)
        assert [two.of(text).tobytes() for text in STORIES] == one
    finally:
        torch.set_num_threads(1)


@pytest.mark.slow
def test_it_is_as_the_models_own_library_has_it(embedding: Embedding) -> None:
    text = f"{TITLE}\n{TEXT}"
    theirs = embedding._model.encode([text, "other"], show_progress_bar=False)[0]
    ours = embedding.of(text).astype(np.float32) / 127
    assert abs(float(np.linalg.norm(theirs)) - 1) < 1e-5
    assert float(np.abs(ours - theirs).max()) <= 0.5 / 127 + 1e-5


@pytest.mark.slow
def test_what_is_behind_the_last_token_has_no_part(embedding: Embedding) -> None:
    long = "rates " * EMBEDDING_TOKENS
    assert embedding.of(long + "football").tobytes() == embedding.of(long + "cup").tobytes()
    assert embedding.of("").any()


def test_the_installed_model_is_the_pinned_one() -> None:
    check_files(model_folder())


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_stops_with_a_reason(tmp_path: Path, name: str) -> None:
    for other in FILES:
        target = tmp_path / other
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(model_folder() / other)
    changed = tmp_path / name
    changed.unlink()
    with pytest.raises(ModelMismatch, match=f"{name} is missing"):
        check_files(tmp_path)
    changed.write_bytes((model_folder() / name).read_bytes()[:-1])
    with pytest.raises(ModelMismatch, match=f"{name} is .*pinned"):
        check_files(tmp_path)


def test_a_model_that_is_not_installed_stops_with_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PACKAGE", "no_such_package")
    with pytest.raises(ModelMismatch, match="not installed"):
        Embedding()


def test_a_folder_with_the_wrong_weights_is_not_loaded(tmp_path: Path) -> None:
    shutil.copytree(
        model_folder(), tmp_path / "model", ignore=shutil.ignore_patterns(WEIGHTS, "*.md")
    )
    (tmp_path / "model" / WEIGHTS).write_bytes(b"other weights")
    with pytest.raises(ModelMismatch, match=WEIGHTS):
        Embedding(tmp_path / "model")
