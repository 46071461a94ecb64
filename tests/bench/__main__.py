"""`make bench`: run every benchmark and write the figures into docs/explanation/performance.md.

Each benchmark is a process of its own and prints markdown tables; what it prints is what
is written, between markers, so the words around the tables stay as people wrote them.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "performance.md"
MODULES = (
    "path",
    "fair",
    "log",
    "door",
    "http",
    "verify",
    "flip",
    "rebuild",
    "travel",
    "book",
    "measuring",
    "tone",
    "search",
    "reality",
)
WITHIN_S = 1_800


def run(name: str) -> str:
    """Run one benchmark and return the tables that it printed."""
    module = f"tests.bench.bench_{name}"
    print(f"==> {module}", flush=True)
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=WITHIN_S,
        check=True,
    )
    print(done.stdout, f"({time.monotonic() - started:.0f} s)", flush=True)
    return done.stdout.strip()


def write(name: str, tables: str) -> None:
    """Put `tables` between the markers of `name`."""
    day = time.strftime("%Y-%m-%d")
    command = f"`python -m tests.bench.bench_{name}`, {day}"
    text = PAGE.read_text()
    start, end = f"<!-- bench {name} -->", f"<!-- end {name} -->"
    block = f"{start}\n{command}\n\n{tables}\n{end}"
    replaced, count = re.subn(
        f"{re.escape(start)}.*?{re.escape(end)}", lambda _: block, text, flags=re.DOTALL
    )
    if count != 1:
        raise SystemExit(f"{PAGE.name} has no place for {name}")
    PAGE.write_text(replaced)


def main() -> None:
    """Run the benchmarks that the command line names, or all."""
    for name in sys.argv[1:] or MODULES:
        write(name, run(name))


if __name__ == "__main__":
    main()
