"""The model's file, and the SHA-256 that it must have.

The model's answers go on the log, so a model is used only if its SHA-256 was stated: by
`LLM_MODEL_SHA256`, or by the file `<model>.sha256` that `make models` writes.
"""

import hashlib
import re
from pathlib import Path
from typing import Final, NamedTuple

DEFAULT_FILE: Final = "tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf"
NO_FILE: Final = "the model's file is not there: see make models"
NO_PIN: Final = "nobody stated the model's SHA-256: see make models"
WRONG_FILE: Final = "the model's file is not the one whose SHA-256 was stated"

_SHA256 = re.compile(r"[0-9a-f]{64}")


class ModelFile(NamedTuple):
    """A file that was read whole and has the stated SHA-256."""

    path: Path
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.path.name}@{self.sha256}"


class WrongFile(NamedTuple):
    """There is no such file. `reason` is one of the texts above."""

    reason: str


def pin_of(path: Path) -> Path:
    """Return where the SHA-256 of the model at `path` is written down."""
    return path.with_name(f"{path.name}.sha256")


def stated_sha256(path: Path, stated: str | None) -> str | None:
    """Return the SHA-256 that the file must have: `stated`, or what is written beside it."""
    if stated is None:
        try:
            stated = pin_of(path).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return None
    stated = stated.strip().lower()
    return stated if _SHA256.fullmatch(stated) else None


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked(path: Path, stated: str | None) -> ModelFile | WrongFile:
    """Check the bytes of the model's file; return the file, or what is wrong with it."""
    wanted = stated_sha256(path, stated)
    try:
        found = sha256_of(path)
    except OSError:
        return WrongFile(NO_FILE)
    if wanted is None:
        return WrongFile(NO_PIN)
    return ModelFile(path, found) if found == wanted else WrongFile(WRONG_FILE)
