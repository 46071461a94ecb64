"""POST /reality/ingest and POST /ingest: what programs bring, and what they want fetched."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from schemas.articles import page
from schemas.chain import digest
from schemas.codec import encode
from schemas.errors import AppendFailed, Busy, Refusal, TooLarge
from schemas.http import COMMAND_ERRORS, errors
from schemas.jobs import FetchPage
from schemas.limits import MAX_INGEST_BYTES
from schemas.observations import Push
from schemas.pushes import claim_problem
from schemas.sources import is_on_site
from schemas.subjects import articles
from schemas.texts import is_text
from streams.accounts.directory import Directory
from streams.gateway import pushes
from streams.gateway.context import Context
from streams.gateway.errors import FieldInvalid, RefusedAt
from streams.gateway.limits import FETCHES_ASKED_PER_MINUTE, PUSHES_PER_MINUTE
from streams.gateway.models import FetchIn, JobOut, PushIn, PushOut
from streams.gateway.routes.common import SignedClaim, reply

router: Final = APIRouter(tags=["for programs"])


@router.post(
    "/reality/ingest",
    summary="Push a signed article",
    status_code=202,
    response_model=PushOut,
    responses=errors(*COMMAND_ERRORS, 401, 403, 404, 409),
)
async def push_article(context: Context, body: PushIn) -> Response:
    """Append an article exactly as its source signed it.

    `body` is `{"type":"pushed_article/1","source":…,"event_id":…,"url":…,"title":…,
    "text":…,"language":…,"published_ns":…,"venue_id":…}` in this order, without white
    space. An `event_id` that was used is answered as before; with another article 409.
    """
    context.check_ready()
    push = Push(body.key, body.body, body.signature)
    pushed, source = pushes.read(push, context.directory)
    body_hash = digest(push.body.encode())
    replied = context.push_replies.find(pushed, body_hash)
    if replied is None:
        context.push_rate.admit(PUSHES_PER_MINUTE, source.source)
        observed = pushes.observed(pushed, push, source, context.clock.now_ns())
        subject = articles(context.log.shard)
        sequence = await context.appender.append(subject, encode(observed))
        replied = pushes.PushReply(body_hash, sequence, observed.snapshot_id)
        context.push_replies.keep(pushed, replied)
    return reply(202, PushOut(sequence=replied.sequence, snapshot_id=replied.snapshot_id))


async def _key_id_of(request: Request, context: Context, claim: SignedClaim) -> str:
    body = await request.body()
    if len(body) > MAX_INGEST_BYTES:
        raise TooLarge(f"a request to fetch has at most {MAX_INGEST_BYTES} bytes")
    return await context.services.check(request.method, request.url.path, claim, body)


ServiceKeyId = Annotated[str, Depends(_key_id_of)]
"""The parameter that gives a route the id of the secret by which the request is signed."""


@router.post(
    "/ingest",
    summary="Have a page fetched",
    status_code=202,
    response_model=JobOut,
    responses=errors(*COMMAND_ERRORS, 401, 404, 409),
)
async def fetch_page(context: Context, body: FetchIn, key_id: ServiceKeyId) -> Response:
    """Queue a page of a source to be fetched, politely, and observed as an article.

    `X-Signature` is the HMAC, by the secret that `X-Key-Id` names, over
    `method|path|timestamp|nonce|body`.
    """
    context.check_ready()
    _check(body, context.directory)
    context.fetch_rate.admit(FETCHES_ASKED_PER_MINUTE, key_id)
    job = FetchPage(
        source=body.source,
        url=body.url,
        title=body.title,
        language=body.language,
        published_ns=body.published_ns,
        wanted_by=key_id,
        asked_ns=context.clock.now_ns(),
        item=page(body.url),
    )
    job_id = f"{key_id}:{body.key}"
    try:
        # also a page that takes a browser: the fetcher passes it on
        await context.jobs.put("page", job, f"asked:{job_id}")
    except AppendFailed as error:
        raise Busy(f"the work queue takes no job now: {error}") from error
    return reply(202, JobOut(job=job_id))


def _check(body: FetchIn, directory: Directory) -> None:
    if directory.venue is None:
        raise RefusedAt(Refusal.NO_GENESIS, "source", "this venue has not been founded yet")
    source = directory.sources.get(body.source)
    if source is None or not source.active or source.kind == "push":
        problem = f"{body.source!r} is no active source that is fetched"
        raise RefusedAt(Refusal.UNKNOWN_SOURCE, "source", problem)
    if not is_on_site(source, body.url):
        raise FieldInvalid("url", f"not on the host of {body.source!r}")
    if not is_text(body.title, len(body.title)) or "\n" in body.title:
        raise FieldInvalid("title", "one line of printable characters")
    if (wrong := claim_problem(body.url, body.language, body.published_ns)) is not None:
        raise FieldInvalid(*wrong)
