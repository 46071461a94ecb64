"""nats-server's configuration dialect: read as the server reads it, and written for people.

A file is a map of keys and values. A value is a string, a number with or without a size
(`8MB`), a boolean, a map in braces, a list in brackets, or a variable (`$NAME`), which the
environment gives. `include "FILE"` puts another file's keys in its place; the name is
relative to the file that includes it. Block strings, dates and variables that stand in the
file itself are not read: no file of ours has them, and a file that has is refused.

Source: nats-server's `conf/lex.go` and `conf/parse.go`, version 2.15.1.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from schemas.errors import ConfigDrift
from streams.broker.limits import MAX_CONF_BYTES, MAX_CONF_DEPTH

Conf = dict[str, Any]
"""A configuration as the server holds it, variables resolved."""

_TOKEN: Final = re.compile(
    r"""
    (?P<space>[ \t\r]+|(?:\#|//)[^\n]*)
  | (?P<newline>\n)
  | (?P<mark>[{}\[\],;:=])
  | (?P<quoted>"(?:[^"\\\n]|\\.)*"|'[^'\n]*')
  | (?P<variable>\$[A-Za-z0-9_]+)
  | (?P<bare>[^\s{}\[\],;:=\#"'$(][^\s{}\[\],;=\#"']*)
    """,
    re.VERBOSE,
)
_SIZES: Final = {"": 1, "K": 1_000, "M": 1_000**2, "G": 1_000**3}
_SIZES_BYTES: Final = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_NUMBER: Final = re.compile(r"(-?\d+)([KMG]B?)?", re.IGNORECASE)
_TRUE: Final = frozenset({"true", "yes", "on"})
_FALSE: Final = frozenset({"false", "no", "off"})
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r", '"': '"', "\\": "\\"}
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Variable(str):
    """The name of an environment variable that stands for a value."""

    __slots__ = ()


def read(path: Path, environment: Mapping[str, str]) -> Conf:
    """Return what the server holds after reading `path` with `environment`.

    Raises ConfigDrift for a file that is not there, is too large, is not of this dialect, or
    names a variable that `environment` lacks.
    """
    return _read(path, environment, 0)


def _read(path: Path, environment: Mapping[str, str], depth: int) -> Conf:
    if depth > MAX_CONF_DEPTH:
        raise ConfigDrift(f"{path} is included more than {MAX_CONF_DEPTH} files deep")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigDrift(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_CONF_BYTES:
        raise ConfigDrift(f"{path} is larger than {MAX_CONF_BYTES:,} bytes")
    return _Parser(path, data.decode(errors="replace"), environment, depth).file()


class _Parser:
    """One file, token by token. Lines are counted for the errors."""

    def __init__(self, path: Path, text: str, environment: Mapping[str, str], depth: int) -> None:
        self._path = path
        self._environment = environment
        self._depth = depth
        self._tokens = self._tokenize(text)
        self._next = 0

    def _tokenize(self, text: str) -> list[tuple[str, str, int]]:
        tokens, at, line = [], 0, 1
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise self._error(line, f"{text[at]!r} is not expected")
            kind = found.lastgroup or ""
            if kind != "space":
                tokens.append((kind, found.group(), line))
            line += kind == "newline"
            at = found.end()
        return [*tokens, ("end", "", line)]

    def _error(self, line: int, what: str) -> ConfigDrift:
        return ConfigDrift(f"{self._path.name} line {line}: {what}")

    def _take(self) -> tuple[str, str, int]:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _skip(self, marks: str) -> None:
        """Go past line breaks and the separators in `marks`."""
        while self._tokens[self._next][0] == "newline" or (
            self._tokens[self._next][0] == "mark" and self._tokens[self._next][1] in marks
        ):
            self._next += 1

    def file(self) -> Conf:
        """Return the whole file as one map."""
        return self._pairs("end")

    def _pairs(self, until: str) -> Conf:
        found: Conf = {}
        while True:
            self._skip(",;")
            kind, text, line = self._take()
            if kind == until or (kind == "mark" and text == until):
                return found
            if kind not in ("bare", "quoted"):
                raise self._error(line, f"a key is expected, not {text or 'the end'!r}")
            key, _, rest = (unquoted(text), "", "") if kind == "quoted" else text.partition(":")
            if rest:  # `key:value` without a space is one token
                self._next -= 1
                self._tokens[self._next] = ("bare", rest, line)
            if kind == "bare" and key == "include":
                found |= self._included(line)
                continue
            while self._tokens[self._next][1] in (":", "="):
                self._next += 1
            found[key] = self._value()

    def _included(self, line: int) -> Conf:
        kind, text, _ = self._take()
        if kind not in ("bare", "quoted"):
            raise self._error(line, "include names no file")
        name = unquoted(text) if kind == "quoted" else text
        return _read(self._path.parent / name, self._environment, self._depth + 1)

    def _value(self) -> Any:
        kind, text, line = self._take()
        match kind, text:
            case "mark", "{":
                return self._pairs("}")
            case "mark", "[":
                return self._list()
            case "quoted", _:
                return unquoted(text)
            case "variable", _:
                return self._resolved(text[1:], line)
            case "bare", _:
                return _scalar(text)
        raise self._error(line, f"a value is expected, not {text or 'the end'!r}")

    def _list(self) -> list[Any]:
        found: list[Any] = []
        while True:
            self._skip(",")
            if self._tokens[self._next][1] == "]":
                self._take()
                return found
            found.append(self._value())

    def _resolved(self, name: str, line: int) -> Any:
        if name not in self._environment:
            raise self._error(line, f"the environment has no {name}")
        value = self._environment[name]
        return unquoted(value) if value[:1] in ("'", '"') else _scalar(value)


def unquoted(text: str) -> str:
    """Return the text of a quoted string."""
    if text.startswith("'"):
        return text[1:-1]
    return _ESCAPE.sub(_unescaped, text[1:-1])


def _unescaped(found: re.Match[str]) -> str:
    """Return the character of one escape. Raises ConfigDrift for one that the server refuses."""
    if found[1]:
        return chr(int(found[1], 16))
    if found[2] not in _ESCAPES:
        raise ConfigDrift(f"{found[0]} is no escape of the configuration dialect")
    return _ESCAPES[found[2]]


def quoted(text: str) -> str:
    """Return `text` as a string of the dialect."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _scalar(text: str) -> Any:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    size = (number[2] or "").upper()
    return int(number[1]) * (_SIZES_BYTES.get(size) or _SIZES[size])


def write(conf: Mapping[str, Any], comments: Mapping[str, str], indent: str = "") -> str:
    """Return `conf` as text, with `comments` above the keys and users that they name.

    A comment's name is a key, or the value of an `nkey`. Raises nothing.
    """
    lines = []
    for key, value in conf.items():
        lines += _comment(comments.get(key), indent)
        lines.append(f"{indent}{_name(key)}: {_text(value, comments, indent)}")
    return "\n".join(lines)


def _name(key: str) -> str:
    return key if _KEY.fullmatch(key) and key != "include" else quoted(key)


def _comment(text: str | None, indent: str) -> list[str]:
    return [f"{indent}# {line}" for line in text.splitlines()] if text else []


def _text(value: Any, comments: Mapping[str, str], indent: str) -> str:
    inner = indent + "  "
    match value:
        case Variable():
            return f"${value}"
        case bool():
            return "true" if value else "false"
        case dict() if _short(value):
            return (
                "{ "
                + ", ".join(f"{_name(key)}: {_text(one, {}, '')}" for key, one in value.items())
                + " }"
            )
        case dict():
            return "{\n" + write(value, comments, inner) + f"\n{indent}}}"
        case list() if not any(isinstance(one, dict) for one in value) and len(str(value)) < 40:
            return "[" + ", ".join(_text(one, {}, "") for one in value) + "]"
        case list():
            lines = []
            for one in value:
                named = comments.get(str(one.get("nkey"))) if isinstance(one, dict) else None
                lines += [*_comment(named, inner), inner + _text(one, comments, inner)]
            return "[\n" + "\n".join(lines) + f"\n{indent}]"
        case int():
            return str(value)
        case _:
            return quoted(str(value))


def _short(value: Mapping[str, Any]) -> bool:
    """Tell whether a map fits on one line: scalars only, one map of them at most."""
    flat = all(
        not isinstance(one, dict | list) or (isinstance(one, dict) and _short(one))
        for one in value.values()
    )
    return flat and len(json.dumps(value)) < 80
