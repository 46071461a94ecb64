"""Golden bytes: one file of messages as they have always been, and how to add new ones.

`python -m tests.schemas.golden --add` appends examples of every tag that has none yet. It
never changes a line: a message that stands on someone's log must decode for ever.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import inspect

from schemas.codec import encode
from schemas.registry import REGISTRY

PATH: Final = Path(__file__).with_name("golden.jsonl")

Size = Literal["usual", "least", "most"]
SIZES: Final[tuple[Size, ...]] = ("usual", "least", "most")
_MOST_TEXT: Final = 'ä雨😀 "\\/\n\t\x7f\u2028<&>'


class _Tagged(msgspec.Struct):
    type: str


def lines() -> list[bytes]:
    """Return the golden messages."""
    return PATH.read_bytes().splitlines() if PATH.exists() else []


def tag(line: bytes) -> str:
    """Return a golden message's type."""
    return msgspec.json.decode(line, type=_Tagged).type


def examples(message_type: type[Any]) -> Iterator[bytes]:
    """Yield an ordinary, a smallest and a biggest message of a type, each once."""
    made = {encode(example(message_type, size)): None for size in SIZES}
    yield from made


def example(message_type: type[Any], size: Size) -> Any:
    """Return a message made from its declaration alone."""
    return _struct(inspect.type_info(message_type), size)


def _struct(info: Any, size: Size) -> Any:
    fields = {field.name: _value(field.type, field.name, size) for field in info.fields}
    return info.cls(**fields)


def _value(info: Any, name: str, size: Size) -> Any:
    match info:
        case inspect.IntType():
            return {"usual": len(name), "least": 0, "most": 2**63 - 1}[size]
        case inspect.StrType():
            return {"usual": name, "least": "", "most": _MOST_TEXT}[size]
        case inspect.BoolType():
            return size == "most"
        case inspect.LiteralType():
            return info.values[0 if size == "least" else -1]
        case inspect.ListType():
            count = {"usual": 1, "least": 0, "most": 3}[size]
            return [_value(info.item_type, name, size) for _ in range(count)]
        case inspect.VarTupleType():
            return (_value(info.item_type, name, size),) * {"usual": 1, "least": 0, "most": 3}[size]
        case inspect.StructType():
            return _struct(info, size)
        case inspect.UnionType():
            return _choice(info, name, size)
        case inspect.NoneType():
            return None
        case _:
            raise TypeError(f"no example for {info!r} yet: add a case here")


def _choice(info: Any, name: str, size: Size) -> Any:
    choices = [kind for kind in info.types if not isinstance(kind, inspect.NoneType)]
    if len(choices) < len(info.types) and size == "least":
        return None
    structs = [kind for kind in choices if isinstance(kind, inspect.StructType)]
    first = min(structs, key=lambda kind: str(kind.tag)) if structs else choices[0]
    return _value(first, name, size)


def add() -> list[str]:
    """Append examples of the tags that have none and return those tags."""
    known = {tag(line): None for line in lines()}
    missing = [name for name in REGISTRY if name not in known]
    with PATH.open("ab") as file:
        for name in missing:
            for line in examples(REGISTRY[name]):
                file.write(line + b"\n")
    return missing


if __name__ == "__main__":
    if sys.argv[1:] != ["--add"]:
        sys.exit("usage: python -m tests.schemas.golden --add")
    print("\n".join(add()) or "nothing to add")
