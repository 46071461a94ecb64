"""What a command may fail with beyond the errors of `schemas`."""

from schemas.errors import InputError, OperatingError


class VenueUnreachable(OperatingError):
    code = "venue_unreachable"


class GatewayError(InputError):
    """What the gateway answered, with its stable code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.answer_code = code
