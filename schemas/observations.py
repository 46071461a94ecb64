"""Observations: facts from outside, recorded once and never looked up again.

Whatever is not deterministic (the network, models, the time) stands on the log as one of
these, so that all decisions follow from the log alone. They are written by `streams/ingest`
and, for what a source pushes, by the gateway.
"""

from enum import StrEnum
from typing import Final, Literal

import msgspec

from schemas.articles import Notice, page
from schemas.codec import Codec, Message, Upcasts
from schemas.jobs import AnyJob, QueueName

Via = Literal["rss", "html", "browser", "push"]


class FetchProblem(StrEnum):
    """Why a fetch brought nothing. Stable: never renamed or reused."""

    BAD_URL = "bad_url"
    ROBOTS = "robots"
    RESTRICTED = "restricted"
    FORBIDDEN_ADDRESS = "forbidden_address"
    UNRESOLVED = "unresolved"
    UNREACHABLE = "unreachable"
    TOO_SLOW = "too_slow"
    TOO_LARGE = "too_large"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    HTTP_STATUS = "http_status"
    BAD_TYPE = "bad_type"
    BAD_CHARSET = "bad_charset"
    BAD_XML = "bad_xml"
    DTD = "dtd"
    NO_TEXT = "no_text"
    NO_ARTICLE = "no_article"
    """The page shows why it has none: it blocks, was not found or asks for something."""
    NO_BROWSER = "no_browser"
    RENDER_FAILED = "render_failed"
    GIVEN_UP = "given_up"
    """Every attempt at the job ended without an answer; its JobGivenUp has the last problem."""


class Push(msgspec.Struct, frozen=True):
    """What a source sent: exactly the text that its key signed."""

    key: str
    body: str
    signature: str


class ArticleObserved1(Message, tag="article_observed/1", frozen=True, kw_only=True):
    """An article was seen. Never raw HTML: metadata, hashes and a bounded excerpt.

    `snapshot_id` is the SHA-256 of `title + "\\n" + text` in full, `text_chars` long;
    `locator` that of `url|published_ns`. `robots_hash` is the SHA-256 of the robots.txt that
    was obeyed, empty where none was asked for. `raw` names the kept bytes, if any are.
    """

    source: str
    snapshot_id: str
    locator: str
    url: str
    title: str
    excerpt: str
    text_chars: int
    language: str
    """As the feed or page claims, such as `en`; empty if it does not."""
    published_ns: int | None
    observed_ns: int
    via: Via
    robots_hash: str
    raw: str
    push: Push | None


class ArticleObserved(ArticleObserved1, tag="article_observed/2", frozen=True, kw_only=True):
    """An article, and what is known of it beside what it says.

    Articles of one source with the same `item` are versions of one: the later ones correct the
    earlier. It is empty where nothing names the article. `backlog`: it stood in the first document
    of its source that we saw, so it may be of any age, unless it says when it was published.
    """

    item: str = ""
    backlog: bool = False


class SourceFetched(Message, tag="source_fetched/1", frozen=True, kw_only=True):
    """One attempt to fetch a source's document, or a page for it, and what became of it."""

    source: str
    url: str
    what: Literal["source", "page"]
    outcome: Literal["fetched", "unchanged", "refused", "failed"]
    """`refused` is our own doing (robots, a forbidden address, a bound)."""
    problem: str
    """A FetchProblem, empty when there is none."""
    detail: str
    status: int
    """The HTTP status, 0 when there was no answer."""
    body_bytes: int
    items: int
    new_articles: int
    robots_hash: str
    started_ns: int
    ended_ns: int


class SourceListed1(Message, tag="source_listed/1", frozen=True, kw_only=True):
    """What a source's document held: the memory by which the next fetch tells what is new.

    `items` are the first 16 hex characters of each item's SHA-256. The validators go into
    the next conditional request.
    """

    source: str
    url: str
    body_hash: str
    etag: str
    last_modified: str
    items: list[str]
    listed_ns: int


class ListedItem(msgspec.Struct, frozen=True, array_like=True):
    """`[item, guid, link, title, words, published_ns, version, backlog]`: an item, as it was last.

    `item` is the name that it keeps. `guid`, `link`, `title` and `words` are the first 16 hex
    characters of a SHA-256 each, by which it is known again, empty where it has none; all are empty
    in what the first version listed. `version` counts how often its words had changed.
    """

    item: str
    guid: str
    link: str
    title: str
    words: str
    published_ns: int | None
    version: int
    backlog: bool


class SourceListed(Message, tag="source_listed/2", frozen=True, kw_only=True):
    """What was new in a source's document, and all that the next fetch needs to know of it.

    `items` are those that were new or had new words, `count` is how many the document had.
    What is remembered of the source are the items of its listings from sequence `since` to this
    one, `since` 0 for this one alone. The validators go into the next conditional request.
    """

    source: str
    url: str
    body_hash: str
    etag: str
    last_modified: str
    items: list[ListedItem]
    count: int
    since: int
    listed_ns: int


class JobGivenUp(Message, tag="job_given_up/1", frozen=True, kw_only=True):
    """A job left its queue undone: a dead letter. `job` is what it takes to try it again.

    `reason` is the FetchProblem of the last of its `attempts`, `status` that answer's HTTP
    status, 0 without one. `url` is what was to be fetched, empty for a source that nobody knows.
    """

    source: str
    url: str
    job: AnyJob
    queue: QueueName
    attempts: int
    reason: str
    detail: str
    status: int
    given_up_ns: int


class JobRetried(Message, tag="job_retried/1", frozen=True, kw_only=True):
    """A person had a job tried again: `body` is the RetryJob that their `key` signed.

    `given_up` and `reason` are the body's, `source` and `url` those of the dead letter there.
    """

    source: str
    url: str
    given_up: int
    reason: str
    key: str
    body: str
    signature: str
    retried_ns: int


class JobReported(Message, tag="job_reported/1", frozen=True, kw_only=True):
    """A runner elsewhere fetched `url`: who it was, and what it said. Its articles stand behind.

    `problem` is a FetchProblem, empty when there is none; then `body_hash` is the SHA-256 of the
    document as its scripts left it, and `snapshot_ids` are those of the items that have a text.
    """

    source: str
    url: str
    runner: str
    status: int
    problem: str
    detail: str
    body_hash: str
    snapshot_ids: list[str]
    taken_ns: int
    reported_ns: int


class Mention(msgspec.Struct, frozen=True, array_like=True):
    """`[symbol, times in the title, times in the excerpt]`."""

    symbol: str
    title_count: int
    body_count: int


class Neighbour(msgspec.Struct, frozen=True, array_like=True):
    """`[article, similarity_bp]`: an earlier article of the window, by its log sequence."""

    article: int
    similarity_bp: int


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """Exactly what measured: a name with version or SHA-256 each.

    A last word `typography/N` says how texts were prepared; without it they were read as published.
    """

    embedding: str
    sentiment: str
    keywords: str
    entities: str
    language: str


def model_of(measure: str) -> str:
    """Return a measure's model, without how texts are prepared for it.

    >>> model_of("all-MiniLM-L6-v2/53aa typography/1")
    'all-MiniLM-L6-v2/53aa'
    """
    return measure.partition(" ")[0]


Unfit = Literal["", "too_short", "language", "no_mention", "failed"]
"""Why an article was not measured to the end; empty if it was."""


class SignalsMeasured1(Message, tag="signals_measured/1", frozen=True, kw_only=True):
    """What was measured of the article at log sequence `article`. All numbers are integers.

    `sentiment_bp` and `keywords_bp` are -10,000..10,000. `neighbours` are the most similar
    earlier articles of the window, most similar first. `embedding` is base64 of 384 signed
    bytes (L2-normalised, times 127); empty if unfit. `names_as_of` is the log sequence up to
    which names and aliases of markets were known. `source`, `snapshot_id`, `published_ns`
    and `observed_ns` are the article's own.
    """

    article: int
    source: str
    snapshot_id: str
    published_ns: int | None
    observed_ns: int
    unfit: Unfit
    detail: str
    language: str
    language_bp: int
    sentiment_bp: int
    keywords_bp: int
    keywords: list[str]
    entities: list[str]
    mentions: list[Mention]
    neighbours: list[Neighbour]
    embedding: str
    models: Models
    names_as_of: int
    measured_ns: int


class SignalsMeasured2(SignalsMeasured1, tag="signals_measured/2", frozen=True, kw_only=True):
    """What was measured, with what the article says that it is.

    `notice` follows from its title, `page` from its URL (`schemas.articles`); both are empty in
    what the first version measured.
    """

    notice: Notice = ""
    page: str = ""


class SignalsMeasured(SignalsMeasured2, tag="signals_measured/3", frozen=True, kw_only=True):
    """What was measured, with how the article stands to earlier ones.

    `notice` follows from how its title and text begin, `page` and `backlog` are the article's own
    (its `item`). `opposites` are those of its neighbours that report the contrary outcome in nearly
    the same words, by log sequence.
    """

    backlog: bool = False
    opposites: tuple[int, ...] = ()


TextKind = Literal["market", "event"]


class TextMeasured(Message, tag="text_measured/1", frozen=True, kw_only=True):
    """The embedding of a market's or an event's text, by which it is found.

    `id` is the symbol or the event's id, `text_hash` the SHA-256 of the text. The text is that
    of the message at log sequence `of`: a market's names and description as a record of
    governance has them, a final event's summary as the LLM called it, or else its first
    article's title and excerpt. `embedding` is as in SignalsMeasured, empty if the model failed;
    `model` is what measured. `signals` is the sequence of the last SignalsMeasured that was known,
    0 for none. It stands on the subject of the signals, but is nothing that can be judged.
    """

    kind: TextKind
    id: str
    of: int
    text_hash: str
    embedding: str
    model: str
    signals: int
    measured_ns: int


_TEXT_MEASURED: Final = b'{"type":"text_measured/1"'


def is_measured_text(payload: bytes) -> bool:
    """Tell whether a message among the signals is a TextMeasured, without decoding it."""
    return payload.startswith(_TEXT_MEASURED)


class LlmAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A valid answer (EM-80..86). It suggests; it never writes state (EM-15)."""

    schema_version: int
    summary: str
    impact_e2: int
    """-10,000..10,000, hundredths of the suggested -100..100."""
    confidence_bp: int
    rationale: str
    snapshot_ids: list[str]
    """Which of the given articles it rests on (EM-11)."""


class LlmCalled(Message, tag="llm_called/1", frozen=True, kw_only=True):
    """The LLM was asked, and what it said: `answer`, or `error` when that was none.

    `request` is the log sequence of the record with LlmRequested, `request_id` its id.
    `raw_output` is kept as it came, cut to its bound. `input_hash` is the SHA-256 of the
    prompt, which anyone can render again from the log with the template `prompt`.
    """

    request: int
    request_id: str
    prompt: str
    input_hash: str
    model: str
    raw_output: str
    answer: LlmAnswer | None
    error: str
    started_ns: int
    ended_ns: int


class LlmAvailability(Message, tag="llm_availability/1", frozen=True, kw_only=True):
    """A worker says whether it can be asked, with which model and prompt, or why not."""

    mode: Literal["enabled", "disabled"]
    reason: str
    model: str
    prompt: str
    observed_ns: int


Observation = (
    ArticleObserved
    | SourceFetched
    | SourceListed
    | JobGivenUp
    | JobRetried
    | JobReported
    | SignalsMeasured
    | TextMeasured
    | LlmCalled
    | LlmAvailability
)

OlderObservation = ArticleObserved1 | SourceListed1 | SignalsMeasured1 | SignalsMeasured2


def _listed(old: SourceListed1) -> SourceListed:
    """Return a listing of the first version, in which an item is known as a whole or not at all."""
    items = [ListedItem(item, "", "", "", "", None, 0, False) for item in old.items]
    fields = {**msgspec.structs.asdict(old), "items": items, "count": len(items), "since": 0}
    return SourceListed(**fields)


UPCASTS: Final[Upcasts] = {
    ArticleObserved1: lambda old: ArticleObserved(
        **msgspec.structs.asdict(old), item=page(old.url)
    ),
    SourceListed1: _listed,
    SignalsMeasured1: lambda old: SignalsMeasured2(**msgspec.structs.asdict(old)),
    SignalsMeasured2: lambda old: SignalsMeasured(**msgspec.structs.asdict(old)),
}

OBSERVATIONS: Codec[Observation] = Codec(Observation | OlderObservation, UPCASTS)
SIGNALS: Codec[SignalsMeasured] = Codec(
    SignalsMeasured | SignalsMeasured1 | SignalsMeasured2, UPCASTS
)
MEASURED: Codec[SignalsMeasured | TextMeasured] = Codec(
    SignalsMeasured | SignalsMeasured1 | SignalsMeasured2 | TextMeasured, UPCASTS
)
"""All that stands on the subject of the signals."""
