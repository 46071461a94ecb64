"""How many examples a fuzz test draws: a few in `make test`, many in `python -m tests.fuzz`."""

import os
from typing import Final

from hypothesis import HealthCheck, Phase, settings

from tests.support.drawing import drawn

TIMES_VARIABLE: Final = "EVERYTHING_FUZZ_TIMES"
_TIMES: Final = int(os.environ.get(TIMES_VARIABLE, "1"))


def examples(count: int) -> settings:
    """Return settings for `count` examples in the short run.

    No deadline: how long one takes is bounded by what is tested, and asserted there.
    """
    phases = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
    checks = (
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
    )
    return settings(drawn(count * _TIMES, *checks), phases=phases)
