"""The venue's key folder: one seed per file, readable by its owner alone."""

import os
import secrets
import stat
from pathlib import Path

from schemas.errors import ConfigDrift
from streams.broker import roles
from streams.broker.jwt import KeyKind, is_seed, public_key, seed_of

ISSUER = "door-issuer"
"""Names the key that signs native logins (an account key)."""


class Keyring:
    """The seeds of one venue's services, by role name.

    Seeds are never logged and never leave the folder but to sign.
    """

    def __init__(self, folder: Path, seeds: dict[str, str]) -> None:
        self.folder = folder
        self._seeds = seeds
        self.issuer = public_key(seeds[ISSUER])
        self.public = {name: public_key(seed) for name, seed in seeds.items() if name != ISSUER}
        """Public keys by role name, the issuer's excepted."""

    def seed(self, name: str) -> str:
        """Return the seed of the role `name`, or of ISSUER."""
        return self._seeds[name]


def ensure_service_keys(folder: Path, shard: str) -> Keyring:
    """Return the venue's service keys; makes those that are missing.

    Raises ConfigDrift when a key file can be read by others or holds no seed.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seeds = {ISSUER: _ensure(folder, ISSUER, KeyKind.ACCOUNT)}
    for role in roles.services(shard):
        seeds[role.name] = _ensure(folder, role.name, KeyKind.USER)
    return Keyring(folder, seeds)


def _ensure(folder: Path, name: str, kind: KeyKind) -> str:
    path = folder / f"{name}.nk"
    if not path.exists():
        _write(path, seed_of(kind, secrets.token_bytes(32)))
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigDrift(f"{path} can be read by others: chmod 600 it, or remove it")
    seed = path.read_text(encoding="ascii", errors="replace").strip()
    if not is_seed(seed, kind):
        raise ConfigDrift(f"{path} holds no seed of kind {kind.name.lower()}")
    return seed


def _write(path: Path, seed: str) -> None:
    """Write `seed` so that a crash leaves a whole file or none, and two writers one file."""
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(seed + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
