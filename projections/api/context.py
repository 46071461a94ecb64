"""What a query gets: the tables, as of when to answer, and whose session it is."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Annotated, Final

from fastapi import Depends, Request, Response

from projections.api.at import AtResolver
from projections.api.similar_port import AdmitSearch, SimilarPort, admit_all
from projections.api.store import NOW, At, ReadStore, ReadView
from projections.http import AccountByToken, Credentials
from schemas.http import AtText, WaitFor
from schemas.networks import client_network, client_share

AT_HEADER: Final = "X-At-Sequence"
STATE_HEADER: Final = "X-State-Hash"


@dataclass(frozen=True)
class ReadContext:
    """The services of one app's queries."""

    store: ReadStore
    resolver: AtResolver
    account_of: AccountByToken
    similar: SimilarPort | None = None
    """None: search goes by words alone."""
    admit_search: AdmitSearch = admit_all
    address: str = ""
    """Whose turn a read takes: the address of the request, a /64 of IPv6."""

    def view(self, at: At) -> AbstractAsyncContextManager[ReadView]:
        """Give one consistent view as of `at`. See `ReadStore.view`."""
        return self.store.view(at, self.address)


async def _context_of(request: Request) -> ReadContext:
    context: ReadContext = request.state.reads
    return replace(context, address=client_share(request.client.host if request.client else ""))


Reads = Annotated[ReadContext, Depends(_context_of)]


async def _own_account(reads: Reads, credentials: Credentials) -> str:
    return await reads.account_of(credentials)


OwnAccount = Annotated[str, Depends(_own_account)]
"""The account of the request's session, never one that the request names."""


async def _caller(request: Request) -> str:
    return client_network(request.client.host if request.client else "")


Caller = Annotated[str, Depends(_caller)]
"""The network that a request comes from: /24 of IPv4, /64 of IPv6."""


async def _as_of(
    reads: Reads,
    caller: Caller,
    response: Response,
    at: AtText = None,
    wait_for: WaitFor = None,
) -> At:
    if wait_for is not None:
        await reads.resolver.reach_tables(wait_for)
    if at is None:
        return NOW
    sequence = await reads.resolver.sequence_of(at, reads.address)
    state = await reads.resolver.states.state_at(sequence, caller)
    response.headers[AT_HEADER] = str(sequence)
    response.headers[STATE_HEADER] = state.state_hash
    return At(sequence)


AsOf = Annotated[At, Depends(_as_of)]
"""As of what the request is to be answered: its `at`, once that can be read."""
