"""Reality: what articles mean for the score of a market, decided from what was measured.

`engine.py` is the way in and `inputs.py` reads messages. In `decide/`, a record of governance
goes to `governance.py` and an approval to `reviews.py`. A measurement goes to
`article_admission.py`, which drops the article or puts it into a cluster, and then to
`stories.py`. That assesses the cluster for each symbol; `asking.py` decides whether the LLM is
asked, and `safeguards.py` whether the move is applied or waits for a person. `arithmetic.py`
has the formulas, `state.py` what is remembered, and `evolve.py` how events change it.

A story is what one cluster says about one symbol. All of it together moves the score by
delta_cap_e2 at most: each article only adds the difference to what the story had moved.
"""

from engines.reality.engine import RealityEngine

__all__ = ["RealityEngine"]
