"""The store of raw bytes: documents as they came, for as long as their bucket keeps them."""

import asyncio
from typing import Protocol

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError
from nats.js.object_store import ObjectStore

from schemas import subjects
from schemas.errors import LogUnavailable
from schemas.limits import APPEND_TIMEOUT_S


class RawStore(Protocol):
    """Where bytes are kept as they came, for a while."""

    async def put(self, name: str, data: bytes) -> None:
        """Keep `data` as `name`. Raises an OperatingError."""


class NatsRawStore:
    """Implements `RawStore` on the shard's object store bucket, whose life is bounded."""

    def __init__(self, client: Client, shard: str) -> None:
        self._client = client
        self._bucket = subjects.raw_bucket(shard)
        self._store: ObjectStore | None = None

    async def put(self, name: str, data: bytes) -> None:
        """Keep `data`; what is there already stays. Raises LogUnavailable."""
        try:
            async with asyncio.timeout(APPEND_TIMEOUT_S):
                store = await self._opened()
                if not await _has(store, name):
                    await store.put(name, data)
        except (NatsError, TimeoutError) as error:
            raise LogUnavailable(f"{self._bucket}: {type(error).__name__}") from error

    async def _opened(self) -> ObjectStore:
        if self._store is None:
            js = self._client.jetstream(timeout=APPEND_TIMEOUT_S)
            self._store = await js.object_store(self._bucket)
        return self._store


async def _has(store: ObjectStore, name: str) -> bool:
    try:
        await store.get_info(name)
    except NotFoundError:
        return False
    return True
