"""schemas/ and engines/ are pure; and the check that says so really checks."""

import pytest

from tests.house.determinism import findings
from tests.house.source import Module, modules, parse

PURE = [m for m in modules() if m.under("schemas") or m.under("engines")]

PLANTED = """
x = 1.5
x = 1e3
x = 2j
x = float("1")
def f(x: float) -> None: ...
x = 1 / 2
x /= 2
x = 2 ** -1
import time
import datetime
from datetime import datetime
from time import time_ns
import random
import secrets
import uuid
import os
import os.path
from os import environ
import math
import locale
import unicodedata
x = hash("a")
x = id(object())
x = sorted([], key=id)
open("x")
print(1)
for x in {1, 2}: pass
for x in set([1]): pass
for x in frozenset("ab"): pass
for x in {y for y in "ab"}: pass
for x in {1} | {2}: pass
for x in {1}.union([2]): pass
x = [y for y in {1, 2}]
x = {y: 1 for y in set("ab")}
x = list({1, 2})
x = tuple(set("ab"))
x = ",".join({"a", "b"})
x = dict.fromkeys(set("ab"))
x = [*{1, 2}]
f(*{1, 2})
x = {1, 2}.pop()
async def f() -> None: ...
global x
x = eval("1")
with x: pass
""".strip().splitlines()

PLANTED_TOGETHER = [
    "names = {1, 2}\nfor x in names: pass",
    "names: set[int] = make()\nx = list(names)",
    "def f(names: frozenset[int]):\n    return [x for x in names]",
    "class A:\n    def g(self): self.names = set()\n    def f(self): return tuple(self.names)",
    "names = set()\nx = next(iter(names))",
    "def f():\n    import random",
]

HARMLESS = [
    "x = 3 // 2; y = 3 % 2; z = divmod(3, 2); w = 2**10",
    "names = {1, 2}\nx = 1 in names and len(names) > 1",
    "names = {1, 2}\nfor x in sorted(names): pass",
    "for x in {1: 2}: pass",
    "for x in {1: 2} | {3: 4}: pass",
    "x = record.hash; y = record.id",
    "class A:\n    hash: str",
    "x = [1, 2].pop(); y = {}.pop(1, None)",
    "import re, decimal, msgspec\nfrom hashlib import sha256",
    "flags = 1 | 2\nx = list(range(flags))",
]


@pytest.mark.parametrize("module", PURE, ids=[module.name for module in PURE])
def test_pure_rooms(module: Module) -> None:
    assert findings(module) == []


@pytest.mark.parametrize("text", [*PLANTED, *PLANTED_TOGETHER])
def test_planted_sample_is_caught(text: str) -> None:
    assert findings(parse("engines.planted", text))


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_sample_is_not_caught(text: str) -> None:
    assert findings(parse("engines.planted", text)) == []
