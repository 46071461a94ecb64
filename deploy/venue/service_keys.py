"""Service keys: the secrets of programs, one file each in the venue's key folder, mode 0600.

A file holds the current secret and, after a rotation, those before it that have not lapsed.
The gateway reads it at each request, so a key holds, and a rotation counts, at once.
"""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from deploy.limits import MAX_SERVICE_SECRETS
from deploy.venue.keys import KeyExists, KeyMissing
from schemas.errors import InputError
from schemas.limits import MIN_SECRET_BYTES, ROTATION_OVERLAP_NS
from schemas.services import ServiceSecret, is_key_id

_log = structlog.get_logger(__name__)

ENVIRONMENT_KEY: Final = "default"
"""The key id of REALITY_API_SECRET."""


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """`lapses_ns` is None for the current one."""

    secret: str
    made_ns: int
    lapses_ns: int | None = None


class ServiceKey(msgspec.Struct, frozen=True, kw_only=True):
    """A file's contents; the current secret comes first."""

    key_id: str
    secrets: list[Secret]


class ServiceKeyFolder:
    """The service keys of one venue, and the one that the environment gives, if any."""

    def __init__(self, folder: Path, environment_secret: str | None = None) -> None:
        self._folder = folder
        self._given = environment_secret

    def accepted(self, key_id: str) -> Sequence[ServiceSecret]:
        """Return the secrets of `key_id`, lapsed ones included; none if it is unknown."""
        found = []
        if key_id == ENVIRONMENT_KEY and self._given is not None:
            found.append(ServiceSecret(self._given, None))
        try:
            held = self.load(key_id)
        except KeyMissing:
            return found
        except InputError as error:
            # no word of it in the answer: anyone may ask
            _log.error("service key unreadable", key_id=key_id, reason=str(error))
            return found
        return [*found, *(ServiceSecret(one.secret, one.lapses_ns) for one in held.secrets)]

    def create(self, key_id: str, now_ns: int) -> str:
        """Make a key and return its secret. Raises KeyExists."""
        path = self._path(key_id)
        if path.exists():
            raise KeyExists(f"there is a service key {key_id!r} already")
        fresh = _fresh(now_ns)
        self._write(ServiceKey(key_id=key_id, secrets=[fresh]))
        return fresh.secret

    def rotate(self, key_id: str, now_ns: int) -> str:
        """Make a new secret and return it; the one before it lapses in ROTATION_OVERLAP_NS.

        Raises KeyMissing, InputError when MAX_SERVICE_SECRETS have not lapsed yet.
        """
        still = [
            one if one.lapses_ns is not None else _lapsing(one, now_ns + ROTATION_OVERLAP_NS)
            for one in self.load(key_id).secrets
            if one.lapses_ns is None or one.lapses_ns > now_ns
        ]
        if len(still) >= MAX_SERVICE_SECRETS:
            raise InputError(f"{len(still)} secrets of {key_id!r} are accepted still: wait")
        fresh = _fresh(now_ns)
        self._write(ServiceKey(key_id=key_id, secrets=[fresh, *still]))
        return fresh.secret

    def listed(self) -> list[ServiceKey]:
        """Return all keys that have a file, by key id."""
        return [self.load(path.stem) for path in sorted(self._folder.glob("*.json"))]

    def load(self, key_id: str) -> ServiceKey:
        """Return one key. Raises KeyMissing, or InputError for a file that is none."""
        path = self._path(key_id)
        try:
            return msgspec.json.decode(path.read_bytes(), type=ServiceKey)
        except FileNotFoundError as error:
            raise KeyMissing(f"there is no service key {key_id!r}") from error
        except msgspec.DecodeError as error:
            # the file's words are not repeated: they may hold the secret
            raise InputError(f"{path} is no service key") from error

    def _path(self, key_id: str) -> Path:
        if not is_key_id(key_id):
            raise InputError(f"{key_id!r} cannot name a service key: a-z, 0-9, _ and -")
        return self._folder / f"{key_id}.json"

    def _write(self, key: ServiceKey) -> None:
        """Put a file in its place, whole or not at all."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(key.key_id)
        fresh = path.with_suffix(f".{os.getpid()}.new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


def _fresh(now_ns: int) -> Secret:
    return Secret(secret=secrets.token_hex(MIN_SECRET_BYTES), made_ns=now_ns)


def _lapsing(one: Secret, lapses_ns: int) -> Secret:
    return msgspec.structs.replace(one, lapses_ns=lapses_ns)
