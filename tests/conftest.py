"""What holds for every test: profiles of hypothesis, order, workers, temporary folders, skips."""

from hypothesis import settings

from tests.support.drawing import profile
from tests.support.running import (
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_make_collect_report,
    pytest_runtest_makereport,
    use_memory_disk,
)

__all__ = [
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_make_collect_report",
    "pytest_runtest_makereport",
]

use_memory_disk()
settings.load_profile(profile())
