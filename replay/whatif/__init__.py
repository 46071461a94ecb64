"""What would have been: reality and pricing run again over a log, with something changed.

`changes.py` says what is changed and rewrites the inputs, `fork.py` runs the engines at the
log's own times, `tally.py` keeps what a history comes to, `comparison.py` holds both together
and is the way in, `words.py` tells it and draws it.

Only what follows from articles and decisions is run again. Orders and trades stay as they
were: what people would have done at other prices is not for a machine to guess.
"""

from replay.whatif.changes import Changes
from replay.whatif.comparison import Comparison, whatif

__all__ = ["Changes", "Comparison", "whatif"]
