"""How far a long walk along a log is."""

from collections.abc import Callable

OnProgress = Callable[[int, int], None]
"""Called now and then with the sequence reached and the one to reach."""
