"""Documents that are run: fenced `console` blocks as commands with the output they show.

A line `$ …` is a command; what follows, up to the next one, is its output. `…` in it stands
for anything within the line, and on a line of its own for any number of lines. Sequences,
ids, hashes, keys and times differ from venue to venue and match any other of their kind.
"""

import re
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

ANY: Final = "…"
_FENCE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)

_KEYS: Final = (
    "sequence|last_sequence|log_sequence|cause|epoch|number|first_input|last_input|through|"
    "article|order_id|taker_order_id|maker_order_id|time_ns|client_time_ns|sequence_number"
)
VARYING: Final = (
    r"\b[0-9a-f]{64}\b",
    r"\b[0-9a-f]{16}\b",
    r"\[\d+ main\.",
    r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b",
    r"\b\d+-RAIN-2027",
    r"\bU[A-Z2-7]{55}\b",
    r"(?<=\"signature\":\")[\w-]{86}",
    r"(?<=\"locator\":\")[0-9a-f]+",
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
    r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z",
    r"^\d\d:\d\d:\d\d\.\d+",
    rf"(?<=\")(?:{_KEYS})\": ?\d+",
    r"(?<=\"event_id\": \")\d+",
    r"\b(?:message|order|order id|order_id|counter|through|article|story|at sequence|at) [\d,]+",
    r"#\d+ *",
    r"\b\d+\.\d s\b",
    r"[\d,]+ (?:of [\d,]+ )?(?:messages|records|events(?:/s)?|signed seals|terms|inputs)\b",
    r"last minute \d+ bought, \d+ sold",
    r"(?<=\|)\s+\d+ \|\s+\d+$",
)
"""What differs from venue to venue. A line that is matched has these made equal first."""

_VARIES = re.compile("|".join(f"(?:{one})" for one in VARYING))
_NUMBERED = re.compile(r"(?:message |order |article |\"cause\": |\"sequence\": )(\d+)")
_ARGUMENT = re.compile(r"(?<=read_log\.py )\d+|(?<=--from )\d+|(?<=--at )\d+")
_PROPOSAL = re.compile(r"\b[0-9a-f]{16}\b")
"""A proposal's hash as `reviews` shows it and `approve` takes it."""


class Step(NamedTuple):
    """One command of a document, the line it stands on, and the output shown for it."""

    line: int
    command: str
    output: list[str]


def steps(text: str) -> list[Step]:
    """Return all commands of a document in their order."""
    found: list[Step] = []
    for block in _FENCE.finditer(text):
        first = text.count("\n", 0, block.start()) + 2
        for number, line in enumerate(block.group(1).splitlines(), first):
            if line.startswith("$ "):
                found.append(Step(number, line[2:], []))
            else:
                assert found, f"line {number}: output before any command"
                found[-1].output.append(line.rstrip())
    return found


def difference(shown: list[str], real: list[str]) -> str | None:
    """Return how `real` output is unlike what a document shows, or None."""
    pattern = "".join(_line_pattern(line) for line in shown)
    text = "".join(_settled(line.rstrip()) + "\n" for line in real)
    if re.fullmatch(pattern, text):
        return None
    return "shown:\n" + "\n".join(shown) + "\nreal:\n" + "\n".join(real)


def _line_pattern(line: str) -> str:
    if line == ANY:
        return r"(?:.*\n)*?"
    return ".*".join(re.escape(part) for part in _settled(line).split(ANY)) + r"\n"


def _settled(line: str) -> str:
    return _VARIES.sub("#", line)


class Shell:
    """Runs a document's commands in one folder; variables that they set stay set."""

    def __init__(self, folder: Path, environment: dict[str, str], swap: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._swap = swap
        self._numbers: dict[str, str] = {}
        self._proposals: dict[str, str] = {}

    def run(self, command: str) -> tuple[int, list[str]]:
        """Run a command as a document writes it; return exit code and output, as it would."""
        for shown, real in self._swap.items():
            command = command.replace(shown, real)
        command = _ARGUMENT.sub(lambda word: self._numbers.get(word[0], word[0]), command)
        command = _PROPOSAL.sub(lambda word: self._proposals.get(word[0], word[0]), command)
        kept = self._folder / "environment"
        script = f"set -a\n{command}\nstatus=$?\nenv -0 > {kept}\nexit $status"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        pairs = (pair.partition("=") for pair in kept.read_text().split("\0") if pair)
        self._environment = {name: value for name, _, value in pairs}
        text = done.stdout
        for shown, real in self._swap.items():
            text = text.replace(real, shown)
        return done.returncode, text.strip("\n").splitlines()

    def learn(self, shown: list[str], real: list[str]) -> None:
        """Note which sequence here is which in the document, for the commands to come."""
        there = _NUMBERED.findall("\n".join(shown))
        here = _NUMBERED.findall("\n".join(real))
        if len(there) == len(here):
            self._numbers |= dict(zip(there, here, strict=True))
        proposals = zip(
            _PROPOSAL.findall("\n".join(shown)), _PROPOSAL.findall("\n".join(real)), strict=False
        )
        self._proposals |= dict(proposals)
