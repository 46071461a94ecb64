"""Archive, lose everything, restore: as a person does it, with real servers."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.log import stored_messages
from tests.support.venue import Venue, venue
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def sealed_through(it: Venue) -> int:
    seal = it.json("status")["last_seal"]
    return int(seal["through"]) if seal else 0


def archived(it: Venue, more: int) -> Any:
    """Return what the archive holds once it holds message `more`."""

    def reaches() -> Any:
        done = it.invoke("archive", "--json")
        told = json.loads(done.stdout)
        return told if told.get("messages", 0) >= more else None

    return wait_for("the archive has caught up", reaches, 60)


def alone(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `everything` where there is no venue at all."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EVERYTHING_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "deploy.cli", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )


def test_archive_export_restore(tmp_path: Path) -> None:
    archive = tmp_path / "elsewhere"
    with venue(tmp_path / "first", ingest=False) as it:
        it.run("init", "Kept venue")
        for name in ("alice", "bob"):
            it.run("account", "new", name)
        # a seal seals what was before it; on a quiet log nothing ever seals the last one
        sealable = [one for one in stored_messages(it) if one.subject != "main.evt.notary"]
        end = sealable[-1].sequence
        wait_for("all of it is sealed", lambda: sealed_through(it) >= end)
        told = archived(it, end)
        assert told["segments"] >= 1
        kept = it.json("archive", "--to", str(archive), "--all")
        root = told["root_key"]
        _check_bundles(it, tmp_path, end, root)
        shown = it.json("status")["processes"]["archiver"]
        assert shown["sequence"] >= 0
        before = it.json("verify", "--until", str(kept["messages"]))
        assert before["exit_code"] == 0
        assert it.stop() == 0
    _restore(tmp_path, archive, root, before)


def _check_bundles(it: Venue, path: Path, end: int, root: str) -> None:
    empty = path / "empty"
    empty.mkdir()
    for range_, options in ((f"1..{end}", []), (f"{end}..{end}", ["--states"])):
        bundle = path / "bundle"
        it.run("export", range_, "-o", str(bundle), *options)
        good = alone(empty, "verify", "--bundle", str(bundle), "--key", root)
        assert good.returncode == 0, good.stdout + good.stderr
        assert "PROVED" in good.stdout
        assert alone(empty, "verify", "--bundle", str(bundle)).returncode == 2
        content = bytearray(bundle.read_bytes())
        content[-40] ^= 1
        bundle.write_bytes(content)
        bad = alone(empty, "verify", "--bundle", str(bundle), "--key", root, "--json")
        assert (bad.returncode, json.loads(bad.stdout)["exit_code"]) == (1, 1)
    assert alone(empty, "verify", "--bundle", "no", "--key", root).returncode == 2
    assert list(empty.iterdir()) == []
    assert it.run("export", "1..999999", "-o", str(path / "no"), check=False).returncode == 1
    assert it.run("export", "x", "-o", str(path / "no"), check=False).returncode == 1


def _restore(path: Path, archive: Path, root: str, before: Any) -> None:
    home = path / "second"
    fresh = Venue(home, ingest=False)
    wrong = root[:-1] + ("A" if root[-1] != "A" else "B")
    home.mkdir()
    refused = fresh.run("restore", "--from", str(archive), "--key", wrong, check=False)
    assert refused.returncode == 1
    shutil.copytree(path / "first" / "keys", home / "keys")
    told = fresh.json("restore", "--from", str(archive), "--key", root)
    assert (told["root_key"], told["lost"]) == (root, [])
    again = fresh.json("restore", "--from", str(archive))
    assert again == told
    fresh.start()
    try:
        assert fresh.json("venue")["name"] == "Kept venue"
        after = fresh.json("verify", "--until", str(told["messages"]))
        assert (after["exit_code"], after["chain"]) == (0, told["chain"])
        assert told["messages"] == before["through"]
        assert after["chain"] == before["chain"]
        assert after["account"] == before["account"]
        running = fresh.run("restore", "--from", str(archive), check=False)
        assert "start_failed" in running.stderr
        fresh.run("account", "new", "cara")
        assert fresh.json("verify")["exit_code"] == 0
    finally:
        assert fresh.stop() == 0


def test_a_lost_end_is_told_and_engines_wait_for_a_person(tmp_path: Path) -> None:
    it = Venue(tmp_path / "home", ingest=False)
    it.start()
    try:
        it.run("init", "Lost venue")
        end = it.json("status")["log"]["messages"]
        told = archived(it, end)
        shutil.copytree(tmp_path / "home" / "archive", tmp_path / "old")
        it.run("account", "new", "late")
        noted = it.json("verify")
    finally:
        assert it.stop() == 0
    shutil.rmtree(it.home / "nats")
    refused = it.run("up", check=False)
    assert "is gone from the server" in refused.stderr
    shutil.rmtree(it.home / "nats")
    restored = it.json("restore", "--from", str(tmp_path / "old"))
    assert restored["messages"] >= told["messages"]
    assert any("exchange" in note for note in restored["lost"])
    with pytest.raises(AssertionError, match="halted"):
        it.start()
    assert "log_diverged" in it.up_log()
    shutil.move(it.home / "snapshots", tmp_path / "snapshots")
    shutil.rmtree(it.home / "postgres")
    # the archive of this home went on from what is lost: a fresh one is begun
    shutil.move(it.home / "archive", tmp_path / "archive")
    it.start()
    try:
        it.run("account", "new", "later")
        assert it.json("verify")["exit_code"] == 0
        _is_missed(it, noted)
        assert it.run("archive", "--all").returncode == 0
    finally:
        assert it.stop() == 0


def _is_missed(it: Venue, noted: Any) -> None:
    """The log is whole in itself; who noted its chain knows that it once went on otherwise."""

    def told(*options: str) -> Any:
        return json.loads(it.run("verify", "--json", *options, check=False).stdout)

    anchor = f"{noted['through']}:{noted['chain']}"
    found = told("--anchor", anchor)
    assert found["exit_code"] == 1
    assert {finding["kind"] for finding in found["findings"]} <= {"seal", "truncated"}
    now = told()
    kept = f"{now['through']}:{now['chain']}"
    assert told("--anchor", kept)["exit_code"] == 0
    assert told("--anchor", kept, "--anchor", anchor)["exit_code"] == 1
    for options in (("--anchor", "5"), ("--anchor", kept, "--until", "3")):
        refused = it.run("verify", *options, check=False)
        assert (refused.returncode, "bad_input" in refused.stderr) == (1, True), refused.stderr
