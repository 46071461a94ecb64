"""Every message that ever was decodes, and encodes to the same bytes."""

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from schemas import registry
from schemas.codec import Codec, encode, tag_of
from schemas.registry import REGISTRY
from tests.schemas import golden

TAG = re.compile(r"[a-z][a-z0-9_]*/[1-9][0-9]*")
LINES = golden.lines()


def test_every_tag_is_a_name_and_a_version() -> None:
    assert [tag for tag in REGISTRY if not TAG.fullmatch(tag)] == []


def test_no_two_messages_share_a_tag() -> None:
    members = (
        registry.COMMANDS
        + registry.ENVELOPES
        + registry.DECISIONS
        + registry.OBSERVATIONS
        + registry.EVENTS
    )
    counts = Counter(tag_of(member) for member in members)
    assert [tag for tag, count in counts.items() if count > 1] == []
    assert len(REGISTRY) == len(members)


def test_every_tag_has_golden_bytes_and_every_golden_a_tag() -> None:
    golden_tags = {golden.tag(line) for line in LINES}
    assert set(REGISTRY) - golden_tags == set(), "run: python -m tests.schemas.golden --add"
    assert golden_tags - set(REGISTRY) == set(), "a message type is gone that logs may hold"


@pytest.mark.parametrize("line", LINES, ids=[golden.tag(line) for line in LINES])
def test_golden_bytes(line: bytes) -> None:
    codec: Codec[object] = Codec(REGISTRY[golden.tag(line)])
    assert encode(codec.decode(line)) == line


def test_golden_file_has_only_ever_grown() -> None:
    git = shutil.which("git")
    if git is None:
        return  # a source archive has no past to compare with
    root = golden.PATH.parents[2]
    name = golden.PATH.relative_to(root).as_posix()

    def run(*args: str) -> bytes:
        return subprocess.run([git, *args], cwd=root, capture_output=True, check=False).stdout

    for commit in run("log", "--format=%H", "--", name).decode().split():
        # two branches may each have added lines, so those of one need not stand together
        now = iter(LINES)
        then = run("show", f"{commit}:{name}").splitlines()
        assert all(line in now for line in then), f"lines of {commit} were changed"


def test_adding_leaves_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_bytes(LINES[0] + b"\n")
    monkeypatch.setattr(golden, "PATH", path)
    added = golden.add()
    assert golden.tag(LINES[0]) not in added
    assert len(added) == len(REGISTRY) - 1
    assert path.read_bytes().startswith(LINES[0] + b"\n")
    assert golden.add() == []
