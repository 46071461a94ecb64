"""nats-server's dialect: what is read is what the server reads; what is written is read again."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import ConfigDrift
from streams.broker import dialect

FORMS: dict[str, dict[str, Any]] = {
    "a: 1": {"a": 1},
    "a = 1": {"a": 1},
    "a 1": {"a": 1},
    "a:1": {"a": 1},
    '"a b": 1': {"a b": 1},
    "a: 8MB": {"a": 8 * 1024 * 1024},
    "a: 8m": {"a": 8_000_000},
    "a: 1k, b: 2kb": {"a": 1_000, "b": 2_048},
    "a: -3": {"a": -3},
    "a: 5s": {"a": "5s"},
    "a: yes; b: OFF": {"a": True, "b": False},
    "a: 'x # y'": {"a": "x # y"},
    'a: "x\\ty"': {"a": "x\ty"},
    "a: 127.0.0.1:4222": {"a": "127.0.0.1:4222"},
    "a: _INBOX_x.>": {"a": "_INBOX_x.>"},
    "# c\na: 1 // d\n": {"a": 1},
    "a { b { c: 1 } }": {"a": {"b": {"c": 1}}},
    "a: [1, x\n 'y']": {"a": [1, "x", "y"]},
    "a: [ {b: 1} {b: 2} ]": {"a": [{"b": 1}, {"b": 2}]},
    "a: []\nb: {}": {"a": [], "b": {}},
    "a: $NAME\nb: [$NUMBER]": {"a": "of the venue", "b": [7]},
    "": {},
}


def read(folder: Path, text: str) -> dict[str, Any]:
    path = folder / "a.conf"
    path.write_text(text)
    return dialect.read(path, {"NAME": '"of the venue"', "NUMBER": "7"})


@pytest.mark.parametrize("text", FORMS)
def test_forms(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == FORMS[text]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: {", "line 1: a key is expected, not 'the end'"),
        ("a: 1\nb: ]", "line 2: a value is expected"),
        ("a: $NOBODY", "line 1: the environment has no NOBODY"),
        ("\na: (block)", "line 2: '\\(' is not expected"),
        ('a: "open', "line 1: '\"' is not expected"),
        ("a:", "a value is expected"),
        (r'a: "\q"', "is no escape"),
        ("include {", "include names no file"),
        (": 1", "a key is expected"),
    ],
)
def test_what_is_not_of_the_dialect_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigDrift, match=said):
        read(tmp_path, text)


def test_includes_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.conf").write_text("b: 2\n")
    (tmp_path / "sub" / "c.conf").write_text("include b.conf\nc: 3\n")
    assert read(tmp_path, 'a: 1\ninclude "sub/c.conf"\n') == {"a": 1, "b": 2, "c": 3}


TEXTS = st.text(
    st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("\n\t"), max_size=60
)
KEYS = TEXTS.filter(bool)
SCALARS = st.booleans() | st.integers(-(2**40), 2**40) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conf=st.dictionaries(KEYS, VALUES, max_size=5))
def test_what_is_written_is_read_again(tmp_path: Path, conf: dict[str, Any]) -> None:
    assert read(tmp_path, dialect.write(conf, {})) == conf
