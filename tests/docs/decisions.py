"""The index of decisions, made from the files: `python -P -m tests.docs.decisions` writes it.

A decision's title is its first line. "Superseded by NNNN." on a line of its own says what
replaced it.
"""

import re
from pathlib import Path
from typing import Final, NamedTuple

from tests.house.source import ROOT

FOLDER: Final = ROOT / "docs" / "decisions"
INDEX: Final = FOLDER / "README.md"
_TITLE = re.compile(r"# (\d{4}) (.+)")
_SUPERSEDED = re.compile(r"^Superseded by (\d{4})\b", re.MULTILINE)
_HEAD: Final = """\
# Decisions

One file for each choice that the next engineer could ask about: what was chosen, what
else there was, why, and what would change our mind. Numbers grow, files never change
their meaning; a later decision names the one it replaces. `dependencies.md` says what each
dependency is for. This table is made by `python -P -m tests.docs.decisions`.

| | decision | state |
|---|---|---|
"""


class Decision(NamedTuple):
    """A decision's file, number, title, and the number of the one that replaced it."""

    path: Path
    number: str
    title: str
    superseded_by: str | None


def decisions() -> list[Decision]:
    """Return all decisions in order. Raises ValueError for a file without number and title."""
    found = []
    for path in sorted(FOLDER.glob("[0-9]*.md")):
        text = path.read_text(encoding="utf-8")
        title = _TITLE.match(text)
        if title is None:
            raise ValueError(f"{path.name} does not begin with its number and title")
        replaced = _SUPERSEDED.search(text)
        found.append(Decision(path, title[1], title[2], replaced[1] if replaced else None))
    return found


def index() -> str:
    """Return the text of the index."""
    rows = [
        f"| {one.number} | [{one.title}]({one.path.name}) | "
        + (f"superseded by {one.superseded_by} |" if one.superseded_by else "in force |")
        for one in decisions()
    ]
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    INDEX.write_text(index(), encoding="utf-8")
