"""The reader's process: it reads as this one would, and may die of a document."""

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from streams.ingest import limits
from streams.ingest.fetching.http import Agent
from streams.ingest.fetching.robots_file import read_robots
from streams.ingest.sources.model import Document
from streams.ingest.sources.reader import DocumentReader, read_here
from tests.streams.ingest.fetching.web import fails, feed

URL = "https://a.example/"
GOOD = Document(url=URL, body=feed(("One", "/1"), ("Two", "/2")).body)
PRODUCT = Agent().product
PAGE = Document(
    url=URL,
    body=b"<title>Strike ends</title><nav>Menu</nav><article>"
    + b"<p>The <b>strike</b> of the crane drivers has ended after nine days of talks.</p>" * 9,
)
NESTED = Document(url=URL, body=b"<div>" * 400_000)
"""Takes the parser minutes: each element looks through all that are open."""


@pytest.fixture
async def reader() -> AsyncIterator[DocumentReader]:
    it = DocumentReader()
    yield it
    await it.close()


async def test_it_reads_as_this_process_would(reader: DocumentReader) -> None:
    assert await reader.read("rss", GOOD) == await read_here("rss", GOOD)
    assert await reader.read("rss", GOOD) == await read_here("rss", GOOD)


async def test_its_problems_are_those_of_the_document(reader: DocumentReader) -> None:
    with fails("bad_xml"):
        await reader.read("rss", Document(url=URL, body=b"<rss>"))
    with fails("no_text"):
        await reader.read("page", Document(url=URL, body=b""))


async def test_many_at_once_do_not_get_each_others_items(reader: DocumentReader) -> None:
    documents = [Document(url=URL, body=feed((f"T{n}", f"/{n}")).body) for n in range(20)]
    found = await asyncio.gather(*[reader.read("rss", one) for one in documents])
    assert [items[0].title for items in found] == [f"T{n}" for n in range(20)]


async def test_a_document_that_takes_for_ever_is_ended_and_the_next_is_read(
    reader: DocumentReader,
) -> None:
    await reader.read("rss", GOOD)
    reader.wall_s = 1
    with fails("too_large"):
        await reader.read("page", NESTED)
    reader.wall_s = limits.READ_WALL_S
    with pytest.raises(asyncio.CancelledError):
        await _cancelled(reader)
    assert await reader.read("rss", GOOD) == await read_here("rss", GOOD)


async def _cancelled(reader: DocumentReader) -> None:
    reading = asyncio.create_task(reader.read("page", NESTED))
    await asyncio.sleep(0.2)
    reading.cancel()
    await reading


@pytest.mark.slow
async def test_a_document_may_take_so_much_processor_time(reader: DocumentReader) -> None:
    await reader.read("rss", GOOD)
    before_s = _seconds_of_children()
    with fails("too_large"):
        await reader.read("page", NESTED)
    started_s = 1  # of starting the child, which is counted with it once it has ended
    assert limits.READ_S <= _seconds_of_children() - before_s <= limits.READ_S + started_s


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def test_its_memory_is_bounded_by_the_kernel(reader: DocumentReader) -> None:
    await reader.read("rss", GOOD)
    child = psutil.Process(reader.pid)
    assert child.rlimit(resource.RLIMIT_AS) == (limits.MAX_READER_BYTES, limits.MAX_READER_BYTES)
    await reader.read("page", PAGE)
    assert child.memory_info().vms < limits.MAX_READER_BYTES / 2, "and a page needs little of it"


async def test_it_has_loaded_trafilatura_and_no_numpy(reader: DocumentReader) -> None:
    """With numpy and its threads, half of the memory is gone."""
    await reader.read("rss", GOOD)
    maps = await asyncio.to_thread(Path(f"/proc/{reader.pid}/maps").read_text)
    assert "lxml" in maps and "numpy" not in maps


async def test_a_page_reads_the_same_whatever_was_read_before(reader: DocumentReader) -> None:
    first = await reader.read("page", PAGE)
    for n in range(3):
        body = b"<article>" + b"<p>Other news of the day, and some more of it.</p>" * (n + 10)
        await reader.read("page", Document(url=URL, body=body))
    assert await reader.read("page", PAGE) == first == await read_here("page", PAGE)


async def test_a_child_that_keeps_much_is_replaced(reader: DocumentReader) -> None:
    await reader.read("rss", GOOD)
    first = reader.pid
    # trafilatura remembers lines, however long they are
    long = b"<article><p>" + b"Ships wait in the harbour. " * 60_000
    await reader.read("page", Document(url=URL, body=long))
    assert await reader.read("page", PAGE) == await read_here("page", PAGE)
    assert reader.pid != first


async def test_it_reads_a_robots_txt(reader: DocumentReader) -> None:
    text = b"User-agent: EverythingMarketBot/1.0\nCrawl-delay: 5\nAllow: /*a$\nDisallow: /\n"
    found = await reader.read_robots(text, PRODUCT)
    assert found == read_robots(text, PRODUCT)
    assert await reader.read("rss", GOOD) == await read_here("rss", GOOD)


async def test_a_robots_txt_of_groups_times_rules_costs_little(reader: DocumentReader) -> None:
    """103 kB of it took 71 processor seconds and 853 MB, in the loop that fetches."""
    names = "".join(f"User-agent: b{n:05}\n" for n in range(2_600))
    text = names + "".join(f"Disallow: /{n}\n" for n in range(4_000))
    assert len(text) > 100_000
    await reader.read_robots(b"User-agent: *\n", PRODUCT)
    child = psutil.Process(reader.pid)
    before, turns = child.cpu_times().user, 0

    async def turning() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(turning())
    assert (await reader.read_robots(text.encode(), PRODUCT)).allows(f"{URL}1")
    other.cancel()
    assert turns > 1, "the loop goes on meanwhile"
    assert child.cpu_times().user - before <= limits.READ_S
    assert child.memory_info().rss < limits.MAX_READER_BYTES


async def test_a_robots_txt_that_ends_the_child_is_unreadable(reader: DocumentReader) -> None:
    """As the kernel would, once the bound is used up."""
    await reader.read_robots(b"User-agent: *\n", PRODUCT)
    os.kill(reader.pid, signal.SIGSTOP)
    asking = asyncio.create_task(reader.read_robots(b"User-agent: *\n", PRODUCT))
    await asyncio.sleep(0)
    os.kill(reader.pid, signal.SIGPROF)
    os.kill(reader.pid, signal.SIGCONT)
    with fails("too_large"):
        await asking
    assert await reader.read("rss", GOOD) == await read_here("rss", GOOD)


async def test_the_child_gets_nothing_of_the_environment(
    reader: DocumentReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    await reader.read("rss", GOOD)
    assert set(psutil.Process(reader.pid).environ()) <= {"PYTHONPATH", "LC_CTYPE"}


async def test_a_child_that_was_killed_is_replaced(reader: DocumentReader) -> None:
    await reader.read("rss", GOOD)
    child = reader._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()
    assert await reader.read("rss", GOOD) == await read_here("rss", GOOD)


async def test_it_ends_with_its_parent() -> None:
    """The pipe's end is all that it hears of a parent that was killed."""
    reader = DocumentReader()
    await reader.read("rss", GOOD)
    child = reader._child
    assert child is not None and child.stdin is not None
    child.stdin.close()
    async with asyncio.timeout(10):
        assert await child.wait() == 0
