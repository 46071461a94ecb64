"""The log lines of every process: JSON on stderr, cut, and only so many a second for each cause.

What a stranger does may cost a line, and holds words of the stranger's. So no line is long, and
a flood of one kind leaves LINES_PER_SECOND of them; the next line of any kind counts the rest.
"""

import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog
from structlog.typing import EventDict

from deploy.limits import (
    LINES_PER_SECOND,
    MAX_LOG_CAUSES,
    MAX_LOGGED_CHARS,
    MAX_LOGGED_TRACE_CHARS,
)

_CAUSE: Final = "_cause"
_TRACE: Final = "exception"
_OTHERS: Final = "others"


def configure_logging(service: str) -> None:
    """Have structlog, and the libraries' own logging, write lines that name the service."""
    structlog.configure(
        processors=[
            LineSampler(time.monotonic),
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            cut,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(service=service, pid=os.getpid())
    logging.basicConfig(level=logging.WARNING, handlers=[_LibraryLines()], force=True)


class LineSampler:
    """A processor that drops what is more than LINES_PER_SECOND of one cause.

    A cause is an event with its `code` and `status`, or a line of a library's source.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._second = 0
        self._written: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def __call__(self, _: object, __: str, line: EventDict) -> EventDict:
        """Return the line, with `left_out` if others were. Raises structlog.DropEvent."""
        cause = line.pop(_CAUSE, None) or _cause_of(line)
        second = int(self._clock())
        with self._lock:
            left_out = self._left_out
            if second != self._second:
                self._second = second
                self._written.clear()
            elif left_out:
                left_out = Counter()  # it is told with the first line of another second
            if cause not in self._written and len(self._written) >= MAX_LOG_CAUSES:
                cause = _OTHERS
            self._written[cause] += 1
            if self._written[cause] > LINES_PER_SECOND:
                self._left_out[cause] += 1
                raise structlog.DropEvent
            if left_out:
                line["left_out"] = dict(left_out)
                left_out.clear()
        return line


def cut(_: object, __: str, line: EventDict) -> EventDict:
    """Cut each value of a line to MAX_LOGGED_CHARS; of a traceback the end says most."""
    for key, value in line.items():
        if value is None or isinstance(value, int | float):
            continue
        text = value if isinstance(value, str) else repr(value)
        if key == _TRACE:
            if len(text) > MAX_LOGGED_TRACE_CHARS:
                line[key] = f"… {text[-MAX_LOGGED_TRACE_CHARS:]}"
        elif len(text) > MAX_LOGGED_CHARS and key != "left_out":
            line[key] = f"{text[:MAX_LOGGED_CHARS]}… ({len(text)} characters)"
    return line


def _cause_of(line: EventDict) -> str:
    parts = (line.get("event"), line.get("code"), line.get("status"))
    return " ".join(str(part)[:MAX_LOGGED_CHARS] for part in parts if part is not None)


class _LibraryLines(logging.Handler):
    """Pass on what libraries log by the standard library's `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line. Its cause is where it comes from: its text may be a stranger's."""
        try:
            structlog.get_logger().log(
                record.levelno,
                record.getMessage(),
                logger=record.name,
                exc_info=record.exc_info,
                **{_CAUSE: f"{record.name}:{record.lineno}"},
            )
        except Exception:
            self.handleError(record)
