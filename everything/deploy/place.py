"""What a process knows of its venue: settings, folders, keys, addresses."""

import os
import socket
import time

from everything.deploy.settings import Home, Settings
from everything.schemas.errors import InputError
from everything.streams.broker import roles
from everything.streams.broker.keyring import Keyring, ensure_service_keys
from everything.streams.log.nats_log import NatsLog, connect, connect_feed

NOTARY_KEY = "notary"
"""The name, in the key folder, of the seed that signs seals."""


class Place:
    """Where a venue is, seen from one of its processes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = Home(settings.home)
        self.shard = settings.shard

    @property
    def keyring(self) -> Keyring:
        return ensure_service_keys(self.home.service_keys, self.shard)

    @property
    def database_url(self) -> str:
        """Where Postgres is. Raises InputError if nobody said."""
        if self.settings.database_url is None:
            raise InputError("DATABASE_URL is not set; `everything up` sets it")
        return self.settings.database_url

    def login(self, role: str) -> dict[str, str]:
        """Return the arguments by which `role` connects to the broker."""
        return {"name": role, "seed": self.keyring.seed(role), "inbox_prefix": roles.inbox(role)}

    async def log(self, role: str) -> NatsLog:
        return await connect(self.settings.broker_url, self.shard, **self.login(role))

    async def feed(self, role: str) -> NatsLog:
        return await connect_feed(self.settings.broker_url, self.shard, **self.login(role))


def writer_name() -> str:
    """Return a name that no other process has or had."""
    return f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"
