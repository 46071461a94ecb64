"""How a process that computes for long gives way to those that keep people waiting."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_OF_SESSION: Final = Path("/proc/self/autogroup")


def give_way(niceness: int) -> None:
    """Take less of a busy processor, as a process and as a session. Ours must be its only one.

    The supervisor gives each process a session of its own. Where Linux groups by sessions
    (`autogroup`), niceness counts only among the processes of one.
    """
    os.nice(niceness)
    with suppress(OSError):  # not every kernel groups
        _OF_SESSION.write_text(str(niceness))
