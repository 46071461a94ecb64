"""Locks by name. A lock exists only while somebody uses it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Locks:
    """One lock per name, dropped when nobody holds or awaits it."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, list[None]]] = {}

    @contextlib.asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Hold the lock of `name`."""
        lock, users = self._locks.setdefault(name, (asyncio.Lock(), []))
        users.append(None)
        try:
            async with lock:
                yield
        finally:
            users.pop()
            if not users:
                del self._locks[name]

    def __len__(self) -> int:
        return len(self._locks)
