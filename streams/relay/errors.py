"""What the relay says to a native client, beside what the gateway says, too."""

from schemas.errors import InputError


class HeaderRefused(InputError):
    """A header that asks JetStream for something, of which a trader has no part."""

    code = "header_refused"


class BatchRefused(HeaderRefused):
    """A JetStream batch. Several orders go together in one `place_orders`."""

    code = "batch_refused"
