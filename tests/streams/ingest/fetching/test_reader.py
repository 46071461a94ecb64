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
    with fails("too_large"):
        await reader.read("page", NESTED)


async def test_its_memory_is_bounded_by_the_kernel(reader: DocumentReader) -> None:
    await reader.read("rss", GOOD)
    assert reader._child is not None
    told = await asyncio.to_thread(Path(f"/proc/{reader._child.pid}/limits").read_text)
    lines = told.splitlines()
    (line,) = [one for one in lines if one.startswith("Max address space")]
    assert line.split()[3] == str(limits.MAX_READER_BYTES)


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
    assert child.cpu_times().user - before <= limits.READ_ROBOTS_S
    assert child.memory_info().rss < limits.ROBOTS_MEMORY_BYTES


@pytest.mark.parametrize("kind", [resource.RLIMIT_CPU, resource.RLIMIT_AS])
async def test_the_kernel_bounds_what_a_robots_txt_may_take(
    reader: DocumentReader, kind: int
) -> None:
    await reader.read("rss", GOOD)
    used = {
        resource.RLIMIT_CPU: sum(psutil.Process(reader.pid).cpu_times()[:2]),
        resource.RLIMIT_AS: psutil.Process(reader.pid).memory_info().vms,
    }[kind]
    more = {
        resource.RLIMIT_CPU: limits.READ_ROBOTS_S + 1,  # the kernel counts whole seconds
        resource.RLIMIT_AS: limits.ROBOTS_MEMORY_BYTES + 2**20,
    }[kind]
    await reader.read_robots(b"User-agent: *\n", PRODUCT)
    bound, _ = psutil.Process(reader.pid).rlimit(kind)
    assert used < bound <= used + more
    await reader.read("rss", GOOD)
    bound, _ = psutil.Process(reader.pid).rlimit(resource.RLIMIT_AS)
    assert bound == limits.MAX_READER_BYTES


async def test_a_robots_txt_that_ends_the_child_is_unreadable(reader: DocumentReader) -> None:
    """As the kernel would, once the bound is used up."""
    await reader.read_robots(b"User-agent: *\n", PRODUCT)
    os.kill(reader.pid, signal.SIGSTOP)
    asking = asyncio.create_task(reader.read_robots(b"User-agent: *\n", PRODUCT))
    await asyncio.sleep(0)
    os.kill(reader.pid, signal.SIGXCPU)
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
