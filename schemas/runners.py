"""What a runner elsewhere is given to fetch, and what it reports; not on the log.

A runner is a program that renders pages in a browser where none of the venue's keys are. It asks
the gateway for work over HTTP, by a secret of its own (`schemas/services.py`), and the gateway asks
the desk, the process that has the browser's queue.
"""

import re
from typing import Final, Literal

import msgspec

from schemas.articles import snapshot_id
from schemas.limits import (
    MAX_DETAIL_CHARS,
    MAX_PUSHED_TEXT_CHARS,
    MAX_REPORT_ITEMS,
    MAX_TITLE_CHARS,
    MAX_URL_CHARS,
)
from schemas.observations import FetchProblem
from schemas.pushes import claim_problem
from schemas.sources import Source, url_problem
from schemas.texts import is_line

RUNNERS: Final = "runners"
"""The service that is asked, see `subjects.ask`."""

_TICKET: Final = re.compile(r"[0-9a-f]{32}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_PROBLEMS: Final = frozenset(FetchProblem) - {FetchProblem.GIVEN_UP}
"""A runner fails; that a job is given up the venue says."""


class RunnerJob(msgspec.Struct, frozen=True, kw_only=True):
    """Render `url` for `source`, and read it as its document of links if `links`, else as a page.

    `ticket` is good for one report.
    """

    ticket: str
    source: Source
    url: str
    links: bool


class ReportedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One article, or the link to one.

    `snapshot_id` is that of title and text, empty without a text.
    """

    guid: str
    link: str
    title: str
    text: str
    language: str
    published_ns: int | None
    snapshot_id: str


class RunnerReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a job: the items of the rendered document, or the FetchProblem that it met.

    `url` is where redirects led, `status` that answer's, `body_hash` the SHA-256 of the document
    after its scripts had run; empty and 0 without one.
    """

    ticket: str
    url: str
    status: int
    body_hash: str
    problem: str
    detail: str
    items: list[ReportedItem]


class WorkAsked(msgspec.Struct, frozen=True, tag="work"):
    """Is there anything to do for `runner`?"""

    runner: str


class ReportGiven(msgspec.Struct, frozen=True, tag="report"):
    """`runner` reports."""

    runner: str
    report: RunnerReport


class DeskTold(msgspec.Struct, frozen=True):
    """A job for who asked, None if there is none; whether a report was of a job of the runner's.

    `problem` says why there is neither.
    """

    job: RunnerJob | None = None
    taken: bool = False
    problem: Literal["", "busy", "failed"] = ""


def report_problem(report: RunnerReport) -> tuple[str, str] | None:
    """Return which field of `report` is wrong and what is wrong with it, or None."""
    if not _TICKET.fullmatch(report.ticket):
        return "ticket", "32 hex characters, as the job came with"
    if report.problem and report.problem not in _PROBLEMS:
        return "problem", "a problem of a fetch, or empty"
    if report.detail and not is_line(report.detail, MAX_DETAIL_CHARS):
        return "detail", f"one line of at most {MAX_DETAIL_CHARS} printable characters"
    if report.problem:
        return None if not report.items else ("items", "what failed has none")
    if (wrong := url_problem(report.url)) is not None:
        return "url", wrong
    if not _SHA256.fullmatch(report.body_hash):
        return "body_hash", "a SHA-256 in hex"
    if len(report.items) > MAX_REPORT_ITEMS:
        return "items", f"at most {MAX_REPORT_ITEMS}"
    for place, item in enumerate(report.items):
        if (found := _item_problem(item)) is not None:
            return f"items[{place}].{found[0]}", found[1]
    return None


def _item_problem(item: ReportedItem) -> tuple[str, str] | None:
    lines = (
        ("guid", item.guid, MAX_URL_CHARS),
        ("title", item.title, MAX_TITLE_CHARS),
        ("text", item.text, MAX_PUSHED_TEXT_CHARS),
    )
    for name, text, most in lines:
        if text and not is_line(text, most):
            return name, f"one line of at most {most} printable characters"
    wanted = snapshot_id(item.title, item.text) if item.text else ""
    if item.snapshot_id != wanted:
        return "snapshot_id", "not the SHA-256 of this title and text"
    return claim_problem(item.link, item.language, item.published_ns)
