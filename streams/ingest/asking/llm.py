"""The port behind which the model is: llama.cpp, or what a test lets it say."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

Ended = Literal["end", "length", "time"]


class Said(NamedTuple):
    """What the model said, and whether it had finished, said too much or took too long."""

    text: str
    ended: Ended


class NoLlm(NamedTuple):
    """There is no model to ask, and why; in words fit for the log, without paths."""

    reason: str


class LanguageModel(Protocol):
    """A model that is asked one question at a time and remembers none."""

    @property
    def name(self) -> str:
        """Which model it is: its file's name and SHA-256."""

    def fits(self, prompt: str) -> bool:
        """Tell whether `prompt` leaves room for an answer."""

    async def ask(self, prompt: str, schema: Mapping[str, Any], within_s: float) -> Said:
        """Return what the model says to `prompt`, bound to the JSON schema `schema`.

        Stops by itself after `within_s`, and soon when cancelled. Raises whatever the model
        does when it breaks.
        """

    async def close(self) -> None:
        """Let go of the model."""
