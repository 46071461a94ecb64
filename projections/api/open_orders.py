"""How many orders of an account rest, for the part that lets it place more."""

from projections.api.store import NOW, ReadStore


async def count_open_orders(store: ReadStore, account: str) -> int:
    """Return how many orders of `account` rest as of the tables. Raises StoreUnavailable."""
    async with store.view(NOW, f"account {account}") as view:
        row = await view.one(
            "SELECT count(*) AS orders FROM orders WHERE account = $1 AND status = 'open'",
            (account,),
        )
    return int(row["orders"]) if row else 0
