"""How many examples hypothesis draws: a profile scales what each test asks for.

`dev` (the default) and `ci` draw what the tests name, `ci` the same ones in each run and with a
line that repeats a failure; `nightly` draws twenty times as many, with new seeds.
EVERYTHING_HYPOTHESIS names the profile.
"""

import os
from typing import Final

from hypothesis import HealthCheck, settings

PROFILE_VARIABLE: Final = "EVERYTHING_HYPOTHESIS"
TIMES: Final = {"dev": 1, "ci": 1, "nightly": 20}

# No deadline: how long an example takes says more of the machine's load than of the code.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile("nightly", deadline=None, max_examples=2_000, print_blob=True)


def profile() -> str:
    """Return the profile's name. CI is told by the variable that every CI sets."""
    return os.environ.get(PROFILE_VARIABLE) or ("ci" if os.environ.get("CI") else "dev")


def drawn(count: int, *suppressed: HealthCheck) -> settings:
    """Return settings that draw `count` examples, times what the profile asks for."""
    return settings(
        max_examples=count * TIMES[profile()], deadline=None, suppress_health_check=suppressed
    )
