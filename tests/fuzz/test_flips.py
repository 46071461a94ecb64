"""One flipped bit anywhere on a log or in an archive is found, and its place named."""

import random
from pathlib import Path

import pytest

from replay.archive.segments_check import check as check_archive
from schemas.errors import ArchiveDamaged
from tests.fuzz.flips import flips
from tests.replay.archive.archives import archived
from tests.replay.venue import history
from tests.replay.verify.checking import check

PLACES = 100


@pytest.mark.slow
def test_every_flipped_bit_is_found_and_its_place_named() -> None:
    messages = history(40)
    assert check(messages).exit_code == 0
    kinds: set[str] = set()
    for flip in flips(messages, PLACES, seed=4):
        where = f"byte {flip.byte} of {flip.sequence} on {flip.subject}: {flip.report.findings}"
        assert flip.found, where
        assert flip.named, where
        kinds.add(flip.subject.split(".")[1])
    assert kinds == {"cmd", "obs", "evt"}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["flip", "cut"])
def test_a_damaged_archive_is_not_restored_and_the_file_is_named(how: str, tmp_path: Path) -> None:
    folder = archived(history(40), tmp_path)
    whole = {path: path.read_bytes() for path in sorted(folder.path.iterdir())}
    assert len(whole) > 3
    good = check_archive(folder)
    dice = random.Random(5)
    for path in dice.choices(list(whole), [len(data) for data in whole.values()], k=PLACES):
        damaged = bytearray(whole[path])
        place = dice.randrange(len(damaged))
        if how == "flip":
            damaged[place] ^= 1 << dice.randrange(8)
        else:
            del damaged[place:]
        path.write_bytes(damaged)
        with pytest.raises(ArchiveDamaged, match=path.name.split(".")[0]):
            check_archive(folder)
        path.write_bytes(whole[path])
    assert check_archive(folder) == good
