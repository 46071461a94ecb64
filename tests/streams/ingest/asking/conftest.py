"""Tiny models, made once."""

from pathlib import Path

import pytest

from streams.ingest.asking.model_file import sha256_of
from tests.support.tiny_gguf import write_tiny_llama


@pytest.fixture(scope="session")
def terse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that ends every text as soon as it may."""
    return write_tiny_llama(tmp_path_factory.mktemp("terse") / "terse.gguf", '"')


@pytest.fixture(scope="session")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that ends no text before it must."""
    return write_tiny_llama(tmp_path_factory.mktemp("endless") / "endless.gguf", "a")


@pytest.fixture(scope="session")
def terse_sha256(terse: Path) -> str:
    return sha256_of(terse)
