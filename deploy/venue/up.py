"""Starting a whole venue on this machine, step by step."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psutil

from deploy import http
from deploy.limits import NEWS_LOOK_S, UPGRADE_NOTE_S
from deploy.processes.names import CORE, FRONT, INGEST, KEEPING, not_started
from deploy.venue import keys, news, upgrading
from deploy.venue.founding import FoundingNote
from deploy.venue.log_files import LogFiles
from deploy.venue.paths import NOTARY_KEY, VenuePaths
from deploy.venue.postgres import POSTGRES_LOG, Postgres
from deploy.venue.private import FILE_MODE, UMASK, claim_home, claim_keys
from deploy.venue.supervisor import (
    STOP_AFTER_S,
    WATCH_EVERY_S,
    Child,
    StartFailed,
    Supervisor,
    python,
)
from schemas import signatures
from schemas.errors import StoreUnavailable
from streams.broker import config
from streams.broker.server import NatsServer
from streams.log.nats_wire import Wire
from streams.log.streams import check_consumers, ensure_shard

READY_WITHIN_S: Final = 600
"""The gateway folds the log's records before it opens, and a log can be long."""
GATEWAY_ANSWER_S: Final = 2
LOOPBACK: Final = "127.0.0.1"
PIDS: Final = "processes.json"
Step = Callable[[str], Any]


class Venue:
    """The servers and processes of one venue on this machine.

    `say` hears of everything that a person should know; `step` is a context manager that
    shows a step while it runs.
    """

    def __init__(self, paths: VenuePaths, say: Callable[[str], None], step: Step) -> None:
        self.paths = paths
        self._settings = paths.settings
        self._home = paths.home
        self._say = say
        self._step = step
        self._supervisor = Supervisor(say)
        self._nats: NatsServer | None = None
        self._postgres: Postgres | None = None
        self._database_url = self._settings.database_url or ""
        self._look_again = 0.0
        self._founding = FoundingNote(self._home.founding)
        self._installation: news.NewsInstallation | None = None
        self._awaits_news = False
        self._look_for_news_again = 0.0
        self._log_files = LogFiles(self._home.logs, self._home.postgres / POSTGRES_LOG)
        self._upgrade: upgrading.Upgrade | None = None
        self._look_for_upgrade_again = 0.0

    def start(self) -> None:
        """Start everything, in the order in which one needs the other.

        Raises StartFailed or the Halt that says what is not as it must be, KeyboardInterrupt
        between two steps on SIGINT or SIGTERM: a step that was begun is ended, so that
        nothing starts behind our back.
        """
        self._prepare()
        notary_key = signatures.public_key(keys.ensure(self._home.keys, NOTARY_KEY))
        # A store that lost its log must not get an empty one in its place.
        self._start_log(founded=self._home.founded.exists())
        if self._settings.database_url is None:
            with self._begun("Postgres (the first start takes some seconds)"):
                self._start_postgres()
        self._home.database_url.write_text(self._database_url)
        self._home.database_url.chmod(0o600)
        self._look_for_upgrade()
        for name in CORE:
            self._start_child(name)
        with self._begun("waiting for the gateway"):
            self._wait_for_gateway()
        for name in KEEPING:
            self._start_child(name)
        if self._settings.nats_front is not None:
            self._start_child(FRONT)
        self._start_ingest()
        self._note_founding()
        if not self._home.founded.exists():
            self._founding.ensure(notary_key)
        self._ready_file.touch()

    def start_log_alone(self) -> None:
        """Start no more than a restore needs: the log, an empty one if there is none.

        Raises as `start` does.
        """
        self._prepare()
        self._start_log(founded=False)

    def run(self) -> None:
        """Keep everything up until SIGINT or SIGTERM."""
        supervisor = self._supervisor
        if self._nats is not None:
            nats = self._nats
            supervisor.watch("nats-server", lambda: nats.running, lambda: asyncio.run(nats.start()))
        if self._postgres is not None:
            postgres = self._postgres
            supervisor.watch("Postgres", lambda: postgres.running, lambda: postgres.start(0))
        while not supervisor.stopping.wait(WATCH_EVERY_S):
            supervisor.look()
            self._look_for_news()
            self._look_whether_upgrade_is_ready()
            self._write_pids()
            self._note_founding()

    def stop(self) -> None:
        """Stop everything, writers before the servers that they write to."""
        for number in (signal.SIGINT, signal.SIGTERM):
            # A second Ctrl-C must not leave half of it running; each step has its bound.
            signal.signal(number, signal.SIG_IGN)
        self._ready_file.unlink(missing_ok=True)
        if self._installation is not None:
            self._installation.stop()
        with self._step("stopping the processes"):
            self._supervisor.stop()
        if self._postgres is not None:
            with self._step("stopping Postgres"):
                self._postgres.stop()
        if self._nats is not None:
            with self._step("stopping nats-server"):
                asyncio.run(self._nats.stop())
        self._log_files.stop()

    def _prepare(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._supervisor.stopping.set())
        with self._begun("keys and folders"):
            self._home.prepare()
            claim_keys(self._home.keys, self._say)
            self._log_files.start()
            self._ready_file.unlink(missing_ok=True)
            end_leftovers(self._home.run / PIDS, self._say)
            _ = self.paths.keyring
        self._check_ports()

    def _start_log(self, *, founded: bool) -> None:
        if self._settings.nats_url is None:
            with self._begun("nats-server"):
                self._start_nats()
        with self._begun("streams: declared, compared, fsync always"):
            asyncio.run(self._check_streams(founded))

    @contextmanager
    def _begun(self, what: str) -> Iterator[None]:
        """Show a step of the start while it runs, unless we have been told to stop."""
        if self._supervisor.stopping.is_set():
            raise KeyboardInterrupt
        with self._step(what):
            yield

    @property
    def _venue_url(self) -> str:
        return f"{self._settings.gateway_url}/api/v1/venue"

    @property
    def _ready_file(self) -> Path:
        return self._home.run / "ready"

    def _check_ports(self) -> None:
        settings = self._settings
        _check_free(settings.http_port, "EVERYTHING_HTTP_PORT")
        if settings.nats_url is None:
            _check_free(settings.nats_port, "EVERYTHING_NATS_PORT")

    def _start_nats(self) -> None:
        settings = self._settings
        where = config.ListenConfig(
            store=self._home.nats,
            port=settings.nats_port,
            sync_interval=settings.relaxed_sync or "always",
        )
        conf = settings.nats_conf or config.shipped()
        variables = config.environment(where, self.paths.shard, self.paths.keyring)
        config.check(conf, self.paths.shard, variables)
        log = self._home.logs / "nats-server.log"
        self._nats = NatsServer(conf, settings.nats_port, log, variables)
        asyncio.run(self._nats.start())
        self._write_pids()

    async def _check_streams(self, founded: bool) -> None:
        settings = self._settings
        url, login = settings.broker_url, self.paths.login
        async with (
            Wire.opened(url, **login("operator")) as wire,
            Wire.opened(url, **login("monitor")) as monitor,
        ):
            await check_consumers(wire)
            shard, relaxed = self.paths.shard, settings.relaxed_sync
            await ensure_shard(wire, shard, monitor, relaxed, founded=founded)

    def _start_postgres(self) -> None:
        self._postgres = Postgres(self._home.postgres)
        self._postgres.start()
        self._database_url = self._postgres.url
        self._write_pids()

    def _start_child(self, name: str) -> None:
        with self._begun(name):
            self._supervisor.add(self._child(name))
            self._write_pids()

    def _child(self, name: str) -> Child:
        environment = {
            "DATABASE_URL": self._database_url,
            "EVERYTHING_HOME": str(self._home.root),
            "PYTHONUNBUFFERED": "1",
        }
        command = python("deploy.processes", name)
        return Child(name, command, environment, self._home.logs / f"{name}.log")

    def _start_ingest(self) -> None:
        """Start what brings in the news, or have the extra that it needs installed."""
        if not self._settings.ingest:
            self._say("EVERYTHING_INGEST is off: nothing is fetched, measured or asked")
            return
        if news.is_installed():
            for name in INGEST:
                if name not in not_started(self._settings):
                    self._start_child(name)
            return
        self._awaits_news = True
        command = self._settings.news_install
        if command is None:
            self._say(f"{news.NOT_INSTALLED}, so nothing is fetched; {news.HOW_TO_INSTALL}")
            return
        self._say(f"{news.NOT_INSTALLED} yet; installing it now, while the venue runs")
        log_path = self._home.logs / "news-install.log"
        self._installation = news.NewsInstallation(command, log_path, self._say)
        self._installation.start()

    def _look_for_news(self) -> None:
        """Start what brings in the news once its extra is installed, by us or by anyone."""
        if not self._awaits_news:
            return
        # while ours runs, modules are there that cannot be imported yet
        if self._installation is not None and self._installation.is_running():
            return
        if time.monotonic() < self._look_for_news_again:
            return
        self._look_for_news_again = time.monotonic() + NEWS_LOOK_S
        if news.is_installed():
            self._awaits_news = False
            self._say("news is installed: its processes start")
            self._start_ingest()

    def _look_for_upgrade(self) -> None:
        """Say which tables another release made, before this one's are built beside them."""
        # Postgres may still be away where it is not ours: the projector waits for it.
        with suppress(StoreUnavailable):
            found = asyncio.run(upgrading.look(self._database_url))
            for line in upgrading.notice(found):
                self._say(line)
            self._upgrade = found if found.is_needed and not found.is_ready else None

    def _look_whether_upgrade_is_ready(self) -> None:
        """Say once that this release's tables are built and can be made live."""
        if self._upgrade is None or time.monotonic() < self._look_for_upgrade_again:
            return
        self._look_for_upgrade_again = time.monotonic() + UPGRADE_NOTE_S
        with suppress(StoreUnavailable):
            found = asyncio.run(upgrading.look(self._database_url))
            if found.is_ready:
                command = f"`{upgrading.COMMAND} --switch`"
                self._say(f"this release's tables are built: {command} makes them live")
            if found.is_ready or not found.is_needed:
                self._upgrade = None

    def _wait_for_gateway(self) -> None:
        end = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < end:
            if self._supervisor.stopping.is_set():
                raise KeyboardInterrupt
            self._supervisor.look()
            halted = [child for child in self._supervisor.children if child.halted]
            if halted:
                raise StartFailed(f"{halted[0].name} halted: {halted[0].halted}")
            try:
                if not http.request("GET", self._venue_url, timeout_s=GATEWAY_ANSWER_S).is_error:
                    return
            except http.FAILURES:
                pass
            time.sleep(0.1)
        raise StartFailed(f"the gateway does not answer; see {self._home.logs / 'gateway.log'}")

    def _note_founding(self) -> None:
        """Note the venue's id as soon as there is one; from then on no code founds anything."""
        if self._home.founded.exists():
            self._founding.remove()
            return
        if time.monotonic() < self._look_again:
            return
        self._look_again = time.monotonic() + 1
        try:
            venue = http.request("GET", self._venue_url, timeout_s=GATEWAY_ANSWER_S).json()
        except (*http.FAILURES, ValueError):
            return
        if venue.get("founded"):
            self._home.founded.write_text(venue["venue_id"] + "\n")
            self._founding.remove()

    def _write_pids(self) -> None:
        pids = {
            child.name: child.process.pid for child in self._supervisor.children if child.process
        }
        if self._nats is not None and self._nats.pid is not None:
            pids["nats-server"] = self._nats.pid
        if self._postgres is not None and (pid := self._postgres.pid) is not None:
            pids["postgres"] = pid
        path = self._home.run / PIDS
        text = json.dumps(pids, indent=2)
        if not path.exists() or path.read_text() != text:
            fresh = path.with_suffix(".new")
            fresh.write_text(text)
            fresh.replace(path)


def _check_free(port: int, variable: str) -> None:
    """Raise StartFailed when somebody else listens on a loopback port that we need."""
    with socket.socket() as probe:
        # a connection of an earlier start that lingers there is nobody
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise StartFailed(f"port {port} is in use: set {variable} to another") from error


@contextmanager
def lock(home: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the venue's folder, so that two `everything up` cannot run in one.

    While it is held, this process and its children make files for their owner alone. Raises
    StartFailed when another process holds it, NotOurs when it belongs to somebody else.
    """
    claim_home(home, say)
    before = os.umask(UMASK)
    try:
        # who can open the lock can hold it, and so keep the venue from starting
        file = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE)
        try:
            os.fchmod(file, FILE_MODE)
            _hold(file, home)
            yield
        finally:
            os.close(file)
    finally:
        os.umask(before)


def _hold(lock_file: int, home: Path) -> None:
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StartFailed(f"a venue is running from {home} already") from error


def end_leftovers(pids: Path, say: Callable[[str], None]) -> None:
    """End what an `everything up` that was killed has left running."""
    if not pids.exists():
        return
    for name, pid in json.loads(pids.read_text()).items():
        try:
            process = psutil.Process(pid)
            ours = any("deploy.processes" in part for part in process.cmdline())
            if ours or (name == "nats-server" and process.name() == "nats-server"):
                say(f"{name} was left running by an earlier start; ending it")
                process.terminate()
                process.wait(STOP_AFTER_S)
        except psutil.NoSuchProcess:
            continue
        except psutil.TimeoutExpired:
            process.kill()
