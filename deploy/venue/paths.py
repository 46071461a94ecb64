"""What a process knows of its venue: settings, folders, keys, addresses."""

import os
import socket
import time
from pathlib import Path
from typing import TypedDict

from deploy.venue.settings import Home, Settings
from schemas.errors import InputError
from streams.broker import roles
from streams.broker.keyring import Keyring, ensure_service_keys
from streams.log.nats_log import NatsLog, connect, connect_feed

NOTARY_KEY = "notary"
"""The name, in the key folder, of the seed that signs seals."""


class Login(TypedDict):
    """How a role connects to the broker."""

    name: str
    seed: str
    inbox_prefix: str


class VenuePaths:
    """The folders, keys and addresses of a venue, as one of its processes finds them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = Home(settings.home)
        self.shard = settings.shard

    @property
    def keyring(self) -> Keyring:
        return ensure_service_keys(self.home.service_keys, self.shard)

    @property
    def database_url(self) -> str:
        """Where Postgres is: as the environment says, or as a running `up` noted it.

        Raises InputError if nobody said.
        """
        if self.settings.database_url is not None:
            return self.settings.database_url
        try:
            return self.home.database_url.read_text()
        except FileNotFoundError as error:
            raise InputError(
                "no Postgres: set DATABASE_URL, or run `everything up` in this home first"
            ) from error

    @property
    def archive(self) -> Path:
        """The archive's folder, which is of all shards."""
        given = self.settings.archive
        return self.home.archive if given is None else given.expanduser().resolve()

    @property
    def archive_shares_disk(self) -> bool:
        """Whether one failing disk would take the log and its archive."""
        try:
            return self.archive.stat().st_dev == self.home.nats.stat().st_dev
        except OSError:
            return False

    def login(self, role: str) -> Login:
        """Return the arguments by which `role` connects to the broker."""
        return {"name": role, "seed": self.keyring.seed(role), "inbox_prefix": roles.inbox(role)}

    async def log(self, role: str, *, dense: bool = True) -> NatsLog:
        """Return a connection to the shard's log as `role`.

        With `dense` a log that has lost messages is refused; `verify` must see it.
        """
        return await connect(self.settings.broker_url, self.shard, dense=dense, **self.login(role))

    async def feed(self, role: str) -> NatsLog:
        """Return a connection to the shard's FEED as `role`."""
        return await connect_feed(self.settings.broker_url, self.shard, **self.login(role))


def writer_name() -> str:
    """Return a name that no other process has or had."""
    return f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"
