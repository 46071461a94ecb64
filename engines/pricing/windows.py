"""Volume over a moving window of log time, kept in buckets.

A window of W is 60 buckets of W/60. At time T it holds the bucket that T falls in and
the 59 before it. A trade counts from the moment it is known until between 59/60 and all of W
has passed: the last minute may lack up to a second at its far end, the last hour up to a
minute. Nothing older than W is ever in the window.
"""

from typing import Final

import msgspec

BUCKETS: Final = 60


class VolumeBucket(msgspec.Struct, array_like=True):
    """Taker volume of the time from `index * bucket_ns` on."""

    index: int
    buy_lots: int
    sell_lots: int


class VolumeWindow(msgspec.Struct, array_like=True):
    """The non-empty buckets, oldest first, and their sums."""

    bucket_ns: int
    buckets: list[VolumeBucket] = []
    buy_lots: int = 0
    sell_lots: int = 0

    def add(self, at_ns: int, buy_lots: int, sell_lots: int) -> None:
        """Enter volume traded at `at_ns`; a time before the newest bucket counts as in it."""
        index = at_ns // self.bucket_ns
        buckets = self.buckets
        if buckets and buckets[-1].index >= index:
            buckets[-1].buy_lots += buy_lots
            buckets[-1].sell_lots += sell_lots
        else:
            buckets.append(VolumeBucket(index, buy_lots, sell_lots))
        self.buy_lots += buy_lots
        self.sell_lots += sell_lots

    def sums(self, now_ns: int) -> tuple[int, int]:
        """Return the lots bought and sold in the window that ends at `now_ns`."""
        buy_lots, sell_lots = self.buy_lots, self.sell_lots
        oldest = now_ns // self.bucket_ns - BUCKETS + 1
        for bucket in self.buckets:
            if bucket.index >= oldest:
                break
            buy_lots -= bucket.buy_lots
            sell_lots -= bucket.sell_lots
        return buy_lots, sell_lots

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
        del self.buckets[:dropped]
        return True

    def due_ns(self) -> int | None:
        """Return when the oldest bucket leaves the window."""
        if not self.buckets:
            return None
        return (self.buckets[0].index + BUCKETS) * self.bucket_ns
