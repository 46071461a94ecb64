"""What is sent: bytes of no meaning, JSON of none, and good messages with a little damage."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[1] / "schemas" / "golden.jsonl"
MAX_BYTES = 300

# What parsers of numbers, texts and depths are known to stumble over.
_HARD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    10**40,
    1.5,
    1e308,
    "",
    "\0",
    "\ud7ff\ufffe",
    "a" * 2_000,
    "../../x",
    "'; DROP TABLE orders; --",
    "1e9999",
    [],
    {},
    [[[[[[[[[[]]]]]]]]]],
)

SCALARS: st.SearchStrategy[Any] = (
    st.sampled_from(_HARD) | st.integers() | st.floats() | st.text(max_size=30)
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def dumped(value: Any) -> bytes:
    """Return JSON, with NaN and lone surrogates if they are in `value`."""
    return json.dumps(value, separators=(",", ":")).encode("utf-8", "surrogatepass")


@cache
def golden() -> tuple[bytes, ...]:
    """Return one good message of every kind, most and least of each field included."""
    return tuple(GOLDEN.read_bytes().splitlines())


@st.composite
def bent(draw: st.DrawFn, data: bytes) -> bytes:
    """Damage bytes: bits flipped, a part lost, doubled, moved or replaced."""
    whole = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(len(whole) - 1, 0)))
        end = min(len(whole), start + draw(st.integers(1, 40)))
        match draw(st.sampled_from(("flip", "lose", "double", "put", "cut"))):
            case "flip" if whole:
                whole[start] ^= 1 << draw(st.integers(0, 7))
            case "lose":
                del whole[start:end]
            case "double":
                whole[end:end] = whole[start:end]
            case "put":
                whole[start:start] = draw(st.binary(max_size=20))
            case _:
                del whole[start:]
    return bytes(whole)


@st.composite
def odd(draw: st.DrawFn, data: bytes) -> bytes:
    """Change one value, name or entry somewhere in a JSON document; the rest stays right."""
    try:
        document = json.loads(data)
    except ValueError:
        return draw(bent(data))
    place: Any = document
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
            place = place[key]
            continue
        if isinstance(place, dict) and draw(st.integers(0, 5)) == 0:
            del place[key]
        else:
            place[key] = draw(VALUES)
        break
    return dumped(document)


def near(messages: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Return a strategy for what is nearly one of `messages`, itself, or nothing like it."""
    good = st.sampled_from(messages)
    return (
        good
        | good.flatmap(bent)
        | good.flatmap(odd)
        | VALUES.map(dumped)
        | st.binary(max_size=MAX_BYTES)
    )
