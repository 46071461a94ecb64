"""Questions that one process of a venue asks another, and their answers; never on the log."""

from typing import Final, Literal

import msgspec

from schemas.limits import MAX_SIMILAR

SEARCH: Final = "search"
EMBED: Final = "embed"
"""Services, see `subjects.ask`."""

Kind = Literal["article", "event", "market"]
KINDS: Final[tuple[Kind, ...]] = ("article", "event", "market")

Problem = Literal["", "busy", "failed", "starting", "malformed", "unknown"]
"""Why there is no answer; `unknown` is a thing that has no embedding, or had none then."""


class EmbedAsked(msgspec.Struct, frozen=True):
    """What is the embedding of `text`?"""

    text: str


class EmbedTold(msgspec.Struct, frozen=True):
    """An embedding in base64, and the model that made it."""

    embedding: str = ""
    model: str = ""
    problem: Problem = ""


class SimilarAsked(msgspec.Struct, frozen=True):
    """What is like `text`, or like the thing `of`, as far as it was measured at `at`?

    `text` is empty if `of` is given, which is `[kind, id]`; an article's id is its sequence.
    """

    text: str = ""
    of: tuple[Kind, str] | None = None
    kinds: tuple[Kind, ...] = KINDS
    at: int | None = None
    most: int = MAX_SIMILAR


class SimilarThing(msgspec.Struct, frozen=True, array_like=True):
    """`[kind, id, sequence, similarity_bp]`: it was measured at `sequence`."""

    kind: Kind
    id: str
    sequence: int
    similarity_bp: int


class SimilarTold(msgspec.Struct, frozen=True):
    """The most similar things, most similar first; the index has the log up to `sequence`."""

    things: list[SimilarThing] = []
    sequence: int = 0
    problem: Problem = ""
