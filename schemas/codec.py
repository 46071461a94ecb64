"""Canonical bytes: how a Struct becomes JSON and back, always the same way.

Encoding is msgspec's: fields in the order they are declared, no white space, UTF-8,
every field present. Those exact bytes are stored, hashed and signed; nothing is
ever re-encoded in order to check it. A decision's body, which other programs also
write, is canonical when decoding and encoding it again gives the same bytes.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from schemas import json_limits as shape
from schemas.errors import MalformedMessage, UnknownMessage

T = TypeVar("T")

encode = msgspec.json.Encoder().encode
"""Canonical bytes of a Struct."""


class Message(msgspec.Struct, tag_field="type", frozen=True, gc=False):
    """Base of everything that stands on the log; a subclass sets `tag="name/version"`.

    Messages are trees, so the garbage collector need not look at them.
    """


class _TagOnly(msgspec.Struct):
    type: str


_decode_tag = msgspec.json.Decoder(_TagOnly).decode

Upcasts = Mapping[type[Any], Callable[[Any], Any]]


def tag_of(message_type: type[Any]) -> str:
    """Return the stable `name/version` of a message class."""
    tag = message_type.__struct_config__.tag
    if not isinstance(tag, str):
        raise TypeError(f"{message_type.__name__} has no tag")
    return tag


def upcast(message: Any, steps: Upcasts) -> Any:
    """Return `message` in its newest version, one step after the other."""
    while (step := steps.get(type(message))) is not None:
        message = step(message)
    return message


class Codec(Generic[T]):
    """Decode one family of tagged Structs from JSON bytes.

    `family` is a Struct class or a union of them. `upcasts` maps an old version's class
    to a function that returns the next version; steps are chained until none applies.
    `ours` says that only our own engines write this family, which spares `shape.check`.
    """

    def __init__(self, family: Any, upcasts: Upcasts | None = None, *, ours: bool = False) -> None:
        self._unchecked_bytes = shape.ANY_BYTES if ours else shape.UNCHECKED_BYTES
        self._decode = msgspec.json.Decoder(family).decode
        members = getattr(family, "__args__", (family,))
        self._tags = frozenset(tag_of(member) for member in members)
        self._upcasts = dict(upcasts or {})

    def decode(self, data: bytes) -> T:
        """Return the message in `data`, in its newest version.

        Raises UnknownMessage for a type or version outside the family, MalformedMessage
        for anything else that does not fit.
        """
        if len(data) > self._unchecked_bytes:
            shape.check(data)
        try:
            message: T = self._decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._explain(data, error) from error
        return upcast(message, self._upcasts) if self._upcasts else message

    def _explain(self, data: bytes, error: Exception) -> MalformedMessage | UnknownMessage:
        try:
            tag = _decode_tag(data).type
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return MalformedMessage(str(error))
        return MalformedMessage(str(error)) if tag in self._tags else UnknownMessage(tag)
