"""Time travel: the engines' states at any sequence."""
