"""The port of a language model: llama.cpp, or a test's scripted one."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

Ended = Literal["end", "length", "time"]


class Said(NamedTuple):
    """What the model said, and why it ended: at its end, by length or by time."""

    text: str
    ended: Ended


class NoLlm(NamedTuple):
    """There is no model. `reason` goes on the log, so it names no paths."""

    reason: str


class LanguageModel(Protocol):
    """A model that answers one question at a time and remembers none of them."""

    @property
    def name(self) -> str:
        """The name of the model: its file's name and SHA-256."""

    def fits(self, prompt: str) -> bool:
        """Tell whether `prompt` leaves room for an answer."""

    async def ask(self, prompt: str, schema: Mapping[str, Any], within_s: float) -> Said:
        """Return what the model says to `prompt`, bound to the JSON schema `schema`.

        The answer ends by itself after `within_s`, and soon after a cancellation. Raises any
        exception when the model breaks.
        """

    async def close(self) -> None:
        """Free the model."""
