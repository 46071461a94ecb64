"""Subjects: where a message stands, and so who may have put it there.

Everything of one shard's log begins with the shard's name, so the stream takes
`<shard>.>` and shards never overlap. What readers of the FEED see begins with `feed.`, jobs
of ingest with `jobs.`.

Records and observations have three tokens, commands four: one filter, `<shard>.*.*`,
brings all that is decided or observed and none of the commands (decision 0029).
"""

import re
from collections.abc import Sequence
from typing import Final

DEFAULT_SHARD: Final = "main"

GOVERNANCE: Final = "governance"
EXCHANGE: Final = "exchange"
REALITY: Final = "reality"
PRICING: Final = "pricing"
NOTARY: Final = "notary"
ENGINES: Final = (GOVERNANCE, EXCHANGE, REALITY, PRICING, NOTARY)

_ACCOUNT = re.compile(r"[a-z][a-z0-9_-]{1,31}")
_SYMBOL = re.compile(r"[A-Z][A-Z0-9_-]{0,23}")
_SOURCE = re.compile(r"[a-z][a-z0-9_-]{1,31}")
_SHARD = re.compile(r"[a-z][a-z0-9-]{0,15}")


def is_account(text: str) -> bool:
    """Tell whether `text` can name an account: 2 to 32 of a-z, 0-9, _ and -."""
    return _ACCOUNT.fullmatch(text) is not None


def is_symbol(text: str) -> bool:
    """Tell whether `text` can be a symbol: 1 to 24 of A-Z, 0-9, _ and -."""
    return _SYMBOL.fullmatch(text) is not None


def is_source(text: str) -> bool:
    """Tell whether `text` can name a source: 2 to 32 of a-z, 0-9, _ and -."""
    return _SOURCE.fullmatch(text) is not None


def is_shard(text: str) -> bool:
    """Tell whether `text` can name a shard."""
    return _SHARD.fullmatch(text) is not None


def log_stream(shard: str) -> str:
    """Return the name of the shard's log stream."""
    return f"LOG_{shard}"


def feed_stream(shard: str) -> str:
    """Return the name of the stream that holds what the shard's feeds published."""
    return f"FEED_{shard}"


def order_command(shard: str, account: str) -> str:
    return f"{shard}.cmd.order.{account}"


def order_door(shard: str, account: str) -> str:
    """Return where the relay hears what a native client published as `order_command`."""
    return f"door.{shard}.order.{account}"


def account_command(shard: str, account: str) -> str:
    return f"{shard}.cmd.account.{account}"


def admin_command(shard: str, key: str) -> str:
    return f"{shard}.cmd.admin.{key}"


def articles(shard: str) -> str:
    """Return where ArticleObserved stands."""
    return f"{shard}.obs.article"


def signals(shard: str) -> str:
    """Return where SignalsMeasured and TextMeasured stand."""
    return f"{shard}.obs.signals"


def llm(shard: str) -> str:
    """Return where LlmCalled and LlmAvailability stand."""
    return f"{shard}.obs.llm"


def fetches(shard: str, source: str) -> str:
    """Return where SourceFetched of `source` stands; `*` for all sources."""
    return f"{shard}.obs-fetch.{source}"


def listings(shard: str, source: str) -> str:
    """Return where SourceListed of `source` stands: the last one says what was seen."""
    return f"{shard}.obs-listing.{source}"


def job_fates(shard: str, source: str) -> str:
    """Return where stands what became of a source's jobs; `*` for all sources."""
    return f"{shard}.obs-job.{source}"


def ask(shard: str, service: str) -> str:
    """Return where `service` (`search`, `embed`, `runners`) is asked; on no stream."""
    return f"ask.{shard}.{service}"


def answers(shard: str, service: str) -> str:
    """Return the prefix under which the answers of `service` come, and nobody else's.

    An answer to an asker's own inbox would need the right to publish there, where also the
    log's acknowledgements come.
    """
    return f"answer.{shard}.{service}"


def jobs_stream(shard: str) -> str:
    """Return the name of the work queue of the shard's ingest."""
    return f"JOBS_{shard}"


def jobs(shard: str, kind: str) -> str:
    """Return the subject of ingest's jobs of one kind: `source`, `page` or `browser`."""
    return f"jobs.{shard}.{kind}"


def raw_bucket(shard: str) -> str:
    """Return the name of the object store bucket that keeps raw bytes for a while."""
    return f"raw-{shard}"


def raw_stream(shard: str) -> str:
    """Return the name of the stream under that bucket."""
    return f"OBJ_{raw_bucket(shard)}"


def nonces_stream(shard: str) -> str:
    """Return the name of the stream under the bucket of what may be used once."""
    return f"KV_once-{shard}"


def nonce(shard: str, kind: str, key: str) -> str:
    """Return where a used nonce stands: `kind` is `challenge`, `service`, `retry` or `runner`."""
    return f"$KV.once-{shard}.{kind}.{key}"


def events(shard: str, engine: str) -> str:
    """Return the one subject to which `engine` appends its records."""
    return f"{shard}.evt.{engine}"


def epoch(shard: str, engine: str) -> str:
    """Return the subject by which a writer of `engine` becomes leader."""
    return f"{shard}.evt.{engine}.epoch"


def feed(shard: str, channel: str) -> str:
    """Return the subject of a feed channel such as `market.<symbol>.trades`."""
    return f"feed.{shard}.{channel}"


def live(shard: str, channel: str) -> str:
    """Return where the FEED stream republishes a channel once its messages are stored.

    Subscribers outside the venue hear this, never `feed` itself: what is published there
    the stream may yet refuse.
    """
    return f"live.{shard}.{channel}"


def last_token(subject: str) -> str:
    """Return what follows the last dot: the account, key or source of a command."""
    return subject.rpartition(".")[2]


def matches(pattern: str, subject: str) -> bool:
    """Tell whether `subject` falls under `pattern` (`*` one token, a final `>` the rest)."""
    wanted, given = pattern.split("."), subject.split(".")
    for position, token in enumerate(wanted):
        if token == ">":
            return len(given) > position
        if position >= len(given) or (token != "*" and token != given[position]):
            return False
    return len(wanted) == len(given)


def status(shard: str, process: str) -> str:
    """Return the subject of a process's heartbeats; they are on no stream."""
    return f"status.{shard}.{process}"


def covering(patterns: Sequence[str]) -> str:
    """Return one pattern that all of `patterns` fall under, and possibly more does.

    >>> covering(["main.evt.exchange", "main.evt.governance"])
    'main.evt.*'
    >>> covering(["main.cmd.order.*", "main.evt.governance"])
    'main.*.>'
    """
    split = [pattern.split(".") for pattern in patterns]
    shortest = min(len(tokens) for tokens in split)
    common: list[str] = []
    for tokens in zip(*split, strict=False):
        if ">" in tokens:
            return ".".join([*common, ">"])
        common.append(tokens[0] if len(set(tokens)) == 1 else "*")
    if all(len(tokens) == shortest for tokens in split):
        return ".".join(common)
    return ".".join([*common[: shortest - 1], ">"])
