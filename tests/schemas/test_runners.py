"""What a runner may report: nearly right is refused, and the field is named."""

from typing import Any

import msgspec
import pytest

from schemas.articles import snapshot_id
from schemas.limits import MAX_PUSHED_TEXT_CHARS, MAX_REPORT_ITEMS, MAX_TITLE_CHARS
from schemas.runners import ReportedItem, RunnerReport, report_problem

ITEM = ReportedItem(
    guid="1",
    link="https://a.example/1",
    title="Rain",
    text="It rains in Oslo.",
    language="en",
    published_ns=7,
    snapshot_id=snapshot_id("Rain", "It rains in Oslo."),
)
REPORT = RunnerReport(
    ticket="0" * 32,
    url="https://a.example/1",
    status=200,
    body_hash="0" * 64,
    problem="",
    detail="",
    items=[ITEM],
)


def item(**fields: Any) -> RunnerReport:
    return msgspec.structs.replace(REPORT, items=[msgspec.structs.replace(ITEM, **fields)])


def test_a_good_report_has_no_problem() -> None:
    assert report_problem(REPORT) is None
    assert report_problem(item(text="", snapshot_id="")) is None
    failed = msgspec.structs.replace(REPORT, items=[], problem="too_slow", url="", body_hash="")
    assert report_problem(failed) is None


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("ticket", {"ticket": "0" * 31}),
        ("ticket", {"ticket": "Z" * 32}),
        ("problem", {"problem": "given_up", "items": []}),
        ("problem", {"problem": "made up", "items": []}),
        ("detail", {"detail": "two\nlines"}),
        ("detail", {"detail": "x" * 301}),
        ("items", {"problem": "no_text"}),
        ("url", {"url": "javascript:alert(1)"}),
        ("url", {"url": ""}),
        ("body_hash", {"body_hash": "0" * 63}),
        ("items", {"items": [ITEM] * (MAX_REPORT_ITEMS + 1)}),
    ],
)
def test_a_field_that_does_not_hold_is_named(field: str, fields: dict[str, Any]) -> None:
    found = report_problem(msgspec.structs.replace(REPORT, **fields))
    assert found is not None and found[0] == field


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("title", {"title": "two\nlines"}),
        ("title", {"title": "x" * (MAX_TITLE_CHARS + 1)}),
        ("title", {"title": "left \u202e right"}),
        ("text", {"text": "x" * (MAX_PUSHED_TEXT_CHARS + 1)}),
        ("text", {"text": "nul\0"}),
        ("guid", {"guid": "x" * 2_049}),
        ("url", {"link": "file:///etc/passwd"}),
        ("language", {"language": "no such language"}),
        ("published_ns", {"published_ns": -1}),
        ("published_ns", {"published_ns": 2**63}),
        ("snapshot_id", {"snapshot_id": "0" * 64}),
        ("snapshot_id", {"snapshot_id": ""}),
        ("snapshot_id", {"text": ""}),
        ("snapshot_id", {"title": "Sun"}),
    ],
)
def test_an_item_that_does_not_hold_is_named(field: str, fields: dict[str, Any]) -> None:
    found = report_problem(item(**fields))
    assert found is not None and found[0] == f"items[0].{field}"
