"""Who may say and hear what on the broker, as data.

Every connection has one role, and a role has an allow-list: what is not in it is denied.
Nobody may subscribe to `>` or to another's replies: each user's replies come under an
inbox prefix of its own.

Permissions look at the subject of a message, never at the subject it names for the
reply. Whoever shares an account with JetStream can therefore have an answer, which is a
message like any other, put on any subject: on the log, into a feed, into the JetStream
API. So strangers never share one. Each kind of stranger has a NATS account of its own,
from which a few subjects are imported as services; the server then replaces the reply
subject on the way in, and an answer can only end in the stranger's own account.

    LOG        the streams, and the venue's own processes
    TRADERS    may send order commands; hear the answers
    READERS    may hear feeds; may send nothing at all
    AUDITORS   may read the log by direct get
    DOOR       where the server asks who somebody is (auth callout)
    SYS        the server's own account: monitoring
"""

from dataclasses import dataclass
from typing import Final

from everything.schemas import subjects

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
    return Role(
        name=user,
        account=LOG,
        publish=(
            subjects.events(shard, name),
            subjects.epoch(shard, name),
            subjects.status(shard, user),
            *reads(subjects.log_stream(shard)),
        ),
    )


def gateway(shard: str) -> Role:
    """The door for people: appends commands for those whom it has authenticated."""
    return Role(
        name="gateway",
        account=LOG,
        publish=(
            f"{shard}.cmd.>",
            *reads(subjects.log_stream(shard)),
            *reads(subjects.feed_stream(shard)),
        ),
        subscribe=(subjects.status(shard, "*"),),
    )


def ingest(shard: str) -> Role:
    """The door for the world: appends observations."""
    return Role(
        name="ingest",
        account=LOG,
        publish=(
            f"{shard}.obs.>",
            subjects.status(shard, "ingest"),
            *reads(subjects.log_stream(shard)),
        ),
    )


def projector(shard: str) -> Role:
    """Folds records into tables; says nothing on the log."""
    return Role(
        name="projector",
        account=LOG,
        publish=(subjects.status(shard, "projector"), *reads(subjects.log_stream(shard))),
    )


def feeds(shard: str) -> Role:
    """Folds records into feed messages."""
    return Role(
        name="feeds",
        account=LOG,
        publish=(
            f"feed.{shard}.>",
            subjects.status(shard, "feeds"),
            *reads(subjects.log_stream(shard)),
            *reads(subjects.feed_stream(shard)),
        ),
    )


def replay(shard: str) -> Role:
    """The venue's own `verify`, `rebuild` and `status`: reads all, says nothing."""
    return Role(
        name="replay",
        account=LOG,
        publish=(*reads(subjects.log_stream(shard)), *reads(subjects.feed_stream(shard))),
    )


def operator(shard: str) -> Role:
    """Creates the declared streams at start and checks them; never changes one."""
    streams = (subjects.log_stream(shard), subjects.feed_stream(shard))
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
    """The subjects of the log's account that auditors may call."""
    return (f"$JS.API.STREAM.INFO.{stream}", f"$JS.API.DIRECT.GET.{stream}")


def door() -> Role:
    """Answers the server's question who somebody is."""
    return Role(name="door", account=DOOR, publish=("$SYS._INBOX.>",), subscribe=(CALLOUT_SUBJECT,))


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
        ingest(shard),
        projector(shard),
        feeds(shard),
        replay(shard),
        operator(shard),
        auditor(shard),
        door(),
        monitor(),
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
