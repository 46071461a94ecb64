"""The quotas of accounts, as the signed policy of the venue has them.

A refused command never reaches the log, which keeps what it has for ever. All counts are of
this process: each of several gateways gives every account the whole quota (decision 0060).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import structlog
from msgspec import UnsetType

from schemas.commands import Order, OrderCommand, PlaceOrder, PlaceOrders
from schemas.errors import OperatingError, TooManyFeeds
from schemas.limits import MAX_COMMAND_BYTES
from schemas.policy import Quota
from schemas.units import SECOND_NS
from streams.accounts.directory import Directory
from streams.accounts.errors import (
    TooManyBytes,
    TooManyCommands,
    TooManyOpenOrders,
    TooManyRequests,
)
from streams.accounts.limits import MAX_LIMITED_NAMES, OPEN_ORDERS_KNOWN_S
from streams.accounts.rate_limiter import Buckets, per_second, seconds
from streams.log.ports import Clock

_log = structlog.get_logger(__name__)

CountOpenOrders = Callable[[str], Awaitable[int]]
"""Counts what rests of an account, as the tables have it. Raises an OperatingError."""


async def count_none(_: str) -> int:
    """Count nothing: for a gateway without tables. The engine's own bound holds."""
    return 0


class _Counted(NamedTuple):
    """Open orders that an account has at most: those counted, and all it has sent since."""

    orders: int
    at_ns: int


class Quotas:
    """What each account has used of its quota. Without `quotas` in the policy there is none."""

    def __init__(
        self, directory: Directory, clock: Clock, count_open: CountOpenOrders = count_none
    ) -> None:
        self._directory: Final = directory
        self._clock: Final = clock
        self._count_open: Final = count_open
        self._commands: Final = Buckets(clock)
        self._bytes: Final = Buckets(clock)
        self._open: dict[str, _Counted] = {}
        self._counting: dict[str, asyncio.Task[None]] = {}
        # both hold only what is under way, which is bounded by the connections
        self._under_way: dict[str, int] = {}
        self._channels: dict[str, int] = {}

    def of(self, account: str) -> Quota | None:
        """Return the account's quota, None if the policy states none."""
        policy = self._directory.policy
        if policy is None or isinstance(policy.quotas, UnsetType):
            return None
        if self._directory.has_had_credit(account):
            return policy.quotas.of(account)
        return policy.quotas.of_newcomer(account)

    def native_connections(self, account: str) -> int | None:
        """Return how many connections `account` may hold natively, None without a quota."""
        quota = self.of(account)
        return None if quota is None else quota.native_connections

    def admit_command(self, account: str, size: int) -> None:
        """Count one command of `size` bytes. Raises TooManyCommands or TooManyBytes."""
        quota = self.of(account)
        if quota is None:
            return
        commands = per_second(quota.commands_per_s, quota.command_burst)
        # whatever its rate, an account may send the largest command that there is
        in_bytes = per_second(quota.bytes_per_s, max(quota.bytes_per_s, MAX_COMMAND_BYTES))
        if wait_ns := self._bytes.wait_ns(account, in_bytes, size):
            raise TooManyBytes("this account sends too much", seconds(wait_ns))
        if wait_ns := self._commands.take(account, commands):
            raise TooManyCommands("this account sends too many commands", seconds(wait_ns))
        self._bytes.take(account, in_bytes, size)

    async def admit_orders(self, account: str, count: int) -> None:
        """Count `count` orders that may come to rest. Raises TooManyOpenOrders.

        The tables are asked only when what was counted last, and all that was sent since,
        would be too much. They are behind the log and may be out of reach: then the bound is
        the exchange's own.
        """
        quota = self.of(account)
        if quota is None or not count:
            return
        if self._must_count(account, quota, count):
            await self._recount(account)
        self._admit_orders(account, quota, count)

    def admit_orders_now(self, account: str, count: int) -> None:
        """Do as `admit_orders` does, but never wait: what must be counted is so meanwhile.

        Until then what was known counts, and nothing where nothing was.
        """
        quota = self.of(account)
        if quota is None or not count:
            return
        if self._must_count(account, quota, count) and account not in self._counting:
            self._counting[account] = asyncio.create_task(self._recount(account))
            self._counting[account].add_done_callback(lambda _: self._counting.pop(account))
        self._admit_orders(account, quota, count)

    def _must_count(self, account: str, quota: Quota, count: int) -> bool:
        counted = self._open.get(account)
        return counted is None or (
            counted.orders + count > quota.open_orders
            and self._clock.now_ns() >= counted.at_ns + OPEN_ORDERS_KNOWN_S * SECOND_NS
        )

    def _admit_orders(self, account: str, quota: Quota, count: int) -> None:
        counted = self._open.get(account) or _Counted(0, 0)
        is_allowed = counted.orders + count <= quota.open_orders
        if is_allowed:
            counted = counted._replace(orders=counted.orders + count)
        self._keep(account, counted)
        if not is_allowed:
            problem = f"this account may have {quota.open_orders} open orders"
            raise TooManyOpenOrders(problem, OPEN_ORDERS_KNOWN_S)

    def _keep(self, account: str, counted: _Counted) -> None:
        self._open.pop(account, None)
        self._open[account] = counted
        if len(self._open) > MAX_LIMITED_NAMES:
            del self._open[next(iter(self._open))]

    async def _recount(self, account: str) -> None:
        """Ask the tables what rests of `account`."""
        asked_ns = self._clock.now_ns()
        try:
            async with asyncio.timeout(OPEN_ORDERS_KNOWN_S):
                orders = await self._count_open(account)
        except (OperatingError, TimeoutError) as error:
            _log.warning("open orders are not counted", error=repr(error))
            orders = 0
        # another request may have counted meanwhile, and have sent orders since
        newest = self._open.get(account)
        if newest is None or newest.at_ns < asked_ns:
            self._keep(account, _Counted(orders, self._clock.now_ns()))

    @contextmanager
    def request(self, account: str) -> Iterator[None]:
        """Hold one of the account's HTTP connections. Raises TooManyRequests."""
        quota = self.of(account)
        if quota is not None and self._under_way.get(account, 0) >= quota.http_connections:
            raise TooManyRequests("too many requests and feeds of this account are open")
        _add(self._under_way, account, 1)
        try:
            yield
        finally:
            _add(self._under_way, account, -1)

    def follow(self, account: str, channels: int) -> Callable[[], None]:
        """Hold a connection and `channels`; return what gives them back. Raises TooManyFeeds."""
        quota = self.of(account)
        if quota is not None:
            if self._under_way.get(account, 0) >= quota.http_connections:
                raise TooManyFeeds("too many requests and feeds of this account are open")
            if self._channels.get(account, 0) + channels > quota.channels:
                raise TooManyFeeds(f"this account may follow {quota.channels} channels")
        _add(self._under_way, account, 1)
        _add(self._channels, account, channels)

        def leave() -> None:
            _add(self._under_way, account, -1)
            _add(self._channels, account, -channels)

        return leave


def _add(counts: dict[str, int], account: str, count: int) -> None:
    counts[account] = counts.get(account, 0) + count
    if not counts[account]:
        del counts[account]


def may_rest(command: OrderCommand) -> int:
    """Return how many orders of a command could come to rest in a book."""
    match command:
        case PlaceOrder():
            return _rests(command)
        case PlaceOrders():
            return sum(map(_rests, command.orders))
        case _:
            return 0


def _rests(order: PlaceOrder | Order) -> int:
    return int(order.order_type == "limit" and order.time_in_force == "gtc")
