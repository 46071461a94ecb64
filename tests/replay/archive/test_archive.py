"""The archive holds the log as it was sealed, and shows whatever is done to it."""

import asyncio
import gzip
import shutil
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from replay.archive.archiver import Archiver, Bounds
from replay.archive.segments import Frames, SegmentFolder, SegmentStart, frame
from replay.archive.segments_check import check
from schemas.chain import GENESIS_HASH
from schemas.errors import (
    ArchiveDamaged,
    GenesisMismatch,
    InputError,
    LogDiverged,
    LogUnavailable,
    NotFound,
)
from schemas.records import EVENT_MESSAGES
from schemas.stored import Stored
from schemas.subjects import NOTARY, events
from tests.engines.governance.people import BERT, ROOT
from tests.engines.governance.people import NOTARY as NOTARY_PERSON
from tests.replay.archive.archives import SMALL, archive, archived, chain_of, contents, rewrite
from tests.replay.venue import history, server_with
from tests.replay.verify.forger import flip
from tests.replay.verify.test_verify import an_order
from tests.simulated.faults import Faults, SimulatedCrash
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import VirtualClock, simulate
from tests.support.drawing import drawn


def through_last_seal() -> int:
    """Return how much of the history is sealed."""
    seals = [m for m in history() if m.subject == events("main", NOTARY)]
    return EVENT_MESSAGES.decode(seals[-1].payload).last_input


# -- what it holds -----------------------------------------------------------------------


def test_an_archive_holds_the_sealed_log(tmp_path: Path) -> None:
    messages = history()
    folder = archived(messages, tmp_path)
    found = check(folder, key=NOTARY_PERSON.key)
    assert found.sealed_through == found.last == through_last_seal()
    assert len(found.segments) > 3
    assert found.chain == chain_of(messages[: found.last])
    for segment in found.segments:
        reading = segment.read()
        held = tuple(reading)
        assert held == messages[segment.name.first - 1 : segment.name.last]
        assert reading.end.seal is not None
        record = EVENT_MESSAGES.decode(reading.end.seal.record.encode())
        assert record.last_input == segment.name.last
    assert check(folder, key=ROOT.key) == found
    with pytest.raises(InputError, match="neither"):
        check(folder, key=BERT.key)


def test_the_last_seal_comes_along_where_it_stands_next(tmp_path: Path) -> None:
    messages = history()
    place = through_last_seal()
    assert messages[place].subject == events("main", NOTARY)
    assert contents(archived(messages, tmp_path)) == list(messages[: place + 1])


def test_archiving_again_adds_only_what_is_new(tmp_path: Path) -> None:
    messages = history()
    folder = archived(messages[:300], tmp_path)
    before = [segment.path for segment in folder.sealed()]
    stamps = [path.stat().st_mtime_ns for path in before]
    archived(messages, tmp_path)
    after = folder.sealed()
    assert [segment.path for segment in after][: len(before)] == before
    assert [path.stat().st_mtime_ns for path in before] == stamps
    assert len(after) > len(before)
    assert check(folder).last == through_last_seal()


def test_the_same_log_makes_the_same_files(tmp_path: Path) -> None:
    one, other = (archived(history(), tmp_path / name) for name in "ab")
    assert [s.name for s in one.sealed()] == [s.name for s in other.sealed()]


def test_an_unsealed_end_is_marked_and_gives_way(tmp_path: Path) -> None:
    messages = history()
    cut = next(m.sequence for m in messages[250:] if m.subject != events("main", NOTARY))
    folder = archived(messages[:cut], tmp_path, unsealed=True)
    found = check(folder)
    assert found.last == cut > found.sealed_through
    assert found.tail is not None
    assert not found.tail.name.sealed
    assert contents(folder) == list(messages[:cut])
    archived(messages, tmp_path)
    assert folder.unsealed() == []
    assert check(folder).last == through_last_seal()


def test_an_unsealed_end_that_was_overtaken_is_compared_and_removed(tmp_path: Path) -> None:
    messages = history()
    late = archived(messages[:259], tmp_path / "late", unsealed=True).unsealed()[0]
    folder = archived(messages, tmp_path)  # by somebody who does not know of it
    put = shutil.copy(late.path, folder.path)
    archived(messages, tmp_path)
    assert not Path(put).exists()
    other = [*messages[:258], messages[258]._replace(payload=b"{}")]
    lying = archived(other, tmp_path / "other", unsealed=True).unsealed()[0]
    put = shutil.copy(lying.path, folder.path)
    with pytest.raises(LogDiverged, match="not what was sealed later"):
        archived(messages, tmp_path)
    assert Path(put).exists()


def test_nothing_is_archived_before_there_is_a_seal(tmp_path: Path) -> None:
    messages = history()
    first = next(m.sequence for m in messages if m.subject == events("main", NOTARY))
    with pytest.raises(NotFound):
        archived(messages[: first - 1], tmp_path)
    with pytest.raises(NotFound):
        archived([], tmp_path, unsealed=True)
    folder = archived(messages[: first - 1], tmp_path, unsealed=True)
    assert (folder.sealed(), check(folder).last) == ([], first - 1)


# -- a log that is another one now ---------------------------------------------------------


def test_a_log_that_lost_its_end_is_a_halt(tmp_path: Path) -> None:
    messages = history()
    archived(messages, tmp_path)
    for left in (list(messages[:200]), []):
        with pytest.raises(LogDiverged):
            archived(left, tmp_path)


def test_a_log_that_lost_an_unsealed_end_is_a_halt(tmp_path: Path) -> None:
    messages = history()
    folder = archived(messages[:259], tmp_path, unsealed=True)
    assert folder.unsealed()
    with pytest.raises(LogDiverged):
        archived(messages[:258], tmp_path)
    changed = [*messages[:258], messages[258]._replace(payload=b"{}"), *messages[259:]]
    with pytest.raises(LogDiverged):
        archived(changed, tmp_path)


def test_a_log_with_another_past_is_a_halt(tmp_path: Path) -> None:
    messages = history()
    archived(messages[:300], tmp_path)
    seal = check(SegmentFolder(tmp_path, "main")).seal
    assert seal is not None
    # as if the store had been cut before the seal, and gone on otherwise
    other = [*messages[: seal.sequence - 3]]
    while len(other) < 300:
        other.append(Stored(len(other) + 1, "main.cmd.order.someone", b"{}"))
    with pytest.raises(LogDiverged):
        archived(other, tmp_path)


def test_a_log_that_lost_only_what_was_not_archived_goes_on(tmp_path: Path) -> None:
    messages = history()
    folder = archived(messages[:300], tmp_path)
    last = check(folder).last
    other = [*messages[:last], Stored(last + 1, "main.cmd.order.someone", b"{}")]
    archived(other, tmp_path)
    assert check(folder).last == last


def test_a_seal_that_does_not_fit_is_a_halt(tmp_path: Path) -> None:
    messages = history()
    order = an_order(messages)
    with pytest.raises(LogDiverged, match="not what was sealed"):
        archived(flip(messages, order.sequence, 5), tmp_path)
    seal = next(m for m in messages if m.subject == events("main", NOTARY))
    for place in (40, len(seal.payload) - 10):
        with pytest.raises(LogDiverged, match=f"sequence {seal.sequence} is no good seal"):
            archived(flip(messages, seal.sequence, place), tmp_path / str(place))


def test_a_folder_of_another_venue_is_refused(tmp_path: Path) -> None:
    folder = archived(history(), tmp_path)
    for segment in folder.sealed():
        venue_id = first_line(segment.path, segment.name.first).venue_id
        rewrite(segment, venue_id.encode(), b"0" * 64)
    with pytest.raises(GenesisMismatch):
        archived(history(), tmp_path)
    with pytest.raises(ArchiveDamaged):
        check(folder)


def first_line(path: Path, first: int) -> SegmentStart:
    with gzip.open(path) as file:
        start = msgspec.json.decode(file.readline(), type=SegmentStart)
    assert start.first == first
    return start


# -- while it runs -------------------------------------------------------------------------


def test_ticks_follow_a_log_that_grows(tmp_path: Path) -> None:
    messages = history()
    server = SimulatedServer()
    folder = SegmentFolder(tmp_path, "main")

    async def run() -> None:
        bounds = Bounds(messages=10**9, bytes=10**9, after_ns=10 * 10**9)
        archiver = Archiver(server.connect("archiver"), VirtualClock(), folder, bounds)
        server.store([messages[0][1:]])
        sizes = []
        for start in range(1, len(messages), 50):
            server.store([m[1:] for m in messages[start : start + 50]])
            for _ in range(15):
                await archiver.tick()
            sizes.append(archiver.archived)
            assert len(messages[: start + 50]) - archiver.archived < 250
        assert sizes == sorted(sizes)
        assert archiver.status()["sequence"] == through_last_seal()
        await archiver.close()

    simulate(run())
    assert len(folder.sealed()) > 3
    assert check(folder).last == through_last_seal()
    assert list(tmp_path.rglob("*.partial")) == []


def test_two_archivers_share_a_folder(tmp_path: Path) -> None:
    messages = history()
    server = server_with(list(messages))
    folders = [SegmentFolder(tmp_path, "main") for _ in range(2)]

    async def run() -> None:
        both = [
            Archiver(server.connect(f"archiver{i}"), VirtualClock(), folders[i], bounds)
            for i, bounds in enumerate((SMALL, Bounds(150, 10**9, 10**15)))
        ]
        await asyncio.gather(*(one.finish() for one in both))
        for one in both:
            await one.close()

    simulate(run())
    assert check(folders[0]).last == through_last_seal()


@pytest.mark.parametrize("seed", range(5))
def test_one_that_dies_anywhere_leaves_a_good_folder(tmp_path: Path, seed: int) -> None:
    server = server_with(list(history()))
    folder = SegmentFolder(tmp_path, "main")
    crashes = 0

    async def life(points: int) -> bool:
        class Dying(Faults):
            left = points

            def at(self, name: str, point: str) -> None:
                self.left -= 1
                if self.left == 0:
                    raise SimulatedCrash

        log = server.connect("archiver", Dying())
        archiver = Archiver(log, VirtualClock(), folder, Bounds(40, 10**9, 10**15))
        try:
            await archiver.finish()
        except (SimulatedCrash, LogUnavailable):
            return False
        return True

    points = 3 + seed
    while not simulate(life(points)):
        crashes += 1
        points += 2
        for segment in folder.sealed():
            segment.check_digest()
    assert crashes > 3
    assert check(folder).last == through_last_seal()


def test_what_a_killed_archiver_left_is_removed(tmp_path: Path) -> None:
    folder = archived(history()[:300], tmp_path)
    (folder.path / "left.partial").write_bytes(b"half")
    living = folder.open_writer(SegmentStart("main", "x", 1, GENESIS_HASH))
    folder.prepare()
    assert [path.name for path in folder.path.glob("*.partial")] == [living.path.name]
    living.close()


# -- damage --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> SegmentFolder:
    return archived(history(), tmp_path_factory.mktemp("good"), unsealed=True)


@drawn(60, HealthCheck.function_scoped_fixture)
@given(data=st.data())
def test_any_flipped_bit_is_found_and_its_file_named(
    good: SegmentFolder, tmp_path: Path, data: st.DataObject
) -> None:
    segments = good.sealed() + good.unsealed()
    segment = data.draw(st.sampled_from(segments))
    content = bytearray(segment.path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    folder = copy(good, tmp_path)
    (folder.path / segment.path.name).write_bytes(content)
    with pytest.raises(ArchiveDamaged, match=f"segment {segment.name.first}-{segment.name.last}"):
        check(folder)


def copy(folder: SegmentFolder, path: Path) -> SegmentFolder:
    shutil.rmtree(path / "main", ignore_errors=True)
    shutil.copytree(folder.path, path / "main")
    return SegmentFolder(path, "main")


@pytest.mark.parametrize("part", ["payload", "subject", "chain", "seal", "signature", "sequence"])
def test_who_can_hash_cannot_forge_either(good: SegmentFolder, tmp_path: Path, part: str) -> None:
    folder = copy(good, tmp_path)
    segment = folder.sealed()[2]
    reading = segment.read()
    held = list(reading)
    order = next(m for m in held if b'"place_order/1"' in m.payload)
    seal = reading.end.seal
    assert seal is not None
    signature = EVENT_MESSAGES.decode(seal.record.encode()).signature.encode()
    old, new = {
        "payload": (order.payload, order.payload.replace(b'"place', b'"plaze')),
        "subject": (order.subject.encode(), order.subject.replace("trader", "zrader").encode()),
        "chain": (reading.end.chain.encode(), chain_of(held).encode()),
        "seal": (b'"sequence":%d,"record"' % seal.sequence, b'"sequence":1,"record"'),
        "signature": (signature, bytes(reversed(signature))),
        "sequence": (frame(order), frame(order._replace(sequence=order.sequence + 1))),
    }[part]
    rewrite(segment, old, new)
    with pytest.raises(ArchiveDamaged, match=f"segment {segment.name.first}-{segment.name.last}"):
        check(folder)


def test_a_segment_that_is_missing_is_named(good: SegmentFolder, tmp_path: Path) -> None:
    folder = copy(good, tmp_path)
    folder.sealed()[1].path.unlink()
    with pytest.raises(ArchiveDamaged, match="the segments end at"):
        check(folder)
    with pytest.raises(ArchiveDamaged):
        archive(server_with(list(history())), tmp_path)
    with pytest.raises(NotFound):
        check(SegmentFolder(tmp_path / "none", "main"))


def test_an_archiver_does_not_go_on_from_a_damaged_end(tmp_path: Path) -> None:
    folder = archived(history()[:300], tmp_path)
    last = folder.sealed()[-1]
    content = bytearray(last.path.read_bytes())
    content[-20] ^= 1
    last.path.write_bytes(content)
    with pytest.raises(ArchiveDamaged, match=str(last.name.last)):
        archived(history(), tmp_path)


@given(
    st.lists(st.tuples(st.text("abc.", min_size=1, max_size=50), st.binary(max_size=200))),
    st.integers(1, 64),
)
def test_frames_come_back_as_they_were(pairs: list[tuple[str, bytes]], chunk: int) -> None:
    messages = [Stored(i, subject, payload) for i, (subject, payload) in enumerate(pairs, 1)]
    data = b"".join(map(frame, messages)) + b"{}\n"
    frames = Frames(Dribble(data, chunk))
    read = list(iter(partial(frames.next), None))
    assert read == messages
    assert frames.line() == b"{}"
    assert frames.at_end()


class Dribble:
    """Gives a few bytes at a time, however many are asked for."""

    def __init__(self, data: bytes, chunk: int) -> None:
        self._data, self._chunk = data, chunk

    def read(self, size: int, /) -> bytes:
        some, self._data = self._data[: self._chunk], self._data[self._chunk :]
        return some
