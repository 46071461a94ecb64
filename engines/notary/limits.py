"""The bounds of the notary engine, by name."""

from typing import Final

from schemas.units import SECOND_NS

SEAL_AFTER_NS: Final = 5 * SECOND_NS
"""A quiet log is sealed this long after its first unsealed message."""
