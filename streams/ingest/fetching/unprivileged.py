"""Run a program as a user who owns nothing: `python -I unprivileged.py UID PROGRAM ARGUMENTS…`.

The one folder that it owns is its profile, the `--user-data-dir` among its arguments, which who
starts Chromium makes as root. This file is run by its path and imports nothing of ours.
"""

import os
import sys
from pathlib import Path
from typing import Final

_PROFILE: Final = "--user-data-dir="


def main() -> None:
    """Give the profile away, become the user, and then the program."""
    uid, program, *arguments = int(sys.argv[1]), *sys.argv[2:]
    for argument in arguments:
        if argument.startswith(_PROFILE):
            folder = Path(argument.removeprefix(_PROFILE))
            for path in (folder, *folder.rglob("*")):
                os.lchown(path, uid, uid)
    os.chdir("/")
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    main()
