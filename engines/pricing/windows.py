"""Volume over a moving window of log time, kept in buckets.

A window of W is 60 buckets of W/60. At time T it holds the bucket that T falls in and
the 59 before it. A trade counts from the moment it is known until between 59/60 and all of W
has passed: the last minute may lack up to a second at its far end, the last hour up to a
minute. Nothing older than W is ever in the window. Each account that took is kept with the
newest bucket in which it did, so it is counted once and leaves with that bucket.
"""

from itertools import islice
from typing import Final, NamedTuple

import msgspec

from engines.pricing.limits import MAX_COUNTED_ACCOUNTS
from schemas.events.pricing import VolumeTraded

BUCKETS: Final = 60


class VolumeBucket(msgspec.Struct, array_like=True):
    """Taker volume of the time from `index * bucket_ns` on."""

    index: int
    buy_lots: int
    sell_lots: int


class WindowVolume(NamedTuple):
    """What takers bought and sold in a window, and how many accounts they are."""

    buy_lots: int
    sell_lots: int
    buyers: int
    sellers: int


class VolumeWindow(msgspec.Struct, array_like=True):
    """The non-empty buckets, oldest first, their sums, and who took in which, oldest first."""

    bucket_ns: int
    buckets: list[VolumeBucket] = []
    buy_lots: int = 0
    sell_lots: int = 0
    buyers: dict[str, int] = {}
    sellers: dict[str, int] = {}

    def add(self, event: VolumeTraded) -> None:
        """Enter volume; a time before the newest bucket counts as in it."""
        index = event.at_ns // self.bucket_ns
        buckets = self.buckets
        if buckets and buckets[-1].index >= index:
            index = buckets[-1].index
            buckets[-1].buy_lots += event.buy_lots
            buckets[-1].sell_lots += event.sell_lots
        else:
            buckets.append(VolumeBucket(index, event.buy_lots, event.sell_lots))
        self.buy_lots += event.buy_lots
        self.sell_lots += event.sell_lots
        for taker in event.takers:
            if taker.buy_lots:
                _seen(self.buyers, taker.account, index)
            if taker.sell_lots:
                _seen(self.sellers, taker.account, index)

    def sums(self, now_ns: int) -> WindowVolume:
        """Return what was taken in the window that ends at `now_ns`."""
        buy_lots, sell_lots = self.buy_lots, self.sell_lots
        oldest = now_ns // self.bucket_ns - BUCKETS + 1
        for bucket in self.buckets:
            if bucket.index >= oldest:
                break
            buy_lots -= bucket.buy_lots
            sell_lots -= bucket.sell_lots
        gone = [_before(accounts, oldest) for accounts in (self.buyers, self.sellers)]
        return WindowVolume(
            buy_lots, sell_lots, len(self.buyers) - gone[0], len(self.sellers) - gone[1]
        )

    def shrink(self, buy_lots: int, sell_lots: int) -> bool:
        """Drop the oldest buckets until the sums are these; return False if they never are.

        No bucket is empty, so the sums say which buckets were still in the window. By this
        the state follows from an event that states sums but no time.
        """
        dropped = 0
        while (self.buy_lots, self.sell_lots) != (buy_lots, sell_lots):
            if dropped == len(self.buckets):
                return False
            self.buy_lots -= self.buckets[dropped].buy_lots
            self.sell_lots -= self.buckets[dropped].sell_lots
            dropped += 1
        if dropped:
            last = self.buckets[dropped - 1].index
            del self.buckets[:dropped]
            for accounts in (self.buyers, self.sellers):
                for name in [*islice(accounts, _before(accounts, last + 1))]:
                    del accounts[name]
        return True

    def due_ns(self) -> int | None:
        """Return when the oldest bucket leaves the window."""
        if not self.buckets:
            return None
        return (self.buckets[0].index + BUCKETS) * self.bucket_ns


def _seen(accounts: dict[str, int], account: str, index: int) -> None:
    """Put an account last, with the bucket in which it took; one too many forgets the first."""
    accounts.pop(account, None)
    accounts[account] = index
    if len(accounts) > MAX_COUNTED_ACCOUNTS:
        del accounts[next(iter(accounts))]


def _before(accounts: dict[str, int], oldest: int) -> int:
    """Return how many accounts last took in a bucket before `oldest`."""
    count = 0
    for index in accounts.values():
        if index >= oldest:
            break
        count += 1
    return count
