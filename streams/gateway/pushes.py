"""Articles that sources push: what must hold of one, and how it is put on the log."""

from typing import NamedTuple

from schemas import articles, pushes
from schemas.codec import encode
from schemas.errors import Refusal, Refused, TooLarge
from schemas.limits import MAX_INGEST_BYTES
from schemas.observations import ArticleObserved, Push
from schemas.pushes import PUSHES, PushedArticle
from schemas.signatures import verify
from schemas.sources import Source
from streams.accounts.directory import Directory
from streams.gateway.errors import FieldInvalid
from streams.gateway.limits import MAX_REMEMBERED_PUSHES


def read(push: Push, directory: Directory) -> tuple[PushedArticle, Source]:
    """Return what `push` says and the source that signed it.

    Raises TooLarge, MalformedMessage, UnknownMessage, Refused, FieldInvalid, BadSignature.
    """
    text = push.body.encode()
    if len(text) > MAX_INGEST_BYTES:
        raise TooLarge(f"a pushed article has at most {MAX_INGEST_BYTES} bytes")
    pushed = PUSHES.decode(text)
    if encode(pushed) != text:
        raise Refused(Refusal.NOT_CANONICAL, "this is not the article's canonical JSON")
    source = _source_of(pushed, directory)
    if push.key != source.push_key:
        raise Refused(Refusal.UNKNOWN_KEY, f"this key does not sign for {source.source!r}")
    verify(push.key, text, push.signature)
    if (wrong := pushes.problem(pushed)) is not None:
        raise FieldInvalid(*wrong)
    return pushed, source


def _source_of(pushed: PushedArticle, directory: Directory) -> Source:
    """Return the source that `pushed` names.

    A quarantined source is not refused: its articles go on the log and count for nothing.
    """
    if directory.venue is None:
        raise Refused(Refusal.NO_GENESIS, "this venue has not been founded yet")
    if pushed.venue_id != directory.venue.venue_id:
        raise Refused(Refusal.WRONG_VENUE, "this article was signed for another venue")
    source = directory.sources.get(pushed.source)
    if source is None or source.kind != "push" or not source.active:
        problem = f"{pushed.source!r} is no active source that pushes"
        raise Refused(Refusal.UNKNOWN_SOURCE, problem)
    return source


def observed(pushed: PushedArticle, push: Push, source: Source, now_ns: int) -> ArticleObserved:
    """Return what goes on the log for a push that was read."""
    return ArticleObserved(
        source=source.source,
        snapshot_id=articles.snapshot_id(pushed.title, pushed.text),
        locator=articles.locator(pushed.url, pushed.published_ns),
        url=pushed.url,
        title=pushed.title,
        excerpt=pushed.text[: source.excerpt_chars],
        text_chars=len(pushed.text),
        language=pushed.language,
        published_ns=pushed.published_ns,
        observed_ns=now_ns,
        via="push",
        robots_hash="",
        raw="",
        push=push,
        item=articles.page(pushed.url),
    )


class PushReply(NamedTuple):
    """What a source was answered about one of its events."""

    body_hash: str
    sequence: int
    snapshot_id: str


class PushReplies:
    """The answers to the last MAX_REMEMBERED_PUSHES events, so that a repeated one gets the same.

    This is a convenience only. An event that was forgotten, or that another gateway answered,
    is observed once more, and the engine recognizes it by its snapshot id.
    """

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], PushReply] = {}

    def find(self, pushed: PushedArticle, body_hash: str) -> PushReply | None:
        """Return the answer given before. Raises Refused when it was to another article."""
        reply = self._given.get((pushed.source, pushed.event_id))
        if reply is not None and reply.body_hash != body_hash:
            problem = f"event {pushed.event_id!r} was another article"
            raise Refused(Refusal.DUPLICATE, problem)
        return reply

    def keep(self, pushed: PushedArticle, reply: PushReply) -> None:
        """Remember an answer, in place of the oldest one if need be."""
        if len(self._given) >= MAX_REMEMBERED_PUSHES:
            del self._given[next(iter(self._given))]
        self._given[pushed.source, pushed.event_id] = reply
