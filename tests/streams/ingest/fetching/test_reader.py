"""The reader's process: it reads as this one would, and may die of a document."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.ingest import limits
from streams.ingest.sources.model import Document
from streams.ingest.sources.reader import DocumentReader, read_here
from tests.streams.ingest.fetching.web import fails, feed

URL = "https://a.example/"
GOOD = Document(url=URL, body=feed(("One", "/1"), ("Two", "/2")).body)
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
