"""What keeps a version from being released."""

import pytest

from tests.release.__main__ import problems, section

CHANGELOG = """\
# Changelog

## [Unreleased]

## [1.2.3] - 2026-11-30

### Added

- Something.

## [1.2.2] - 2026-11-01

- Less.
"""


def found(changelog: str = CHANGELOG, *, dirty: bool = False, branch: str = "main") -> list[str]:
    return problems("1.2.3", "1.2.3", changelog, dirty=dirty, branch=branch)


def test_a_complete_release_has_no_problem() -> None:
    assert found() == []
    assert section(CHANGELOG, "1.2.3") == "### Added\n\n- Something."


@pytest.mark.parametrize(
    ("changelog", "said"),
    [
        (CHANGELOG.replace("## [1.2.3]", "## [1.2.4]"), "says nothing"),
        (CHANGELOG.replace("### Added\n\n- Something.\n", ""), "says nothing"),
        (CHANGELOG.replace(" - 2026-11-30", ""), "no date"),
        (CHANGELOG.replace("2026-11-30", "soon"), "no date"),
        (CHANGELOG.replace("[Unreleased]\n", "[Unreleased]\n\n- More.\n"), "Unreleased"),
    ],
)
def test_a_changelog_that_is_not_ready_is_named(changelog: str, said: str) -> None:
    (problem,) = found(changelog)
    assert said in problem


def test_tree_branch_and_version_are_looked_at() -> None:
    assert found(dirty=True) == ["the tree has changes that are not committed"]
    assert found(branch="try") == ["the branch is try, not main"]
    assert problems("1.2", "1.2.3", CHANGELOG, dirty=False, branch="main")[0].startswith("'1.2'")
