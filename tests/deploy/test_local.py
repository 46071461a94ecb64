"""A venue and the other logins of its machine: what they reach, and who founds it."""

import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from deploy.venue import private
from deploy.venue.founding import FoundingNote
from deploy.venue.private import NotOurs
from deploy.venue.up import lock
from schemas import policy, signatures
from schemas.codec import encode
from schemas.decisions import Genesis
from schemas.errors import LogUnavailable
from streams.log.nats_wire import Wire
from tests.support.strangers import refuses_strangers
from tests.support.venue import Venue, venue
from tests.support.waiting import wait_for

GONE_WITHIN_S = 10


@pytest.fixture(scope="module")
def it() -> Iterator[Venue]:
    """A venue that nobody has founded, in a folder that everybody may pass.

    Not in pytest's, which is closed to others itself.
    """
    with tempfile.TemporaryDirectory(prefix="everything-local-") as folder:
        Path(folder).chmod(0o755)
        with venue(Path(folder) / "home", ingest=False) as running:
            yield running


def others_may(path: Path) -> int:
    """Return what a file lets others do; root's Postgres may pass a folder."""
    passed = 0o010 if os.geteuid() == 0 and path.is_dir() else 0
    return stat.S_IMODE(path.lstat().st_mode) & 0o077 & ~passed


@pytest.mark.slow
def test_no_file_of_the_home_is_anybody_elses(it: Venue) -> None:
    everything = [it.home, *it.home.rglob("*")]
    mine = [one for one in everything if not one.is_relative_to(it.home / "postgres")]
    wide = [one for one in mine if others_may(one) and one.name != "up.log"]
    assert wide == [], "up.log is the test's own"
    assert len(mine) > 30
    assert others_may(it.home / "postgres") == 0


@pytest.mark.slow
def test_a_home_that_was_open_is_tightened_and_that_is_said(it: Venue) -> None:
    """The test made it 0755, as every release before did."""
    assert "was open to other logins of this machine (0755); it is 0700 now" in it.up_log()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("keys/notary.nk", "keys/session.secret", "keys/services/gateway.nk", "founding.json"),
        *("lock", "logs/gateway.log", "run/database_url", "nats/jetstream", "postgres/PG_VERSION"),
    ],
)
def test_another_login_cannot_open_what_is_in_it(it: Venue, name: str) -> None:
    path = it.home / name
    assert path.exists()
    opened = os.O_RDONLY
    assert refuses_strangers(path, lambda: os.open(path, opened))


@pytest.mark.slow
def test_another_login_cannot_hold_the_lock(it: Venue) -> None:
    path = it.home / "lock"

    def hold() -> None:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)

    assert refuses_strangers(path, hold)


@pytest.mark.slow
def test_nothing_listens_but_the_two_doors_and_those_on_loopback(it: Venue) -> None:
    listening = set()
    for pid in {*it.pids().values(), it.up_pid}:
        one = psutil.Process(pid)
        for process in (one, *one.children(recursive=True)):
            for found in process.net_connections(kind="inet"):
                if found.status == psutil.CONN_LISTEN:
                    listening.add((found.laddr.ip, found.laddr.port))
    ports = (it.http_port, int(it.environment["EVERYTHING_NATS_PORT"]))
    assert listening == {("127.0.0.1", port) for port in ports}


@pytest.mark.slow
def test_nats_lets_nobody_in_without_a_login(it: Venue) -> None:
    address = ("127.0.0.1", int(it.environment["EVERYTHING_NATS_PORT"]))
    with socket.create_connection(address, 10) as caller:
        caller.sendall(b'CONNECT {"verbose":false}\r\nPUB main.cmd.admin.x 2\r\n{}\r\nPING\r\n')
        said = b""
        while chunk := caller.recv(4_096):
            said += chunk
    assert b"-ERR 'Authorization Violation'" in said
    assert b"PONG" not in said
    assert messages(it) == 0


def messages(it: Venue) -> int:
    answer = httpx.get(f"{it.url}/api/v1/status").json()
    return int(answer["log"]["messages"])


def genesis_of(seed: str, notary_key: str) -> dict[str, str]:
    key = signatures.public_key(seed)
    text = encode(Genesis("Theirs", key, notary_key, policy.SEED_PLAN, 1))
    return {"key": key, "body": text.decode(), "signature": signatures.sign(seed, text)}


@pytest.mark.slow
async def test_before_the_founding_the_native_door_is_closed_to_every_key(it: Venue) -> None:
    """Only the gateway's role could publish a genesis, and no account is known yet."""
    seed = signatures.seed_from(b"s" * signatures.SEED_BYTES)
    for login in ({"seed": seed}, {"token": "x"}, {}):
        with pytest.raises(LogUnavailable):
            await Wire.open(it.broker_url, name="orders", **login)
    assert messages(it) == 0


@pytest.mark.slow
def test_who_posts_first_founds_nothing(it: Venue) -> None:
    stranger = signatures.seed_from(b"s" * signatures.SEED_BYTES)
    known = httpx.get(f"{it.url}/api/v1/venue").json()
    assert known["founded"] is False
    action = genesis_of(stranger, known["notary_key"])
    url = f"{it.url}/api/v1/admin/action"
    answers = [
        httpx.post(url, json=action),
        httpx.post(url, json=action, headers={"X-Founding-Code": "AAAA-AAAA-AAAA-AAAA"}),
    ]
    codes = [(answer.status_code, answer.json()["error"]["code"]) for answer in answers]
    assert codes == [(403, "founding_code_missing"), (403, "wrong_founding_code")]
    assert messages(it) == 0


@pytest.mark.slow
def test_the_code_stays_over_restarts_founds_once_and_is_gone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    file = FoundingNote(home / "founding.json")
    with venue(home, ingest=False) as it:
        terms = file.terms()
        assert terms is not None
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
        wait_for("the code is shown", lambda: it.up_log().count(terms.code) == 1)
    with venue(home, ingest=False) as it:
        assert file.terms() == terms, "nobody has to look for another"
        wait_for("it is shown again", lambda: it.up_log().count(terms.code) == 2)
        _found_from_elsewhere(it, terms.code, tmp_path / "elsewhere")
        wait_for("the code is gone", lambda: not file.path.exists(), GONE_WITHIN_S)
        venue_says = httpx.get(f"{it.url}/api/v1/venue").json()
        assert venue_says["notary_key"] == terms.notary_key
        assert it.run("init", "Again", check=False).returncode == 1
    kept = [*(home / "logs").iterdir(), *(home / "nats").rglob("*.blk")]
    assert kept
    assert [one for one in kept if terms.code.encode() in one.read_bytes()] == []


def _found_from_elsewhere(it: Venue, code: str, home: Path) -> None:
    """Found by the CLI in another folder, as from another machine: with the code typed in."""
    there = Venue(home, ingest=False)
    there.environment["EVERYTHING_URL"] = it.url
    for words, said in (
        ([], "no founding code in"),
        (["--code", "AAAA-BBBB-CCCC-DDDD"], "wrong_founding_code"),
    ):
        done = there.run("init", "My venue", *words, check=False)
        assert done.returncode == 1
        assert said in done.stderr
    there.run("init", "My venue", "--code", code.lower())


def test_a_code_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    file = FoundingNote(tmp_path / "founding.json")
    first = file.ensure("UNOTARY")
    assert file.ensure("UNOTARY") == first
    file.path.chmod(0o644)
    second = file.ensure("UNOTARY")
    assert second.code != first.code
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert file.ensure("UOTHER").code != second.code, "a code is for one notary"
    file.path.write_text("{")
    assert file.terms() is None
    file.remove()
    file.remove()
    assert file.terms() is None


def test_a_home_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    monkeypatch.setattr(os, "geteuid", lambda: home.stat().st_uid + 1)
    with pytest.raises(NotOurs, match="run it as its owner"), lock(home, print):
        pass
    assert not (home / "lock").exists()


def test_the_lock_is_its_owners_alone_whatever_it_was(tmp_path: Path) -> None:
    (tmp_path / "lock").touch(mode=0o644)
    before = os.umask(0o022)
    try:
        with lock(tmp_path, print):
            assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600
            (tmp_path / "file").touch()
            assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
        (tmp_path / "later").touch()
        assert stat.S_IMODE((tmp_path / "later").stat().st_mode) == 0o644
    finally:
        os.umask(before)


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch()
    home = tmp_path / "home"
    home.mkdir()
    (home / "lock").symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic links"), lock(home, print):
        pass


def test_keys_that_others_could_read_are_tightened_and_named(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    (keys / "accounts").mkdir(parents=True)
    seen = keys / "accounts" / "alice.nk"
    seen.touch(mode=0o644)
    (keys / "root.nk").touch(mode=0o600)
    for one in (keys, keys / "accounts"):
        one.chmod(0o755)
    said: list[str] = []
    private.claim_keys(keys, said.append)
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (keys, seen.parent, seen)]
    assert modes == [0o700, 0o700, 0o600]
    assert len(said) == 1
    assert "keys/accounts/alice.nk" in said[0]
    assert "root.nk" not in said[0]
    private.claim_keys(keys, said.append)
    assert len(said) == 1
    (keys / "root.nk").unlink()
    (keys / "root.nk").symlink_to(seen)
    with pytest.raises(NotOurs, match="is a link"):
        private.claim_keys(keys, said.append)
