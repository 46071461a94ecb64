"""Jobs that people have tried again: what must hold of their word, and of the dead letter."""

from typing import Final

import msgspec

from schemas import subjects
from schemas.codec import encode
from schemas.errors import InputError, NotFound, Refusal, Refused, TooLarge
from schemas.jobs import RETRIES, AnyJob, FetchPage, Job, RetryJob, job_name, newest
from schemas.limits import MAX_DECISION_BYTES, MAX_TITLE_CHARS, SERVICE_CLOCK_S
from schemas.observations import OBSERVATIONS, JobGivenUp
from schemas.signatures import verify
from schemas.texts import is_line
from schemas.units import SECOND_NS
from streams.accounts.directory import Directory
from streams.gateway.errors import FieldInvalid
from streams.gateway.models import ActionIn
from streams.gateway.signers import signer
from streams.log.ports import Log

_MAY_RETRY: Final = frozenset({"editor", "admin", "super-admin"})
"""A fetch more changes no market: all but those who only look."""


def read(body: ActionIn, directory: Directory, now_ns: int) -> RetryJob:
    """Return what `body` asks for.

    Raises TooLarge, MalformedMessage, UnknownMessage, BadSignature, Refused, FieldInvalid.
    """
    text = body.body.encode()
    if len(text) > MAX_DECISION_BYTES:
        raise TooLarge(f"a signed text has at most {MAX_DECISION_BYTES} bytes")
    retry = RETRIES.decode(text)
    if encode(retry) != text:
        raise Refused(Refusal.NOT_CANONICAL, "this is not its canonical JSON")
    verify(body.key, text, body.signature)
    if signer(body.key, retry.venue_id, directory).role not in _MAY_RETRY:
        raise Refused(Refusal.ROLE_TOO_LOW, "an editor may have jobs tried again, a viewer not")
    if not is_line(retry.reason, MAX_TITLE_CHARS):
        raise FieldInvalid("reason", f"one line of 1 to {MAX_TITLE_CHARS} printable characters")
    _check_time(retry.client_time_ns, now_ns)
    return retry


def _check_time(time_ns: int, now_ns: int) -> None:
    """Raise Refused unless a nonce of what was signed at `time_ns` is still remembered."""
    if time_ns < now_ns - SERVICE_CLOCK_S * SECOND_NS:
        raise Refused(Refusal.STALE, f"this was signed more than {SERVICE_CLOCK_S} s ago")
    if time_ns > now_ns + SERVICE_CLOCK_S * SECOND_NS:
        raise Refused(Refusal.FROM_THE_FUTURE, "this was signed by a clock that is ahead")


async def letter(log: Log, retry: RetryJob) -> JobGivenUp:
    """Return the dead letter that `retry` names. Raises NotFound, LogUnavailable."""
    stored = await log.get(retry.given_up)
    fates = subjects.job_fates(log.shard, "*")
    if stored is not None and subjects.matches(fates, stored.subject):
        try:
            found = OBSERVATIONS.decode(stored.payload)
        except InputError:
            found = None  # written by a later version
        if isinstance(found, JobGivenUp) and job_name(found.source, found.url) == retry.job:
            return found
    raise NotFound(f"message {retry.given_up} is no dead letter of job {retry.job}")


def again(job: AnyJob, now_ns: int) -> Job:
    """Return `job` as it is asked for at `now_ns`."""
    wanted = newest(job)
    if isinstance(wanted, FetchPage):
        return msgspec.structs.replace(wanted, asked_ns=now_ns)
    return msgspec.structs.replace(wanted, due_ns=now_ns)
