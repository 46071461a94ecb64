"""The read API: what the tables say, over HTTP. It appends nothing and decides nothing."""

from projections.api.router import create_read_router
from projections.api.status import create_status_router

__all__ = ["create_read_router", "create_status_router"]
