"""The one-time code that founds a venue: made by `up`, kept in its home until the genesis stands.

A start finds the code that an earlier one made, so that nobody has to look for a new one; to
have another, remove the file and start again. Every gateway of the home reads the file when
somebody would found the venue, so several of them agree, and none holds the notary's seed.
"""

import base64
import os
import secrets
from pathlib import Path
from typing import Final

import msgspec
import structlog

from schemas.errors import InputError
from streams.gateway.founding import FoundingTerms

_log = structlog.get_logger(__name__)

_CODE_BYTES: Final = 10
"""80 bits: 16 letters and digits that a person can type, and nobody can guess over HTTP."""
_GROUP_CHARS: Final = 4


class FoundingNote:
    """The file at `path`, mode 0600."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ensure(self, notary_key: str) -> FoundingTerms:
        """Return the terms for this notary, made now unless they are there and nobody saw them."""
        held = self.terms()
        private = held is not None and not self.path.stat().st_mode & 0o077
        if held is not None and private and held.notary_key == notary_key:
            return held
        terms = FoundingTerms(code=_new_code(), notary_key=notary_key)
        fresh = self.path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(terms) + b"\n")
        fresh.replace(self.path)
        return terms

    def terms(self) -> FoundingTerms | None:
        """Return what is kept, None where there is nothing that can be read."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=FoundingTerms)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError):
            # without the file's words: they may hold the code
            _log.warning("founding code unreadable", path=str(self.path))
            return None

    def remove(self) -> None:
        """Forget the code: the venue is founded."""
        self.path.unlink(missing_ok=True)


def code_at_hand(file: FoundingNote, given: str | None) -> str:
    """Return the code that a person gave, or the one in this home. Raises InputError."""
    if given is not None:
        return given.strip().upper()
    terms = file.terms()
    if terms is None:
        raise InputError(
            f"no founding code in {file.path}: run this in the home of `everything up`, "
            "or give the code that it printed with --code"
        )
    return terms.code


def _new_code() -> str:
    text = base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode()
    return "-".join(text[at : at + _GROUP_CHARS] for at in range(0, len(text), _GROUP_CHARS))
