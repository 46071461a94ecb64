"""The documents' reader itself: what matches, and above all what does not."""

import pytest

from tests.docs.console import difference, steps

DOCUMENT = """# Title

```console
$ one "a b"
first
second
$ two
```

```sh
$ not run
```

```console
$ three
```
"""


def test_steps() -> None:
    found = steps(DOCUMENT)
    assert [(step.line, step.command, step.output) for step in found] == [
        (4, 'one "a b"', ["first", "second"]),
        (7, "two", []),
        (15, "three", []),
    ]


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("4 at 62.50", "4 at 62.50"),
        ("order 2600 (message 26): filled", "order 17100 (message 171): filled"),
        ("kept in …data/keys", "kept in /home/x/data/keys"),
        ("sealed through 28 by 2 signed seals", "sealed through 1,028 by 14 signed seals"),
        ('"cause": 26, "quantity": 4', '"cause": 9926, "quantity": 4'),
    ],
)
def test_equal_enough(shown: str, real: str) -> None:
    assert difference([shown], [real]) is None


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("4 at 62.50", "4 at 62.51"),
        ("4 at 62.50", "5 at 62.50"),
        ("order 2600 (message 26): filled", "order 2600 (message 26): placed"),
        ("0 lost, 0 doubled", "1 lost, 0 doubled"),
        ("minted 2000.00 = cash …", "minted 2000.01 = cash 1"),
        ('"cause": 26, "quantity": 4', '"cause": 26, "quantity": 5'),
        ("a (b)", "a b"),
    ],
)
def test_unlike(shown: str, real: str) -> None:
    assert difference([shown], [real]) is not None


def test_lines_left_out() -> None:
    assert difference(["a", "…", "z"], ["a", "b", "c", "z"]) is None
    assert difference(["a", "…", "z"], ["a", "z"]) is None
    assert difference(["a", "…", "z"], ["a", "b"]) is not None
    assert difference(["a"], ["a", "b"]) is not None
    assert difference([], ["b"]) is not None
