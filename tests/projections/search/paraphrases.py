"""Forty markets of a throwaway venue, and a request for each in other words."""

from pathlib import Path
from typing import Final, NamedTuple


class Paraphrase(NamedTuple):
    """A market's symbol, name and description, and how somebody else would ask for it."""

    symbol: str
    name: str
    description: str
    request: str


MARKETS: Final = tuple(
    Paraphrase(*line.split("\t"))
    for line in Path(__file__).with_suffix(".tsv").read_text(encoding="utf-8").splitlines()
)
