"""Why a fetch brought nothing, as an exception on its way to a SourceFetched."""

from typing import Final

from schemas.errors import EverythingError
from schemas.observations import FetchProblem

MAX_DETAIL_CHARS: Final = 200

REFUSED: Final = frozenset(
    {
        FetchProblem.BAD_URL,
        FetchProblem.ROBOTS,
        FetchProblem.RESTRICTED,
        FetchProblem.FORBIDDEN_ADDRESS,
        FetchProblem.TOO_LARGE,
        FetchProblem.TOO_MANY_REDIRECTS,
        FetchProblem.DTD,
    }
)
"""What we refuse ourselves: asking again would change nothing."""

PASSING: Final = frozenset(
    {FetchProblem.UNRESOLVED, FetchProblem.UNREACHABLE, FetchProblem.TOO_SLOW}
)
"""What may succeed a little later. Some of the HTTP_STATUS may, too."""

_PASSING_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class Unfetched(EverythingError):
    """Nothing was fetched. `detail` is our own text, never text of the other side."""

    code = "unfetched"

    def __init__(self, problem: FetchProblem, detail: str = "", status: int = 0) -> None:
        super().__init__(f"{problem.value}: {detail}" if detail else problem.value)
        self.problem = problem
        self.detail = detail[:MAX_DETAIL_CHARS]
        self.status = status

    @property
    def refused(self) -> bool:
        return self.problem in REFUSED

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed a little later."""
        if self.problem is FetchProblem.HTTP_STATUS:
            return self.status in _PASSING_STATUSES
        return self.problem in PASSING


class HostBusy(EverythingError):
    """The turn at the host is too far off to wait for. The job comes again in `seconds`."""

    code = "busy"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"in {seconds:.0f} s")
        self.seconds = seconds
