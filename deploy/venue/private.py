"""A venue's files are its owner's alone: checked, and mended where that can be, at each start.

Folders are 0700 and key files 0600. A file that somebody else owns is never mended: who owns it
can read and change it whatever its mode says.
"""

import os
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from schemas.errors import InputError

UMASK: Final = 0o077
"""With which `up` and all that it starts make their files."""
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_ALL: Final = 0o777
_OTHERS_PASS: Final = 0o001
_GROUP_PASSES: Final = 0o010
"""How an access list that lets one more login pass shows in a folder's mode."""

_ACCESS_LIST: Final = "system.posix_acl_access"
_VERSION: Final = struct.Struct("<I")
_ENTRY: Final = struct.Struct("<HHI")
_OWNER, _USER, _OWNING_GROUP, _GROUP, _MASK, _OTHERS = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NOBODY: Final = 0xFFFF_FFFF
_PASS: Final = 0o1
Entries = dict[tuple[int, int], int]
"""Rights by kind and id, as acl(5) has them."""


class NotOurs(InputError):
    """A file of the venue belongs to another login."""

    code = "not_ours"


class CannotPass(InputError):
    """A login that has to reach a folder cannot be let through one above it."""

    code = "cannot_pass"


def claim_home(root: Path, say: Callable[[str], None]) -> None:
    """Make the home, or see that it is ours alone. Raises NotOurs."""
    root.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    # root's Postgres is another login, which may pass the home (`let_pass`)
    allowed = FOLDER_MODE | (_GROUP_PASSES if os.geteuid() == 0 else 0)
    if before := _tightened(root, allowed, FOLDER_MODE):
        say(f"{root} was open to other logins of this machine ({before:04o}); it is 0700 now")


def claim_keys(folder: Path, say: Callable[[str], None]) -> None:
    """See that all keys are ours alone. Raises NotOurs."""
    found = [one for one in _below(folder) if _tightened(one, _mode_of(one), _mode_of(one))]
    if found:
        names = ", ".join(str(one.relative_to(folder.parent)) for one in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        say(f"{names}{more} could be read by other logins; not any more. Were they? Rotate them")


def _below(folder: Path) -> Iterator[Path]:
    yield folder
    yield from sorted(folder.rglob("*"))


def _mode_of(path: Path) -> int:
    return FOLDER_MODE if path.is_dir() else FILE_MODE


def _tightened(path: Path, allowed: int, mode: int) -> int:
    """Take from `path` what is not `allowed`; return the mode that it had if it was too wide."""
    if path.is_symlink():
        raise NotOurs(f"{path} is a link: what it names is not this venue's")
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise NotOurs(
            f"{path} belongs to the login {found.st_uid}, and this is {os.geteuid()}: "
            "run it as its owner, or name another folder in EVERYTHING_HOME"
        )
    before = found.st_mode & _ALL
    if before & ~allowed:
        path.chmod(mode)
        return before
    return 0


def let_pass(folder: Path, login: int) -> None:
    """Let one more login pass `folder` and those above it, but not look into them.

    By an access list that names it: a mode would let all pass. Raises CannotPass.
    """
    for one in (folder, *folder.parents):
        if one.stat().st_mode & _OTHERS_PASS:
            continue
        try:
            _grant_pass(one, login)
        except OSError as error:
            raise CannotPass(
                f"the login {login} cannot be let through {one} ({error.strerror}): run "
                "everything as an ordinary user, or in a folder that others may pass"
            ) from error


def _grant_pass(folder: Path, login: int) -> None:
    if sys.platform != "linux":
        raise OSError(0, "no access lists here")
    entries = _entries(folder)
    entries[_USER, login] = _PASS
    # the mask bounds all but owner and others: no wider than what it has to let through
    entries[_MASK, _NOBODY] = 0
    for (kind, _), rights in list(entries.items()):
        if kind in (_USER, _OWNING_GROUP, _GROUP):
            entries[_MASK, _NOBODY] |= rights
    packed = b"".join(_ENTRY.pack(kind, entries[kind, one], one) for kind, one in sorted(entries))
    os.setxattr(folder, _ACCESS_LIST, _VERSION.pack(2) + packed)


def _entries(folder: Path) -> Entries:
    """Return the folder's access list, or what its mode says."""
    try:
        packed = os.getxattr(folder, _ACCESS_LIST)[_VERSION.size :]
    except OSError:
        mode = folder.stat().st_mode
        return {
            (_OWNER, _NOBODY): mode >> 6 & 7,
            (_OWNING_GROUP, _NOBODY): mode >> 3 & 7,
            (_OTHERS, _NOBODY): mode & 7,
        }
    return {(kind, one): rights for kind, rights, one in _ENTRY.iter_unpack(packed)}
