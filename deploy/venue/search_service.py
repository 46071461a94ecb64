"""Search by meaning for the read API: the search process is asked over the broker."""

from typing import Final

import msgspec
from nats.aio.client import Client

from projections.limits import SEARCH_ANSWER_S
from schemas import subjects
from schemas.asks import SEARCH, SimilarAsked, SimilarTold
from schemas.codec import encode
from schemas.errors import LogUnavailable
from streams.log.nats_requests import ask

_decode: Final = msgspec.json.Decoder(SimilarTold).decode


class SearchService:
    """Asks on `connection`, whose inbox is where the search process may answer."""

    def __init__(self, connection: Client, shard: str) -> None:
        self._connection = connection
        self._subject = subjects.ask(shard, SEARCH)

    async def similar(self, asked: SimilarAsked) -> SimilarTold:
        """Return what is alike. Raises LogUnavailable when nobody answers in time."""
        answer = await ask(self._connection, self._subject, encode(asked), SEARCH_ANSWER_S)
        try:
            return _decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise LogUnavailable("the search process answers in another version") from error
