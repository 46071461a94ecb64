"""Settings from the environment, and where a venue's files are.

| variable         | default                  | what                                          |
|------------------|--------------------------|-----------------------------------------------|
| EVERYTHING_HOME  | ./data                   | the venue's folder: keys, stores, logs        |
| EVERYTHING_SHARD | main                     | which shard's log                             |
| EVERYTHING_URL   | the address printed      | the gateway, for the CLI                      |
| EVERYTHING_HTTP_PORT / _NATS_PORT / _MONITOR_PORT | 8000, 4222, 8222 | loopback ports  |
| EVERYTHING_RELAXED_SYNC | (off)             | for a server that fsyncs at an interval: log.md |
| NATS_URL         | (embedded)               | a nats-server of your own                     |
| NATS_MONITOR_URL | (embedded)               | its monitoring addresses, separated by commas |
| DATABASE_URL     | (embedded)               | a Postgres of your own                        |
"""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from everything.schemas.subjects import DEFAULT_SHARD, is_shard


def _shard(text: str) -> str:
    if not is_shard(text):
        raise ValueError("1 to 16 of a-z, 0-9 and -, beginning with a letter")
    return text


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="EVERYTHING_", extra="ignore")

    home: Path = Path("data")
    shard: Annotated[str, AfterValidator(_shard)] = DEFAULT_SHARD
    url: str | None = None
    http_port: int = Field(default=8000, ge=1, le=65_535)
    nats_port: int = Field(default=4222, ge=1, le=65_535)
    monitor_port: int = Field(default=8222, ge=1, le=65_535)
    relaxed_sync: str | None = None
    nats_url: str | None = Field(default=None, validation_alias="NATS_URL")
    nats_monitor_url: str | None = Field(default=None, validation_alias="NATS_MONITOR_URL")
    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL")

    @property
    def gateway_url(self) -> str:
        return (self.url or f"http://127.0.0.1:{self.http_port}").rstrip("/")

    @property
    def broker_url(self) -> str:
        return self.nats_url or f"nats://127.0.0.1:{self.nats_port}"

    @property
    def monitor_urls(self) -> list[str]:
        """Where the server says whether it syncs every write."""
        own = f"http://127.0.0.1:{self.monitor_port}"
        return (self.nats_monitor_url or own).split(",")


class Home:
    """The folders of one venue. Keys are readable by their owner only."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def service_keys(self) -> Path:
        return self.keys / "services"

    @property
    def nats(self) -> Path:
        return self.root / "nats"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def database_url(self) -> Path:
        """Where a running `up` notes the address of its Postgres."""
        return self.run / "database_url"

    @property
    def founded(self) -> Path:
        """Holds the venue's id once it has been founded: from then on its log must be there."""
        return self.root / "venue_id"

    def prepare(self) -> None:
        """Make the folders that do not exist yet."""
        for folder in (self.root, self.nats, self.snapshots, self.logs, self.run):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.keys, self.service_keys):
            folder.mkdir(mode=0o700, exist_ok=True)
