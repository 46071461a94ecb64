"""`make release VERSION=x.y.z`: check that a release is complete, and tag it.

Checked: the tree is clean and on main, the version is that of pyproject.toml, CHANGELOG has a
dated section for it that says something, and nothing is left under Unreleased. The tag is
annotated with that section. Nothing is pushed.
"""

import datetime
import re
import subprocess
import sys
import tomllib
from typing import Final

from tests.house.source import ROOT

_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")


def section(changelog: str, heading: str) -> str | None:
    """Return what stands under `## [heading]`, None without one."""
    found = re.search(
        rf"^## \[{re.escape(heading)}\][^\n]*\n(.*?)(?=^## \[|\Z)",
        changelog,
        re.DOTALL | re.MULTILINE,
    )
    return found[1].strip() if found else None


def problems(version: str, declared: str, changelog: str, *, dirty: bool, branch: str) -> list[str]:
    """Return what keeps `version` from being released, in words."""
    found = []
    if _VERSION.fullmatch(version) is None:
        found.append(f"{version!r} is no version such as 1.2.3")
    if version != declared:
        found.append(f"pyproject.toml says {declared}")
    notes = section(changelog, version)
    dated = re.search(rf"^## \[{re.escape(version)}\] - (\S+)$", changelog, re.MULTILINE)
    if not notes:
        found.append(f"CHANGELOG.md says nothing under [{version}]")
    elif dated is None or not _is_date(dated[1]):
        found.append(f"CHANGELOG.md gives [{version}] no date")
    if section(changelog, "Unreleased"):
        found.append("CHANGELOG.md has entries under [Unreleased]")
    if dirty:
        found.append("the tree has changes that are not committed")
    if branch != "main":
        found.append(f"the branch is {branch}, not main")
    return found


def _is_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def main(version: str) -> int:
    """Tag `version`, or say why not."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    found = problems(
        version,
        declared,
        changelog,
        dirty=bool(_git("status", "--porcelain")),
        branch=_git("rev-parse", "--abbrev-ref", "HEAD"),
    )
    if _git("tag", "--list", f"v{version}"):
        found.append(f"the tag v{version} exists")
    for problem in found:
        print(f"not released: {problem}", file=sys.stderr)
    if not found:
        notes = section(changelog, version) or ""
        _git("tag", "--annotate", f"v{version}", "--message", f"v{version}\n\n{notes}")
        print(f"tagged v{version}; push it with: git push origin main v{version}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
