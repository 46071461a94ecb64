"""Reality: what articles mean for the score of a market, decided from what was measured.

`engine.py` is the way in. Another engine's record goes to `venue.py` (policy, markets,
sources) or `reviews.py` (answers); a measurement to `intake.py`, which drops it or puts it
into a cluster, and then to `stories.py`, which says what the cluster now means for each
symbol, whether the LLM is asked (`asking.py`), and whether the move is applied or waits for a
person (`safeguards.py`). `arithmetic.py` has the formulas, `state.py` what is remembered and
`evolve.py` how events change it.

A story is what one cluster says about one symbol. All of it together moves the score by
delta_cap_e2 at most: each article only adds the difference to what the story had moved.
"""

from engines.reality.engine import RealityEngine

__all__ = ["RealityEngine"]
