"""The README is short, and what it shows is what the quickstart runs."""

import re
from typing import Final

from tests.house.source import ROOT

MAX_LINES: Final = 120
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
QUICKSTART: Final = (ROOT / "docs" / "tutorials" / "quickstart.md").read_text(encoding="utf-8")


def test_it_is_short() -> None:
    assert README.count("\n") <= MAX_LINES


def test_its_commands_are_run_as_the_quickstarts() -> None:
    shown = re.findall(r"^everything .+$", README, re.MULTILINE)
    assert len(shown) >= 5
    assert [command for command in shown if f"$ {command}\n" not in QUICKSTART] == []


def test_it_says_what_stands_at_its_end() -> None:
    assert "clean: all of it had to be as it is" in README
    assert "clean: all of it had to be as it is" in QUICKSTART
