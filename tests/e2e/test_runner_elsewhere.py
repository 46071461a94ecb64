"""A whole venue without a browser, and a runner that has nothing of it but a secret.

A page that only scripts show is observed, one that is missing becomes a dead letter, and a
person has it tried again once it is there.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.streams.ingest.fetching.test_rendering import needs_chromium
from tests.support.chromium import IS_SANDBOX_REFUSED
from tests.support.news import Document, News, news
from tests.support.venue import Venue
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), needs_chromium]

WITHIN_S = 180
TEXT = "Something happened today in the harbour, and many people saw it happen."


def scripted(statement: str) -> Document:
    body = f"<html><body><div id=root></div><script>{statement}</script></body></html>"
    return Document(body.encode())


@pytest.fixture
def web() -> Iterator[News]:
    with news() as it:
        links = "".join(f"<a href=/{name}>{name}</a> " for name in ("here", "later"))
        it.serve("/", scripted(f"document.getElementById('root').innerHTML = '{links}'"))
        it.serve("/here", page("Here"))
        yield it


def page(title: str) -> Document:
    shown = f"<article><p>{TEXT}</p></article>"
    return scripted(
        f"document.title = '{title}'; document.getElementById('root').innerHTML = '{shown}'"
    )


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    it = Venue(tmp_path / "data")
    it.environment["EVERYTHING_RENDER"] = "elsewhere"
    it.start()
    try:
        yield it
    finally:
        it.stop()


@pytest.fixture
def runner(venue: Venue, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a runner in a folder of its own, with no variable that names the venue's home."""
    secret = venue.json("runner-key", "new", "far-away")["secret"]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    own = {"EVERYTHING_RUNNER_SECRET": secret}
    if IS_SANDBOX_REFUSED:
        own["EVERYTHING_BROWSER_UNSANDBOXED"] = "1"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-P", "-m", "deploy.cli", "runner", "--url", venue.url]
    with (tmp_path / "runner.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--name", "far-away"],
            cwd=elsewhere,
            env={**kept, **own},
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0, (tmp_path / "runner.log").read_text()
    assert list(elsewhere.iterdir()) == [], "it writes nothing where it runs"


def titles(venue: Venue) -> list[str]:
    return [one["title"] for one in venue.json("articles")]


def jobs(venue: Venue) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = venue.json("jobs")
    return found


def counted(venue: Venue) -> int:
    """Return how many jobs wait for a browser, as the scheduler counted them last."""
    found: int = venue.json("status")["processes"]["scheduler"]["waiting_browser"]
    return found


def test_a_page_is_rendered_elsewhere_and_one_that_was_missing_is_tried_again(
    venue: Venue, web: News, runner: "subprocess.Popen[bytes]"
) -> None:
    venue.run("init", "Newsroom")
    venue.run(
        "admin", "add-source", "site", "--name", "Site", "--url", f"{web.url}/", "--kind",
        "browser", "--link-selector", "a", "--allow-loopback", "--crawl-delay", "0",
        "--poll-interval", "600",
    )  # fmt: skip
    wait_for("the page is observed", lambda: titles(venue) == ["Here"], WITHIN_S)
    wait_for("the other one is given up", lambda: len(jobs(venue)) == 1, WITHIN_S)
    (dead,) = jobs(venue)
    assert (dead["status"], dead["reason"], dead["http_status"]) == ("dead", "http_status", 404)
    assert (dead["url"], dead["queue"]) == (f"{web.url}/later", "browser")
    names = {child.name() for child in psutil.Process(venue.up_pid).children(recursive=True)}
    assert not [name for name in names if "chrom" in name], "no browser runs where the keys are"
    wait_for("none waits", lambda: counted(venue) == 0, WITHIN_S)
    web.serve("/later", page("Later"))
    venue.run("admin", "retry-job", dead["job"], "--reason", "it is there now")
    wait_for("it is done", lambda: jobs(venue)[0]["status"] == "done", WITHIN_S)
    assert titles(venue) == ["Later", "Here"]
    assert jobs(venue)[0]["retry_reason"] == "it is there now"
    assert runner.poll() is None
