"""POST /admin/retry-job: have a job tried again that was given up."""

from typing import Final

from fastapi import APIRouter, Response

from schemas import subjects
from schemas.chain import digest
from schemas.codec import encode
from schemas.errors import AppendFailed, Busy
from schemas.http import COMMAND_ERRORS, errors
from schemas.observations import JobRetried
from streams.accounts.errors import NonceUsed
from streams.gateway import retries
from streams.gateway.context import Context
from streams.gateway.limits import NONCE_LIFE_S, RETRIES_PER_MINUTE
from streams.gateway.models import ActionIn, RetryOut
from streams.gateway.routes.common import reply

router: Final = APIRouter(prefix="/admin", tags=["decisions"])


@router.post(
    "/retry-job",
    summary="Have a job tried again",
    status_code=202,
    response_model=RetryOut,
    responses=errors(*COMMAND_ERRORS, 401, 403, 404, 409),
)
async def retry_job(context: Context, body: ActionIn) -> Response:
    """Put a job back into its queue by the signed word of an editor or above.

    `body` is `{"type":"retry_job/1","venue_id":…,"job":…,"given_up":…,"reason":…,
    "client_time_ns":…}` in this order, without white space; `job` and `given_up` are as
    `GET /jobs` has them. Each signed text is taken once, and stands on the log to the letter.
    """
    context.check_ready()
    now_ns = context.clock.now_ns()
    retry = retries.read(body, context.directory, now_ns)
    context.retry_rate.admit(RETRIES_PER_MINUTE, body.key)
    letter = await retries.letter(context.log, retry)
    if not await context.nonces.use("retry", digest(body.body.encode()), NONCE_LIFE_S):
        raise NonceUsed("this was signed for a retry that was taken before")
    retried = JobRetried(
        source=letter.source,
        url=letter.url,
        given_up=retry.given_up,
        reason=retry.reason,
        key=body.key,
        body=body.body,
        signature=body.signature,
        retried_ns=now_ns,
    )
    subject = subjects.job_fates(context.log.shard, letter.source)
    # The log first: to repeat a retry that was not queued takes another signature.
    sequence = await context.appender.append(subject, encode(retried))
    try:
        await context.jobs.put(letter.queue, retries.again(letter.job, now_ns), f"retry:{sequence}")
    except AppendFailed as error:
        raise Busy(f"the work queue takes no job now: {error}") from error
    return reply(202, RetryOut(sequence=sequence, job=retry.job))
