"""Settings from the environment, and where a venue's files are.

| variable         | default                  | what                                          |
|------------------|--------------------------|-----------------------------------------------|
| EVERYTHING_HOME  | ./data                   | the venue's folder: keys, stores, logs        |
| EVERYTHING_SHARD | main                     | which shard's log                             |
| EVERYTHING_URL   | the address printed      | the gateway, for the CLI                      |
| EVERYTHING_HTTP_PORT / _NATS_PORT | 8000, 4222 | loopback ports                     |
| EVERYTHING_HOSTS | (loopback names only)   | names under which the gateway is reached      |
| EVERYTHING_TRUSTED_PROXIES | (none)        | whose X-Forwarded-For is believed             |
| EVERYTHING_ARCHIVE | archive in the home   | where the archive is: better on another disk  |
| EVERYTHING_RELAXED_SYNC | (off)             | for a server that fsyncs at an interval: log.md |
| EVERYTHING_INGEST | on                      | `off`: nothing is fetched, measured or asked  |
| EVERYTHING_NATS_CONF | nats.conf            | a conf of yours that includes ours            |
| EVERYTHING_NATS_FRONT | (none)              | host:port where strangers reach nats-server   |
| EVERYTHING_NEWS_INSTALL | (none)             | the command by which `up` installs the news extra |
| NATS_URL         | (embedded)               | a nats-server of your own                     |
| DATABASE_URL     | (embedded)               | a Postgres of your own                        |
| USER_AGENT       | EverythingMarketBot/0.1… | what fetching says it is                      |
| FROM_ADDRESS     | ops@yourdomain.com       | whom a site's owner may write to              |
| POLL_INTERVAL    | 300                      | seconds between two looks at a new source     |
| EVERYTHING_CHROMIUM | (searched on the PATH) | the browser for pages that need one          |
| EVERYTHING_BROWSER_UNSANDBOXED | (off)       | `1`: without its sandbox, where there is none |
| EVERYTHING_RENDER | here                     | elsewhere: runners render pages, no browser here |
| SPACY_MODEL      | (none)                   | a trained pipeline that finds more names      |
| LLM_MODE         | enabled                  | disabled: the LLM is never asked              |
| LLM_MODEL        | models/… in the home     | the GGUF file                                 |
| LLM_MODEL_SHA256 | (written beside it)      | what that file must be                        |
| REALITY_API_SECRET | (none)                 | the service key called `default`              |
"""

import ipaddress
import os
import re
import shutil
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from deploy.venue.private import FOLDER_MODE
from schemas.errors import InputError
from schemas.limits import MAX_POLL_INTERVAL_S, MIN_POLL_INTERVAL_S, MIN_SECRET_BYTES
from schemas.subjects import DEFAULT_SHARD, is_shard
from schemas.texts import is_line

_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAX_HEADER_CHARS: Final = 200
_HOST: Final = re.compile(r"(\*\.)?[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")
_SHARED_NAMES: Final = frozenset(
    {
        "nats_url",
        "database_url",
        "user_agent",
        "from_address",
        "poll_interval",
        "spacy_model",
        "llm_mode",
        "llm_model",
        "llm_model_sha256",
        "reality_api_secret",
    }
)
"""Fields whose variables other programs have, too, so that they carry no EVERYTHING_."""


def _shard(text: str) -> str:
    if not is_shard(text):
        raise ValueError("1 to 16 of a-z, 0-9 and -, beginning with a letter")
    return text


def _hosts(text: str) -> str:
    if not all(map(_HOST.fullmatch, listed(text))):
        raise ValueError("host names without ports, separated by commas; *.name for all below")
    return text


def _networks(text: str) -> str:
    for network in listed(text):
        ipaddress.ip_network(network, strict=False)
    return text


def listed(text: str) -> list[str]:
    """Return the parts of a setting that are separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _header(text: str) -> str:
    if not text.isascii() or not is_line(text, _MAX_HEADER_CHARS):
        raise ValueError(f"1 to {_MAX_HEADER_CHARS} printable ASCII characters")
    return text


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65_535:
        raise ValueError("an address and a port, such as 0.0.0.0:4223")
    return text


Header = Annotated[str, AfterValidator(_header)]


def variable_of(field: str) -> str:
    """Return the environment variable that sets a field of Settings."""
    return field.upper() if field in _SHARED_NAMES else f"EVERYTHING_{field.upper()}"


class BadSettings(InputError):
    code = "bad_settings"


class Settings(BaseModel):
    """What the environment says, where no argument says otherwise. Raises BadSettings.

    `pydantic-settings` would do the same, and take longer to import than a command to run.
    """

    # a value that does not fit is not shown: it may be a secret
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    home: Path = Path("data")
    shard: Annotated[str, AfterValidator(_shard)] = DEFAULT_SHARD
    url: str | None = None
    http_port: int = Field(default=8000, ge=1, le=65_535)
    nats_port: int = Field(default=4222, ge=1, le=65_535)
    hosts: Annotated[str, AfterValidator(_hosts)] = ""
    trusted_proxies: Annotated[str, AfterValidator(_networks)] = ""
    archive: Path | None = None
    relaxed_sync: str | None = None
    nats_conf: Path | None = None
    nats_front: Annotated[str, AfterValidator(_address)] | None = None
    nats_url: str | None = None
    database_url: str | None = None
    user_agent: Header = "EverythingMarketBot/0.1 (+mailto:ops@yourdomain.com)"
    from_address: Header = "ops@yourdomain.com"
    poll_interval: int = Field(default=300, ge=MIN_POLL_INTERVAL_S, le=MAX_POLL_INTERVAL_S)
    ingest: bool = True
    news_install: str | None = None
    chromium: Path | None = None
    browser_unsandboxed: bool = False
    render: Literal["here", "elsewhere"] = "here"
    spacy_model: str | None = None
    llm_mode: Literal["enabled", "disabled"] = "enabled"
    llm_model: Path | None = None
    llm_model_sha256: str | None = None
    reality_api_secret: SecretStr | None = Field(default=None, min_length=MIN_SECRET_BYTES)

    def __init__(self, **given: Any) -> None:
        found = {
            name: os.environ[variable]
            for name in type(self).model_fields
            if (variable := variable_of(name)) in os.environ
        }
        try:
            super().__init__(**(found | given))
        except ValidationError as error:
            wrong = [
                f"{variable_of(str(one['loc'][0]))}: {one['msg']}"
                for one in error.errors(include_input=False)
            ]
            # the cause would show what was given
            raise BadSettings("; ".join(wrong)) from None

    @property
    def gateway_url(self) -> str:
        return (self.url or f"http://127.0.0.1:{self.http_port}").rstrip("/")

    @property
    def broker_url(self) -> str:
        return self.nats_url or f"nats://127.0.0.1:{self.nats_port}"

    @property
    def browser(self) -> Path | None:
        """The browser that is here, None if there is none."""
        if self.chromium is not None:
            return self.chromium if self.chromium.is_file() else None
        found = next(filter(None, map(shutil.which, _BROWSERS)), None)
        return None if found is None else Path(found)

    @property
    def renders(self) -> bool:
        """Whether there is anything at all for pages that need a browser."""
        return self.render == "elsewhere" or self.browser is not None


class Home:
    """The folders of one venue, all of them their owner's alone."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def service_keys(self) -> Path:
        return self.keys / "services"

    @property
    def program_keys(self) -> Path:
        """The secrets of programs that sign their requests (`service_keys.py`)."""
        return self.keys / "hmac"

    @property
    def runner_keys(self) -> Path:
        """The secrets of runners elsewhere; no other program's is taken for one."""
        return self.keys / "runners"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def nats(self) -> Path:
        return self.root / "nats"

    @property
    def archive(self) -> Path:
        """Where the archive is, unless the settings say otherwise."""
        return self.root / "archive"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    @property
    def search(self) -> Path:
        """The index of the search by meaning, by shard: it can be thrown away."""
        return self.root / "search"

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

    @property
    def founding(self) -> Path:
        """Holds the code that founds the venue, until it has been founded."""
        return self.root / "founding.json"

    def prepare(self) -> None:
        """Make the folders that do not exist yet."""
        self.root.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        kept = (self.nats, self.snapshots, self.logs, self.run)
        for folder in (*kept, self.keys, self.service_keys):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
