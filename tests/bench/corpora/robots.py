"""google/robotstxt's own checks, read out of its robots_test.cc and asked of our parser.

Only what the checks need of C++ is understood: strings with names, and calls of
`IsUserAgentAllowed`. A test that makes its strings in a loop is counted and left out.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.bench.corpora.reading import Bounds, CorpusReader, table

_TOKEN: Final = re.compile(r'//[^\n]*|"(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z0-9_:]*|[^\s]')
_CALL: Final = "IsUserAgentAllowed"
_GROWS: Final = ("absl::StrAppend", "while")
_UNPERCENTED: Final = "2.2.2 has both sides percent-encoded before they are compared"
UNBACKED: Final = {
    ("GoogleOnly_IndexHTMLisDirectory", "/allowed-slash/"): "index.html is no directory in it",
    ("GoogleOnly_AcceptUserAgentUpToFirstSpace", "/x/y"): "2.2.1 has no names with blanks",
    ("ID_Encoding", "/foo/bar/ツ"): _UNPERCENTED,
    ("ID_Encoding", "/foo/bar/baz"): _UNPERCENTED,
}
"""Checks that RFC 9309 does not back, by their test and by how their url ends, and why."""


class RobotsCheck(NamedTuple):
    """What Google's parser says of a url to a robot."""

    test: str
    body: bytes
    agent: str
    url: str
    allowed: bool

    @property
    def unbacked(self) -> str:
        """Why RFC 9309 does not say so; empty if it does, or says nothing against it."""
        whys = (
            why
            for (test, end), why in UNBACKED.items()
            if test == self.test and self.url.endswith(end)
        )
        return next(whys, "")


def checks(text: str) -> tuple[list[RobotsCheck], int]:
    """Return the checks in a robots_test.cc, and how many are not understood."""
    found: list[RobotsCheck] = []
    left = 0
    for tokens in _tests(text):
        made = any(token in _GROWS for token in tokens)
        for one in _calls(tokens):
            if made or one is None:
                left += 1
            else:
                found.append(one)
    return found, left


def _tests(text: str) -> Iterator[list[str]]:
    """Yield the tokens of each TEST, from its name on."""
    tokens = [token for token in _TOKEN.findall(text) if not token.startswith("//")]
    starts = [number for number, token in enumerate(tokens) if token == "TEST"]
    for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
        yield tokens[start + 4 : end]  # TEST ( RobotsUnittest , NAME


def _calls(tokens: Sequence[str]) -> Iterator[RobotsCheck | None]:
    names: dict[str, bytes] = {}
    for number, token in enumerate(tokens):
        if token == "=":
            value = _string(tokens[number + 1 : tokens.index(";", number)], names)
            if value is not None:
                names[tokens[number - 1]] = value
        elif token == _CALL and tokens[number - 2].startswith("EXPECT_"):
            arguments = [_string(one, names) for one in _arguments(tokens, number + 2)]
            if len(arguments) != 3 or None in arguments:
                yield None
                continue
            body, agent, url = (one for one in arguments if one is not None)
            allowed = tokens[number - 2] == "EXPECT_TRUE"
            yield RobotsCheck(tokens[0], body, agent.decode(), url.decode(), allowed)


def _arguments(tokens: Sequence[str], start: int) -> Iterator[Sequence[str]]:
    """Yield the tokens of each argument of a call whose parenthesis is open before `start`."""
    depth = 1
    for number in range(start, len(tokens)):
        token = tokens[number]
        depth += (token == "(") - (token == ")")
        if depth == 0 or (depth == 1 and token == ","):
            yield tokens[start:number]
            start = number + 1
        if depth == 0:
            return


def _string(tokens: Sequence[str], names: dict[str, bytes]) -> bytes | None:
    """Return the octets of literals side by side, or of a name; None for anything else."""
    if len(tokens) == 1 and tokens[0] in names:
        return names[tokens[0]]
    if not tokens or not all(token.startswith('"') for token in tokens):
        return None
    text = "".join(token[1:-1] for token in tokens)
    return text.encode().decode("unicode_escape").encode("latin-1")


async def measure(folder: Path, bounds: Bounds, reader: CorpusReader, lists: bool) -> str:
    """Return how many checks agree, and all that do not."""
    given, left = checks((folder / "robotstxt/robots_test.cc").read_text(encoding="utf-8"))
    differs = [one for one in given if not await _agrees(one, reader)]
    unbacked = [one for one in given if one.unbacked]
    wrong = [one for one in differs if not one.unbacked]
    agree = len(given) - len(differs)
    head = ["robots.txt", "checks", "agree", "RFC 9309 backs", "of these agree", "not understood"]
    backed = len(given) - len(unbacked)
    row = ["google/robotstxt", len(given), agree, backed, backed - len(wrong), left]
    rows = [
        [
            one.test,
            one.agent,
            one.url,
            "allowed" if one.allowed else "not",
            one.unbacked or "**yes**",
        ]
        for one in differs
    ]
    listed = table(["differs in", "robot", "url", "Google says", "RFC 9309 backs it"], rows)
    return "\n".join([table(head, [row]), *(["", listed] if rows else [])])


async def _agrees(check: RobotsCheck, reader: CorpusReader) -> bool:
    allowance = await reader.read_robots(check.body, check.agent)
    return allowance.allows(check.url) is check.allowed
