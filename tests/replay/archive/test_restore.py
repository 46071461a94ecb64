"""What an archive restores is the log that was archived, or nothing at all."""

import asyncio
from pathlib import Path

import pytest

from replay.archive.restore import restore
from replay.archive.segments import SegmentFolder
from replay.archive.segments_check import Archive, check
from schemas.errors import Fenced, InputError
from schemas.stored import Stored
from tests.replay.archive.archives import archive, archived
from tests.replay.venue import HostedVenue, history, server_with
from tests.replay.verify.checking import check_server
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import simulate


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Return the archive of a venue at rest, whose last message is a seal."""
    return check(archived(history(), tmp_path_factory.mktemp("whole")))


def restored(found: Archive, server: SimulatedServer) -> list[Stored]:
    end = simulate(restore(server.connect("restorer"), found))
    messages = server.messages()
    assert end == len(messages)
    return messages


def test_the_whole_log_of_a_venue_at_rest_comes_back(whole: Archive) -> None:
    messages = restored(whole, SimulatedServer())
    assert tuple(messages) == history()
    before, after = check_server(server_with(history())), check_server(server_with(messages))
    assert (after.exit_code, after.chain, after.account) == (0, before.chain, before.account)
    assert after.engines == before.engines


def test_an_unsealed_end_comes_back_too(tmp_path: Path) -> None:
    part = history()[:260]
    assert restored(check(archived(part, tmp_path, unsealed=True)), SimulatedServer()) == list(part)


@pytest.mark.parametrize("there", [1, 40, 299, 548, 549])
def test_what_was_broken_off_goes_on(whole: Archive, there: int) -> None:
    server = server_with(history()[:there])
    assert tuple(restored(whole, server)) == history()


@pytest.mark.parametrize("place", [1, 100, 260])
def test_a_log_of_another_is_refused_and_not_touched(whole: Archive, place: int) -> None:
    messages = list(history()[:260])
    messages[place - 1] = messages[place - 1]._replace(payload=b"{}")
    server = server_with(messages)
    with pytest.raises(InputError, match=f"sequence {place} on"):
        restored(whole, server)
    assert server.messages() == messages


def test_a_log_that_holds_more_is_refused(whole: Archive) -> None:
    messages = [*history(), Stored(len(history()) + 1, "main.cmd.order.someone", b"{}")]
    with pytest.raises(InputError, match="more than the archive"):
        restored(whole, server_with(messages))


def test_who_appends_meanwhile_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replay.archive.restore.MAX_ATOMIC_BATCH", 50)
    whole = check(archived(history(), tmp_path))
    server = SimulatedServer()

    def intrude(at: int, last: int) -> None:
        if at == 100:
            server.store([(server.messages()[-1].subject, b"{}")])

    with pytest.raises(Fenced):
        simulate(restore(server.connect("restorer"), whole, intrude))
    assert server.messages()[:100] == list(history()[:100])
    assert server.last_sequence == 101


def test_batches_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replay.archive.restore.RESTORE_BATCH_BYTES", 2_000)
    whole = check(archived(history(), tmp_path))
    server = SimulatedServer()
    steps: list[int] = []
    simulate(restore(server.connect("restorer"), whole, lambda at, _: steps.append(at)))
    assert tuple(server.messages()) == history()
    assert len(steps) > 100


def test_a_venue_lives_on_from_its_archive(tmp_path: Path) -> None:
    """Engines take office on what was restored, and the archive of it goes on."""
    folder = archived(history(), tmp_path)
    server = SimulatedServer()
    restored(check(folder), server)

    async def on() -> None:
        await asyncio.sleep(20_000)  # behind all that stands there
        venue = HostedVenue(7)
        venue.server = server
        hosts = venue.hosts("third")
        server.store([("main.cmd.order.trader1", b"{}")])
        await venue.settle()
        for host in hosts:
            await host.stopped()

    simulate(on())
    assert server.last_sequence > len(history())
    assert check_server(server).exit_code == 0
    archive(server, tmp_path)
    assert check(SegmentFolder(tmp_path, "main")).last > len(history())
