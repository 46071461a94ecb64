"""Jobs of ingest that were given up: looking at them, and having them tried again."""

import time
from typing import Annotated, Any, Literal

import typer

from deploy.cli.client import Client
from deploy.cli.output import document, minute, rows, say
from deploy.cli.parameters import At, Json, Key, Limit, Reason
from schemas.jobs import RetryJob

Status = Literal["dead", "retried", "done"]


def list_jobs(
    status: Annotated[Status | None, typer.Option(help="Only those that stand like this.")] = None,
    source: Annotated[str | None, typer.Option(help="Only this source's.")] = None,
    reason: Annotated[
        str | None, typer.Option(help="Only those given up so, such as unreachable.")
    ] = None,
    limit: Limit = 20,
    at: At = None,
    as_json: Json = False,
) -> None:
    """List the fetches that were given up, why, and what became of each since."""
    query: dict[str, Any] = {"status": status, "source": source, "reason": reason}
    found = Client().get("/jobs", **query, limit=limit, at=at)["jobs"]
    if as_json:
        document(found)
        return
    shown = [{**one, "given up": minute(one["given_up_at"]), "why": _why(one)} for one in found]
    names = ("job", "status", "given up", "source", "attempts", "why", "url")
    rows(shown, {name: name for name in names}, empty="no job was given up", as_json=False)


def _why(job: dict[str, Any]) -> str:
    words = (job["reason"], job["http_status"] or "", job["detail"])
    return " ".join(str(word) for word in words if word)


def retry_jobs(
    jobs: Annotated[list[str], typer.Argument(help="Names, as `everything jobs` shows them.")],
    reason: Reason,
    key: Key = "root",
    as_json: Json = False,
) -> None:
    """Have jobs tried again that were given up. Takes an editor or above."""
    client = Client()
    for job in jobs:
        found = client.get(f"/jobs/{job}")["job"]
        retry = RetryJob(
            venue_id=client.venue_id(),
            job=job,
            given_up=found["given_up"],
            reason=reason,
            client_time_ns=time.time_ns(),
        )
        answer = client.post("/admin/retry-job", client.signed(key, retry))
        if as_json:
            document(answer)
        else:
            say(f"{job} is tried again, by message {answer['sequence']}: {found['url']}")
