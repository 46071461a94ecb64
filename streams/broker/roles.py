"""Who may say and hear what on the broker, as data.

Every connection has one role, and a role has an allow-list: what is not in it is denied.
Nobody may subscribe to `>` or to another's replies: each user's replies come under an
inbox prefix of its own.

Permissions look at the subject of a message, never at the subject it names for the
reply. A user who shares an account with JetStream can therefore have an answer, which is a
message like any other, put on any subject: on the log, into a feed, into the JetStream
API. So strangers never share one. Each kind of stranger has a NATS account of its own,
from which a few subjects are imported as services; the server then replaces the reply
subject on the way in, and an answer can only end in the stranger's own account.

    LOG        the streams, and the venue's own processes
    TRADERS    may send order commands, which the relay hears; hear the answers
    READERS    may hear feeds; may send nothing at all
    AUDITORS   may read the log by direct get
    DOOR       the auth responder, whom the server asks who somebody is
    SYS        the server's own account: monitoring
"""

from dataclasses import dataclass
from typing import Final

from schemas import subjects
from schemas.asks import EMBED, SEARCH
from schemas.runners import RUNNERS

LOG: Final = "LOG"
TRADERS: Final = "TRADERS"
READERS: Final = "READERS"
AUDITORS: Final = "AUDITORS"
DOOR: Final = "DOOR"
SYS: Final = "SYS"
ACCOUNTS: Final = (LOG, TRADERS, READERS, AUDITORS, DOOR, SYS)

NEVER: Final = (
    "$JS.API.STREAM.UPDATE.>",
    "$JS.API.STREAM.DELETE.>",
    "$JS.API.STREAM.PURGE.>",
    "$JS.API.STREAM.MSG.DELETE.>",
    "$JS.API.STREAM.RESTORE.>",
    "$JS.API.STREAM.PEER.>",
    "$JS.API.STREAM.LEADER.>",
    "$JS.API.ACCOUNT.>",
    "$JS.API.META.>",
)
"""What no running process may ask: `deny_delete` and `deny_purge` on a stream stop neither
STREAM.UPDATE nor STREAM.DELETE."""

CALLOUT_SUBJECT: Final = "$SYS.REQ.USER.AUTH"
CENSUS_SUBJECT: Final = "$SYS.REQ.SERVER.*.CONNZ"
"""Asks the server in the place of `*` who is connected. The auth responder has it imported,"""
KICK_SUBJECT: Final = "$SYS.REQ.SERVER.*.KICK"
"""and this, which has that server end a connection."""
DESK_SUBJECTS: Final = (CENSUS_SUBJECT, KICK_SUBJECT)

LOG_DURABLES: Final = ("measurer", "llm")
"""Consumers of the log that remember their place, each named after its one owner."""


@dataclass(frozen=True, kw_only=True)
class Role:
    """What the user `name` of a NATS account may publish and subscribe to.

    `never_subscribe` may hold `subject queue` pairs, as the server writes them.
    """

    name: str
    account: str
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    never_publish: tuple[str, ...] = NEVER
    never_subscribe: tuple[str, ...] = ()

    @property
    def inbox(self) -> str:
        """The prefix, without a final dot, under which this user's replies must come."""
        return inbox(self.name)

    @property
    def hears(self) -> tuple[str, ...]:
        """Everything it may subscribe to, its replies included."""
        return (*self.subscribe, f"{self.inbox}.>")


def inbox(user: str) -> str:
    """Return the inbox prefix of `user`."""
    return f"_INBOX_{user}"


def engine(shard: str, name: str) -> Role:
    """The engine `name`: appends to its own two subjects, reads the log."""
    user = f"engine-{name}"
    return _log_role(shard, user, subjects.events(shard, name), subjects.epoch(shard, name))


def gateway(shard: str) -> Role:
    """The gateway: appends commands, and articles that sources push; asks for pages.

    All for those whom it has authenticated. It has jobs tried again, and says so. It says which
    nonces were used, and asks for what is alike for anyone. It has no heartbeat; it answers over
    HTTP.
    """
    log = subjects.log_stream(shard)
    return Role(
        name="gateway",
        account=LOG,
        publish=(
            f"{shard}.cmd.>",
            subjects.articles(shard),
            subjects.job_fates(shard, "*"),
            subjects.jobs(shard, "source"),
            subjects.jobs(shard, "page"),
            subjects.jobs(shard, "browser"),
            subjects.ask(shard, SEARCH),
            subjects.ask(shard, RUNNERS),
            subjects.nonce(shard, "*", "*"),
            _info(subjects.jobs_stream(shard)),
            *reads(log),
            *reads(subjects.feed_stream(shard)),
        ),
        subscribe=(
            subjects.status(shard, "*"),
            f"{subjects.answers(shard, SEARCH)}.>",
            f"{subjects.answers(shard, RUNNERS)}.>",
        ),
        never_publish=(*NEVER, *foreign(log, "gateway")),
    )


def scheduler(shard: str) -> Role:
    """Says which source is due; it never meets what comes from outside."""
    return _log_role(
        shard,
        "scheduler",
        subjects.jobs(shard, "source"),
        subjects.jobs(shard, "browser"),
        _info(subjects.jobs_stream(shard)),
    )


def fetcher(shard: str) -> Role:
    """Does jobs over HTTP: observes articles, and what became of each fetch."""
    jobs = subjects.jobs_stream(shard)
    return _log_role(
        shard,
        "fetcher",
        *_fetches(shard),
        subjects.jobs(shard, "page"),
        subjects.jobs(shard, "browser"),
        *consumes(jobs, "source", subjects.jobs(shard, "source")),
        *consumes(jobs, "page", subjects.jobs(shard, "page")),
    )


def browser(shard: str) -> Role:
    """Does the jobs that take a browser, or gives them to runners; else as the fetcher."""
    jobs = subjects.jobs_stream(shard)
    wanted = subjects.jobs(shard, "browser")
    return _log_role(
        shard,
        "browser",
        *_fetches(shard),
        subjects.jobs(shard, "page"),
        wanted,
        *consumes(jobs, "browser", wanted),
        f"{subjects.answers(shard, RUNNERS)}.>",
        subscribe=(subjects.ask(shard, RUNNERS),),
    )


def measurer(shard: str) -> Role:
    """Says what was measured of the articles and texts, and answers with embeddings."""
    return _log_role(
        shard,
        "measurer",
        subjects.signals(shard),
        *consumes(subjects.log_stream(shard), "measurer", subjects.articles(shard)),
        f"{subjects.answers(shard, EMBED)}.>",
        subscribe=(subjects.ask(shard, EMBED),),
    )


def search(shard: str) -> Role:
    """Answers what is alike; asks for the embeddings of questions. Says nothing on the log."""
    return _log_role(
        shard,
        "search",
        subjects.ask(shard, EMBED),
        f"{subjects.answers(shard, SEARCH)}.>",
        subscribe=(subjects.ask(shard, SEARCH), f"{subjects.answers(shard, EMBED)}.>"),
    )


def llm(shard: str) -> Role:
    """Says what the LLM answered."""
    requests = subjects.events(shard, subjects.REALITY)
    return _log_role(
        shard,
        "llm",
        subjects.llm(shard),
        *consumes(subjects.log_stream(shard), "llm", requests),
    )


def projector(shard: str) -> Role:
    """Folds records into tables; says nothing on the log."""
    return _log_role(shard, "projector")


def historian(shard: str) -> Role:
    """Keeps what the tables once said; says nothing on the log."""
    return _log_role(shard, "historian")


def feeds(shard: str) -> Role:
    """Folds records into feed messages."""
    return _log_role(shard, "feeds", f"feed.{shard}.>", *reads(subjects.feed_stream(shard)))


def front(shard: str) -> Role:
    """Where strangers connect: says how it is, and reads nothing."""
    return Role(name="front", account=LOG, publish=(subjects.status(shard, "front"),))


def relay(shard: str) -> Role:
    """Hears the commands of native clients, appends them, and answers.

    Answers to what comes across an account's border go where the server says, under `_R_`.
    """
    return _log_role(
        shard,
        "relay",
        subjects.order_command(shard, "*"),
        "_R_.>",
        subscribe=(subjects.order_door(shard, "*"),),
    )


def archiver(shard: str) -> Role:
    """Copies the log elsewhere; says nothing on it."""
    return _log_role(shard, "archiver")


def restorer(shard: str) -> Role:
    """Brings an archived log back: may say anything on it, so no running process has this role."""
    log = subjects.log_stream(shard)
    return Role(
        name="restorer",
        account=LOG,
        publish=(f"{shard}.>", *reads(log)),
        never_publish=(*NEVER, *foreign(log, "restorer")),
    )


def replay(shard: str) -> Role:
    """The venue's own `verify`, `rebuild` and `status`: reads all, says nothing."""
    log = subjects.log_stream(shard)
    return Role(
        name="replay",
        account=LOG,
        publish=(*reads(log), *reads(subjects.feed_stream(shard))),
        never_publish=(*NEVER, *foreign(log, "replay")),
    )


def operator(shard: str) -> Role:
    """Creates the declared streams at start and checks them; never changes one."""
    streams = (
        subjects.log_stream(shard),
        subjects.feed_stream(shard),
        subjects.jobs_stream(shard),
        subjects.raw_stream(shard),
        subjects.nonces_stream(shard),
    )
    return Role(
        name="operator",
        account=LOG,
        publish=(
            "$JS.API.INFO",
            *(f"$JS.API.STREAM.CREATE.{stream}" for stream in streams),
            *(f"$JS.API.STREAM.INFO.{stream}" for stream in streams),
        ),
    )


def auditor(shard: str) -> Role:
    """A stranger who checks the log: batched direct gets, through an account of its own.

    It cannot create consumers: a push consumer names the subject that it delivers to, and
    that would be a way to publish anything anywhere.
    """
    log = subjects.log_stream(shard)
    return Role(name="auditor", account=AUDITORS, publish=auditor_services(log))


def auditor_services(stream: str) -> tuple[str, ...]:
    """The subjects of the log's account that auditors may call.

    Nothing else of the JetStream API answers across the border: the server (2.15.1) looks for the
    stream in the account that asks.
    """
    return (f"$JS.API.DIRECT.GET.{stream}",)


def door() -> Role:
    """Answers the server's question who somebody is; asks it who is connected, and ends logins."""
    return Role(
        name="door",
        account=DOOR,
        publish=("$SYS._INBOX.>", *DESK_SUBJECTS),
        subscribe=(CALLOUT_SUBJECT,),
    )


def monitor() -> Role:
    """Asks the server how it is."""
    return Role(
        name="monitor",
        account=SYS,
        publish=tuple(
            f"$SYS.REQ.SERVER.PING.{what}"
            for what in ("VARZ", "JSZ", "HEALTHZ", "CONNZ", "STATSZ", "IDZ")
        ),
    )


def trader(shard: str, account: str) -> Role:
    """A trader's program: sends its account's order commands and hears the answers."""
    return Role(name=account, account=TRADERS, publish=(subjects.order_command(shard, account),))


def reader(shard: str, account: str) -> Role:
    """A trader's program that listens: public feeds, and its own account's.

    Queue groups are denied: members share messages, so a stranger who joins a group by
    its name would take part of another's feed.
    """
    return Role(
        name=account,
        account=READERS,
        never_publish=(">",),
        subscribe=(
            subjects.feed(shard, "market.>"),
            subjects.feed(shard, "public.>"),
            subjects.feed(shard, f"account.{account}.>"),
        ),
        never_subscribe=("> >",),
    )


def services(shard: str) -> tuple[Role, ...]:
    """All roles with a key in the venue's key folder, in a fixed order."""
    return (
        *(engine(shard, name) for name in subjects.ENGINES),
        gateway(shard),
        scheduler(shard),
        fetcher(shard),
        browser(shard),
        measurer(shard),
        llm(shard),
        search(shard),
        projector(shard),
        historian(shard),
        feeds(shard),
        front(shard),
        relay(shard),
        archiver(shard),
        restorer(shard),
        replay(shard),
        operator(shard),
        auditor(shard),
        door(),
        monitor(),
    )


def _log_role(shard: str, name: str, *publish: str, subscribe: tuple[str, ...] = ()) -> Role:
    """A process of the venue: reads the log, has a heartbeat, and may publish `publish`."""
    log = subjects.log_stream(shard)
    return Role(
        name=name,
        account=LOG,
        publish=(*publish, subjects.status(shard, name), *reads(log)),
        subscribe=subscribe,
        never_publish=(*NEVER, *foreign(log, name)),
    )


def _fetches(shard: str) -> tuple[str, ...]:
    """What it takes to say what a fetch brought, and to keep its raw bytes.

    Not to read them back: nobody does yet, and nats-py does it by a push consumer, which
    names the subject that it delivers to.
    """
    bucket, stream = subjects.raw_bucket(shard), subjects.raw_stream(shard)
    return (
        subjects.articles(shard),
        subjects.fetches(shard, "*"),
        subjects.listings(shard, "*"),
        subjects.job_fates(shard, "*"),
        _info(subjects.jobs_stream(shard)),
        _info(stream),
        f"$JS.API.STREAM.MSG.GET.{stream}",
        f"$O.{bucket}.C.>",
        f"$O.{bucket}.M.>",
    )


def _info(stream: str) -> str:
    return f"$JS.API.STREAM.INFO.{stream}"


def consumes(stream: str, durable: str, subject: str) -> tuple[str, ...]:
    """The JetStream API subjects that it takes to work off `subject` as `durable`, and no others.

    The filter is part of the subject that creates it, so it can get nothing else.
    """
    return (
        f"$JS.API.CONSUMER.CREATE.{stream}.{durable}.{subject}",
        f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
        f"$JS.ACK.{stream}.{durable}.>",
    )


def foreign(stream: str, name: str) -> tuple[str, ...]:
    """What would change or empty the durables of others: `reads` is for any consumer's name."""
    return tuple(
        f"$JS.API.CONSUMER.{what}"
        for durable in LOG_DURABLES
        if durable != name
        for what in (
            f"CREATE.{stream}.{durable}",
            f"CREATE.{stream}.{durable}.>",
            f"DELETE.{stream}.{durable}",
            f"MSG.NEXT.{stream}.{durable}",
        )
    )


def reads(stream: str) -> tuple[str, ...]:
    """The JetStream API subjects that it takes to read `stream`, and no others."""
    return (
        f"$JS.API.STREAM.INFO.{stream}",
        f"$JS.API.STREAM.MSG.GET.{stream}",
        f"$JS.API.DIRECT.GET.{stream}",
        f"$JS.API.DIRECT.GET.{stream}.>",
        f"$JS.API.CONSUMER.CREATE.{stream}.*",
        f"$JS.API.CONSUMER.CREATE.{stream}.*.>",
        f"$JS.API.CONSUMER.INFO.{stream}.*",
        f"$JS.API.CONSUMER.DELETE.{stream}.*",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.*",
    )
