"""Found a throwaway venue with many markets and accounts, by signed messages only."""

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Final

from deploy.venue import keys
from deploy.venue.paths import NOTARY_KEY, VenuePaths
from schemas import signatures, subjects
from schemas.chain import digest
from schemas.codec import encode
from schemas.commands import AccountOpening, OpenAccount
from schemas.decisions import (
    AddSource,
    Decision,
    Genesis,
    ListMarket,
    Mint,
    SignedDecision,
)
from schemas.policy import SEED_PLAN, Policy
from schemas.sources import Source
from schemas.units import HOUR_NS
from streams.log.nats_log import NatsLog
from tests.support.policies import widened

SHARD: Final = subjects.DEFAULT_SHARD
RICH_CENTS: Final = 10**10
POOR_CENTS: Final = 50_000
_KNOWN_WITHIN_S: Final = 30
_LOOK_EVERY_S: Final = 0.05
POOR_EVERY: Final = 10
"""Every tenth account can pay for a few orders only, so that some are refused for funds."""


class Founder:
    """Signs and appends what a venue begins with. Seeds of accounts are in `seeds`."""

    def __init__(self, place: VenuePaths, log: NatsLog, rules: Policy | None = None) -> None:
        self._place = place
        self._log = log
        self._rules = rules or widened(SEED_PLAN)
        self._root = keys.ensure(place.home.keys, "root")
        self.venue_id = ""
        self._counter = 0
        self.seeds: dict[str, str] = {}

    async def found(
        self, symbols: Sequence[str], accounts: Sequence[str], sources: Sequence[Source] = ()
    ) -> int:
        """Append the genesis, accounts, markets, sources, mints; return the last sequence."""
        genesis = Genesis(
            venue="chaos",
            root_key=signatures.public_key(self._root),
            notary_key=signatures.public_key(keys.ensure(self._place.home.keys, NOTARY_KEY)),
            policy=self._rules,
            time_ns=time.time_ns(),
        )
        text = encode(genesis)
        self.venue_id = digest(text)
        await self._log.found(*self._signed(text))
        await self._until_known()
        messages = [self._opening(account) for account in accounts]
        for symbol in symbols:
            messages.append(
                self._decision(ListMarket, symbol=symbol, name=symbol, market_type="technology")
            )
        messages += [self._decision(AddSource, source=source) for source in sources]
        for number, account in enumerate(accounts):
            cents = RICH_CENTS if (number + 1) % POOR_EVERY else POOR_CENTS
            messages.append(self._decision(Mint, account=account, amount_cents=cents))
        return await self._append(messages)

    async def open(self, accounts: Sequence[str], cents: int = 0) -> int:
        """Open more accounts, with credits or without; return the last sequence."""
        messages = [self._opening(account) for account in accounts]
        if cents:
            mints = [self._decision(Mint, account=one, amount_cents=cents) for one in accounts]
            messages += mints
        return await self._append(messages)

    async def decide(self, kind: type[Decision], *fields: Mapping[str, object]) -> int:
        """Sign and append one decision for each of `fields`; return the last sequence."""
        return await self._append([self._decision(kind, **given) for given in fields])

    async def _append(self, messages: list[tuple[str, bytes]]) -> int:
        # one by one: the log may have no room for another batch while others hold theirs open
        last = 0
        for subject, payload in messages:
            last = await self._log.send(subject, payload)
        return last

    async def _until_known(self) -> None:
        """Wait until the exchange knows the venue, for which alone it opens accounts."""
        end = time.monotonic() + _KNOWN_WITHIN_S
        while await self._log.last(subjects.events(SHARD, subjects.EXCHANGE)) is None:
            assert time.monotonic() < end, "the exchange does not learn of the venue"
            await asyncio.sleep(_LOOK_EVERY_S)

    def _signed(self, text: bytes) -> tuple[str, bytes]:
        key = signatures.public_key(self._root)
        signed = SignedDecision(key, text.decode(), signatures.sign(self._root, text))
        return subjects.admin_command(SHARD, key), encode(signed)

    def _decision(self, kind: type[Decision], **fields: object) -> tuple[str, bytes]:
        self._counter += 1
        decision = kind(
            venue_id=self.venue_id,
            counter=self._counter,
            expires_ns=time.time_ns() + HOUR_NS,
            **fields,
        )
        return self._signed(encode(decision))

    def _opening(self, account: str) -> tuple[str, bytes]:
        seed = signatures.seed_from(secrets.token_bytes(signatures.SEED_BYTES))
        self.seeds[account] = seed
        key, now_ns = signatures.public_key(seed), time.time_ns()
        opening = AccountOpening(
            account=account, public_key=key, client_time_ns=now_ns, venue_id=self.venue_id
        )
        command = OpenAccount(now_ns, key, signatures.sign(seed, encode(opening)))
        return subjects.account_command(SHARD, account), encode(command)
