"""The bounds of the pricing engine, by name."""

from typing import Final

MAX_COUNTED_ACCOUNTS: Final = 100
"""Distinct takers of one side that a window counts; so many means that many or more."""
MAX_SWINGS: Final = 1_000
"""Accounts of one symbol whose moves are remembered.

With one more, the account that moved it longest ago may move it again. By then the others may
have moved it by all there is.
"""
