"""The deterministic simulation: the real shells on a simulated world that a seed decides.

`python -m tests.sim` runs many seeds; docs are in `tests/sim/README.md`.
"""
