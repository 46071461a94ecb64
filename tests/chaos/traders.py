"""Traders: programs that trade through the venue's doors while it is being killed.

A trader reconnects for as long as it takes. What it got no answer for it repeats to the
letter most of the time, as a careful client does, and sometimes leaves alone.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final, Protocol

import httpx

from schemas import signatures, subjects
from schemas.errors import AppendUnknown, EverythingError, LogUnavailable
from schemas.sessions import opening_text
from streams.broker import roles
from streams.log import publishing
from streams.log.nats_wire import Wire, status_of
from tests.chaos.ledger import Answer, Ledger
from tests.chaos.mix import Asked, Mix, http_request

ANSWER_WITHIN_S: Final = 15
RECONNECT_S: Final = 0.3
REPEATS: Final = 6
REPEAT_SHARE: Final = 0.7
UNKNOWN: Final = Answer("unknown")


class Door(Protocol):
    """One account's way in."""

    name: str

    async def ready(self, stop: asyncio.Event) -> bool:
        """Be connected, however long that takes; False once `stop` is set."""

    async def hand_in(self, asked: Sequence[Asked]) -> list[Answer]:
        """Send commands and return what is known of each."""

    async def close(self) -> None: ...


async def rest(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but not beyond `stop`."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


class NativeDoor:
    """The account's own connection to NATS, by its key; commands go out without waiting."""

    def __init__(self, url: str, account: str, seed: str, name: str = "native") -> None:
        self.name = name
        self._url = url
        self._account = account
        self._seed = seed
        self._subject = subjects.order_command(subjects.DEFAULT_SHARD, account)
        self._wire: Wire | None = None
        self._pending: set[asyncio.Future[Answer]] = set()

    async def ready(self, stop: asyncio.Event) -> bool:
        while not stop.is_set():
            if self._wire is not None and not self._wire.lost:
                return True
            try:
                self._wire = await Wire.open(
                    self._url,
                    name="orders",
                    seed=self._seed,
                    inbox_prefix=roles.inbox(self._account),
                )
                self._wire.when_lost(self._lost)
            except LogUnavailable:
                await rest(stop, RECONNECT_S)
        return False

    async def hand_in(self, asked: Sequence[Asked]) -> list[Answer]:
        wire = self._wire
        assert wire is not None
        return list(await asyncio.gather(*(self._single(wire, one.payload) for one in asked)))

    async def close(self) -> None:
        if self._wire is not None:
            await self._wire.close()

    async def _single(self, wire: Wire, payload: bytes) -> Answer:
        answer = self._expected()

        def acked(header: bytes, body: bytes) -> None:
            self._answered(answer, header, body)

        reply = wire.expect(self._subject, acked)
        try:
            wire.write(publishing.single(self._subject.encode(), reply, payload))
            await wire.drain()
            return await asyncio.wait_for(answer, ANSWER_WITHIN_S)
        except (LogUnavailable, TimeoutError):
            return UNKNOWN
        finally:
            self._pending.discard(answer)
            wire.forget(reply)

    def _expected(self) -> "asyncio.Future[Answer]":
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending.add(answer)
        return answer

    @staticmethod
    def _answered(answer: "asyncio.Future[Answer]", header: bytes, payload: bytes) -> None:
        if answer.done():
            return
        ack = publishing.read_ack(status_of(header), payload)
        if ack.text.startswith(AppendUnknown.code):
            answer.set_result(UNKNOWN)
        elif ack.error:
            answer.set_result(Answer("refused", 0, f"{ack.error} {ack.text}"))
        else:
            answer.set_result(Answer("acked", ack.sequence))

    def _lost(self) -> None:
        for answer in self._pending:
            if not answer.done():
                answer.set_result(UNKNOWN)


class HttpDoor:
    """The account's session at the gateway; one request at a time."""

    name = "http"

    def __init__(self, url: str, account: str, seed: str) -> None:
        self._account = account
        self._seed = seed
        self._http = httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=ANSWER_WITHIN_S)
        self._token = ""
        self._number = 0

    async def ready(self, stop: asyncio.Event) -> bool:
        while not stop.is_set():
            if self._token:
                return True
            try:
                await self._open_session()
            except (httpx.HTTPError, EverythingError):
                await rest(stop, RECONNECT_S)
        return False

    async def hand_in(self, asked: Sequence[Asked]) -> list[Answer]:
        return [await self._ask(one) for one in asked]

    async def close(self) -> None:
        await self._http.aclose()

    async def _open_session(self) -> None:
        challenge = await self._post("/session/challenge", {"account": self._account})
        nonce, venue_id = challenge["nonce"], challenge["venue_id"]
        text = opening_text(self._account, nonce, venue_id)
        signature = signatures.sign(self._seed, text)
        proof = {"account": self._account, "nonce": nonce, "signature": signature}
        self._token = (await self._post("/session", proof))["token"]

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = await self._http.post(path, json=body)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer

    async def _ask(self, asked: Asked) -> Answer:
        assert asked.command is not None
        path, body = http_request(asked.command)
        self._number += 1
        wait = {"wait": "outcome"} if self._number % 3 == 0 else {}
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            response = await self._http.post(path, json=body, params=wait, headers=headers)
        except httpx.HTTPError:
            return UNKNOWN
        if response.is_success:
            return Answer("acked", response.json()["sequence"])
        if response.status_code >= 500:
            return UNKNOWN
        if response.status_code == 401:
            self._token = ""
        return Answer("refused", 0, f"{response.status_code} {response.json()['error']['code']}")


class Trader:
    """Trade until told to stop, `at_once` commands and then a pause of about `pause_s`."""

    def __init__(self, door: Door, mix: Mix, ledger: Ledger, at_once: int, pause_s: float) -> None:
        self._door = door
        self._mix = mix
        self._ledger = ledger
        self._at_once = at_once
        self._pause_s = pause_s

    async def run(self, stop: asyncio.Event) -> None:
        rng = self._mix.random
        try:
            while await self._door.ready(stop):
                asked = [self._mix.next() for _ in range(rng.randint(1, 2 * self._at_once - 1))]
                await self.hand_in_all(asked, stop)
                await rest(stop, self._pause_s * rng.uniform(0.5, 1.5))
        finally:
            await self._door.close()

    async def hand_in_all(self, asked: list[Asked], stop: asyncio.Event) -> None:
        """Send commands, and again what got no answer, and note what became of each."""
        for _ in range(REPEATS):
            entries = [
                self._ledger.attempt(self._mix.account, one, self._door.name) for one in asked
            ]
            answers = await self._door.hand_in(asked)
            again = []
            for one, entry, answer in zip(asked, entries, answers, strict=True):
                self._ledger.heard(entry, answer)
                if answer.fate == "acked":
                    self._mix.acked(one, answer.sequence)
                elif answer.fate == "unknown":
                    again.append(one)
            asked = again
            if not asked or self._mix.random.random() > REPEAT_SHARE:
                return
            if not await self._door.ready(stop):
                return
