"""What may be used once: answered challenges, the nonces of programs, and what people signed.

They are kept on the broker, so that one is once for all gateways of the venue, and also after
a restart. Where that cannot be known, the answer is no.
"""

from typing import Literal, Protocol

from nats.aio.client import Client

from schemas import subjects
from schemas.chain import digest
from schemas.errors import AppendFailed, Busy, LogUnavailable
from streams.log.nats_client import create

NonceKind = Literal["challenge", "service", "retry", "runner"]


class Nonces(Protocol):
    """What has been used in its life."""

    async def use(self, kind: NonceKind, nonce: str, life_s: int) -> bool:
        """Use `nonce` up and tell whether this was the first time in `life_s`.

        Raises an OperatingError when that is not known: Busy where no more can be kept.
        """


class NatsNonces:
    """Implements `Nonces` by creating keys of the shard's bucket, each with its own life."""

    def __init__(self, client: Client, shard: str) -> None:
        self._client = client
        self._shard = shard

    async def use(self, kind: NonceKind, nonce: str, life_s: int) -> bool:
        """Use `nonce` up. See `Nonces`."""
        stream = subjects.nonces_stream(self._shard)
        subject = subjects.nonce(self._shard, kind, digest(nonce.encode()))
        try:
            return await create(self._client, stream, subject, life_s)
        except AppendFailed as error:
            raise Busy("too many requests are signed in too short a time") from error


class NoNonces:
    """Implements `Nonces` for a gateway that has no place to keep them: it lets nobody in."""

    async def use(self, kind: NonceKind, nonce: str, life_s: int) -> bool:
        """Refuse."""
        raise LogUnavailable("this gateway cannot tell what was used before")
