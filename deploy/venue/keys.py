"""Key files: one nkey seed per file, in the venue's key folder, mode 0600."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from schemas import signatures
from schemas.errors import InputError

SESSION_SECRET: Final = "session.secret"
"""The name, in the key folder, of what signs sessions: gateway and relay take the same ones."""


class KeyMissing(InputError):
    code = "key_missing"


class KeyExists(InputError):
    code = "key_exists"


def key_path(folder: Path, name: str) -> Path:
    """Return where the seed called `name` is kept. Raises InputError for what is no name."""
    if not name or Path(name).name != name or name.startswith("."):
        raise InputError(f"{name!r} cannot name a key")
    return folder / f"{name}.nk"


def create(folder: Path, name: str) -> str:
    """Make a new seed called `name` and return its public key. Raises KeyExists."""
    path = key_path(folder, name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seed = signatures.seed_from(secrets.token_bytes(signatures.SEED_BYTES))
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise KeyExists(f"there is a key {name!r} already: {path}") from error
    with os.fdopen(handle, "w") as file:
        file.write(seed + "\n")
        file.flush()
        os.fsync(file.fileno())
    return signatures.public_key(seed)


def load(folder: Path, name: str) -> str:
    """Return the seed called `name`. Raises KeyMissing."""
    path = key_path(folder, name)
    try:
        return path.read_text().strip()
    except FileNotFoundError as error:
        raise KeyMissing(f"there is no key {name!r}: {path} does not exist") from error


def ensure(folder: Path, name: str) -> str:
    """Return the seed called `name`, made now if there is none."""
    if not key_path(folder, name).exists():
        create(folder, name)
    return load(folder, name)


def secret(folder: Path, name: str) -> bytes:
    """Return 32 random bytes kept in the file `name`, made now if there is none.

    Several processes may ask at once: the file appears whole, and all get the same.
    """
    path = folder / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        made = folder / f".{name}.{secrets.token_hex(8)}"
        handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
    return bytes.fromhex(path.read_text().strip())
