"""Who is asked what is alike, and how often a network may ask."""

from collections.abc import Callable
from typing import Protocol

from schemas.asks import SimilarAsked, SimilarTold

AdmitSearch = Callable[[str], None]
"""Counts a question of a network. Raises an OperatingError if it is one too many."""


class SimilarPort(Protocol):
    """Who has the index of embeddings."""

    async def similar(self, asked: SimilarAsked) -> SimilarTold:
        """Return what is alike. Raises OperatingError when nobody answers."""


def admit_all(_: str) -> None:
    """Count nothing."""
