"""The table of jobs: a row as its last message leaves it, wherever the log is cut into batches."""

import asyncio
from itertools import permutations

import pytest

from projections.limits import PROJECT_BATCH_RECORDS
from projections.store import checkpoint
from projections.store.observed import read_observation
from projections.store.projection import collect
from projections.tables.jobs import PROJECTION
from schemas.codec import encode
from schemas.jobs import job_name
from schemas.stored import Stored
from tests.projections.news import UNKNOWN_SOURCE, fetched, given_up
from tests.projections.reading import project_all, rows
from tests.projections.story import Story, told
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def story() -> Story:
    return told(seed=5, records=10)


@pytest.fixture(scope="module", params=[1, 3, PROJECT_BATCH_RECORDS], ids="batches of {}".format)
def dsn(request: pytest.FixtureRequest, postgres: PostgresServer, story: Story) -> str:
    name = postgres.new_database()

    async def project() -> None:
        await project_all(story.scribe.server, name)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checkpoint, "PROJECT_BATCH_RECORDS", request.param)
        asyncio.run(project())
    return name


async def test_a_job_stands_as_the_last_word_on_it_says(dsn: str, story: Story) -> None:
    source = story.news.sources[0]
    found = {row["url"].rpartition("/")[2]: row for row in rows(dsn, "TABLE jobs")}
    assert {path: row["status"] for path, row in found.items()} == {
        "dead": "dead",
        "retried": "retried",
        "done": "done",
        "again": "dead",
    }
    for path, row in found.items():
        assert row["job"] == job_name(source, f"https://{source}.test/{path}")
        assert (row["source"], row["what"], row["queue"]) == (source, "page", "page")
        assert (row["title"], row["wanted_by"]) == ("It\ufffd rains", "robot")
        letter = story.scribe.server.get(row["given_up"])
        assert letter is not None and letter.subject == f"main.obs-job.{source}"
        assert (row["retried_by"] == "KEY1") == (path != "dead")
        assert row["retry_reason"] == ("the site is back" if path != "dead" else None)
    assert {path: row["reason"] for path, row in found.items() if row["status"] == "dead"} == {
        "dead": "unreachable",
        "again": "robots",
    }
    assert found["done"]["sequence"] > found["done"]["given_up"]
    assert found["again"]["sequence"] == found["again"]["given_up"]


async def test_what_was_never_given_up_has_no_row(dsn: str) -> None:
    assert rows(dsn, f"SELECT * FROM jobs WHERE source = '{UNKNOWN_SOURCE}'") == []
    assert rows(dsn, "SELECT * FROM jobs WHERE url LIKE '%at-once' OR what = 'source'") == []


def test_polls_that_fail_change_no_row() -> None:
    """100 sources that are polled each minute say 144,000 times a day how that went."""
    polls = [
        read_observation(Stored(at, "main.obs-fetch.wire", encode(fetched("wire", kind, at))))
        for at, kind in enumerate(["failed", "refused"], 1)
    ]
    assert collect([PROJECTION], polls) == []


def test_within_a_batch_the_later_message_has_the_last_word() -> None:
    letter = given_up("wire", "feed", 5)
    done = fetched("wire", "fetched", 6)
    assert letter.url == done.url
    for first, second in permutations([letter, done]):
        batch = [
            read_observation(Stored(at, "main.obs-job.wire", encode(one)))
            for at, one in enumerate([first, second], 1)
        ]
        put, patch = collect([PROJECTION], batch)
        assert put.rows[0][-1] == (1 if first is letter else 2)
        assert patch.rows[0][-1] == (1 if first is done else 2)
        # the patch comes last, and only changes a row that an earlier message wrote
        assert "t.sequence < s.sequence" in (patch.statement.sql or "")
