"""One name, one meaning; plain words; nothing longer than can be read at once.

Every check has a list of what is still to be mended. Such lists only shrink: a name, a word or
a function that is not on its list fails.
"""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from tests.house.source import ROOMS, ROOT, Module, modules, parse

# -- a class name stands for one thing -------------------------------------------------

ALLOWED_TWICE: Final = frozenset({"State", "Engine"})
"""Every engine has a `State`; the engine is named by its folder."""


def classes(module: Module) -> Iterator[str]:
    """Yield the name of every class in `module`, private and nested ones too."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef):
            yield node.name


def defined_twice(sources: tuple[Module, ...]) -> dict[str, list[str]]:
    """Return the class names with more than one definition, and where those are."""
    places: dict[str, list[str]] = {}
    for module in sources:
        for name in classes(module):
            places.setdefault(name, []).append(module.name)
    return {
        name: found
        for name, found in places.items()
        if len(found) > 1 and name not in ALLOWED_TWICE
    }


def test_no_class_name_has_two_meanings() -> None:
    assert defined_twice(modules()) == {}


def test_class_names_of_schemas_and_engines_are_theirs_alone() -> None:
    assert defined_twice(modules("schemas", "engines")) == {}


@pytest.mark.parametrize(
    "texts",
    [
        ("class A: ...", "class A: ..."),
        ("class A: ...\nclass B:\n    class A: ...",),
        ("class _A: ...", "def f():\n    class _A: ..."),
    ],
)
def test_planted_second_class_is_caught(texts: tuple[str, ...]) -> None:
    planted = tuple(parse(f"m{number}", text) for number, text in enumerate(texts))
    (name,) = defined_twice(planted)
    assert name.lstrip("_") == "A"


def test_allowed_class_name_is_not_caught() -> None:
    assert defined_twice((parse("a", "class State: ..."), parse("b", "class State: ..."))) == {}


# -- what the words mean ---------------------------------------------------------------

GLOSSARY: Final = ROOT / "docs" / "reference" / "glossary.md"
KIND_OF_CLASS: Final = 3
"""A last word that so many classes share names a kind of class, and has a line."""
_PARTICIPLE: Final = re.compile(r"[a-z]+(ed|Set)$|^(Set|Withdrawn|Known|Met)$", re.IGNORECASE)
"""Events are named by what happened; the glossary explains them together."""
MUST_BE_EXPLAINED: Final = (
    "room", "log", "record", "event", "command", "observation", "decision", "fold", "projection",
    "checkpoint", "sequence", "subject", "source", "signals", "policy", "seal", "halt",
    "venue", "notary", "crowd", "reality", "why", "whatif",
)  # fmt: skip
_LINE: Final = re.compile(r"^- (\*\*.+?)(?=:)", re.MULTILINE)
_ENTRY: Final = re.compile(r"\*\*([^*]+)\*\*")


def entries(glossary: str) -> frozenset[str]:
    """Return the words that have a line in a glossary's text, in lower case."""
    return frozenset(_words(glossary))


def _words(glossary: str) -> list[str]:
    lines = _LINE.findall(glossary)
    return [word.lower() for line in lines for word in _ENTRY.findall(line)]


def last_word(name: str) -> str:
    """Return the last word of a class name: `Log` of `NatsLog`."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+", name)
    return words[-1] if words else name


def unexplained(sources: tuple[Module, ...], glossary: str) -> list[str]:
    """Return the words that name a kind of class and have no line in the glossary."""
    names = {name for module in sources for name in classes(module)}
    count = Counter(last_word(name) for name in names)
    known = entries(glossary)
    return sorted(
        word
        for word, times in count.items()
        if times >= KIND_OF_CLASS
        if not _PARTICIPLE.search(word)
        if not {word.lower(), word.lower().removesuffix("s")} & known
    )


def test_every_kind_of_class_is_in_the_glossary() -> None:
    assert unexplained(modules(), GLOSSARY.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("word", MUST_BE_EXPLAINED)
def test_word_is_in_the_glossary(word: str) -> None:
    assert word in entries(GLOSSARY.read_text(encoding="utf-8"))


def test_a_word_has_one_line() -> None:
    words = _words(GLOSSARY.read_text(encoding="utf-8"))
    assert [word for word, times in Counter(words).items() if times > 1] == []


def test_planted_kind_without_a_line_is_caught() -> None:
    text = "class RedGizmo: ...\nclass _BlueGizmo: ...\nclass Gizmo: ...\nclass Other: ..."
    assert unexplained((parse("m", text),), "- **widget**: something") == ["Gizmo"]
    assert unexplained((parse("m", text),), "- **gadget**, **gizmo**: a thing") == []


# -- plain words in comments and docstrings --------------------------------------------

BANNED: Final[Mapping[str, str]] = {
    "such": r"(?<!\bno )\bsuch\b(?! as\b)",
    "thus": r"\b(thus|hence|lest|whence)\b",
    "thereof": r"\b(there|here|where)(of|by|in|with|upon)\b",
    "befall": r"\bbefalls?\b|\bbefell\b|\bbefallen\b",
    "to no avail": r"\bto no avail\b",
    "a pity": r"\bpity\b",
    "thinkable": r"\bthinkable\b",
    "anew": r"\b(anew|afresh)\b",
    "upon": r"\b(upon|unto)\b",
    "shall": r"\b(shall|ought)\b",
    "for sure": r"\bfor sure\b",
    "whoever": r"\b(whoever|whosoever|whatsoever|whomever)\b",
    "is to say": r"\bis for (the |whoever )?\w+ to say\b",
    "what is what": r"\bwhat\b[^.]{0,40} is what\b",
    "takes office": r"\b(takes?|took|taking|in) office\b",
    "door": r"(?-i:\b[Dd]oors?\b)",
}
"""A name for what is meant, and how it is found. Say the subject first, one clause a sentence."""


def prose(module: Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of every comment and docstring, those of fields too."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Expr(ast.Constant(str(text))):
                yield node.lineno, " ".join(text.split())
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def banned(module: Module) -> Iterator[tuple[str, str]]:
    """Yield each banned word in `module`, and where it is."""
    for line, text in prose(module):
        for word, pattern in BANNED.items():
            for _ in re.finditer(pattern, text, re.IGNORECASE):
                yield word, f"{module.name}:{line}"


@pytest.mark.parametrize("room", ROOMS)
def test_no_banned_word_in_comments_and_docstrings(room: str) -> None:
    places: dict[str, list[str]] = {}
    for module in modules(room):
        for word, place in banned(module):
            places.setdefault(word, []).append(place)
    assert places == {}


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("such", '"""Return such a thing."""'),
        ("such", "x = 1  # one such order"),
        ("thus", "# Thus it ends."),
        ("thereof", '"""An order and the owner thereof."""'),
        ("befall", '"""Raise what befell it."""'),
        ("to no avail", "# it goes on to no\n# avail\nx = 1\n'''It is to no\n    avail.'''"),
        ("a pity", "# Only a pity."),
        ("thinkable", 'x = 1\n"""A review that is thinkable."""'),
        ("anew", "def f():\n    '''Begin anew.'''"),
        ("upon", "# put upon it"),
        ("shall", "# It shall be."),
        ("for sure", "# stale for sure"),
        ("whoever", "# Whoever asks."),
        ("is to say", "# That is for reality to say."),
        ("what is what", "# What it reads is what it names."),
        ("takes office", "# A writer takes office."),
        ("door", "# The door says no."),
    ],
)
def test_planted_word_is_caught(word: str, text: str) -> None:
    assert {found for found, _ in banned(parse("m", text))} == {word}


@pytest.mark.parametrize(
    "text",
    [
        "# There is no such market.",
        "# A fault such as this one.",
        'x = "such a text is not prose"',
        "such = thus = 1",
    ],
)
def test_plain_prose_is_not_caught(text: str) -> None:
    assert list(banned(parse("m", text))) == []


# -- nothing longer than can be read at once -------------------------------------------

MAX_FUNCTION_LINES: Final = 70
"""Without the lines of the docstring."""


def too_long(module: Module) -> dict[str, int]:
    """Return the functions of `module` that are too long, and how long they are."""
    found = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = _lines(node) - (_lines(node.body[0]) if ast.get_docstring(node) else 0)
            if lines > MAX_FUNCTION_LINES:
                found[f"{module.name}.{node.name}"] = lines
    return found


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


MODULES: Final = [*modules(), *modules("tests", "examples")]


def test_no_function_is_too_long() -> None:
    found = {name: lines for module in MODULES for name, lines in too_long(module).items()}
    assert found == {}


def test_planted_long_function_is_caught() -> None:
    body = "    x = 1\n" * MAX_FUNCTION_LINES
    assert too_long(parse("m", f"class A:\n def f():\n{body}")) == {"m.f": MAX_FUNCTION_LINES + 1}
    assert too_long(parse("m", f"async def f():\n{body}"))


def test_lines_of_a_docstring_do_not_count() -> None:
    body = "    x = 1\n" * (MAX_FUNCTION_LINES - 1)
    doc = '    """F.\n' + "\n    more" * 30 + '\n    """\n'
    assert too_long(parse("m", f"def f():\n{doc}{body}")) == {}
