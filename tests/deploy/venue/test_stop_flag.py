"""Ctrl-C stops a venue wherever it comes: the flag takes no lock that its waiter may hold."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

import pytest

from deploy.venue.stop_flag import StopFlag
from deploy.venue.supervisor import Supervisor

pytestmark = pytest.mark.timeout(30)


def test_it_can_be_set_between_any_two_instructions_of_a_wait() -> None:
    """An Event hung there: `everything up` ignored Ctrl-C for good, once in some hundred times."""
    flag = StopFlag()
    interrupted: set[int] = set()

    def at_each_instruction(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code is not StopFlag.wait.__code__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            interrupted.add(frame.f_lasti)
            flag.set()
        return at_each_instruction

    before = sys.gettrace()
    sys.settrace(at_each_instruction)
    try:
        told = flag.wait(0)
    finally:
        sys.settrace(before)
    assert told
    assert len(interrupted) > 3


def test_a_signal_ends_the_waiting() -> None:
    supervisor = Supervisor(print)
    before = signal.signal(signal.SIGUSR1, lambda *_: supervisor.stopping.set())
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        while not supervisor.stopping.wait(0.001):
            pass
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert supervisor.stopping.is_set()
