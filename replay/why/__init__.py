"""Why a price is what it is, and what a message moved: read from the log alone.

`back.py` goes from a price back to all that made it, `forward.py` from a message on. Both
walk the log once (`history.py` and `forward.py` say what is kept of it) and then look up the
messages that are cited, one by one (`evidence.py`). What is computed again is computed by the
engines' own arithmetic from what other engines recorded; what is found is compared with what
cites it. Nothing is guessed: a link that is not on the log is told as missing.
"""

from replay.why.back import why
from replay.why.forward import moved

__all__ = ["moved", "why"]
