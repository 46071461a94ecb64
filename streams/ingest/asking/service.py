"""The LLM worker: loads the model, says whether it can be asked, and answers requests.

Without a model the worker says so once and idles; the venue goes on with computed points.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog

from schemas.subjects import REALITY, events, log_stream
from streams.ingest.asking.asker import Asker, announce
from streams.ingest.asking.llama import open_llama
from streams.ingest.asking.llm import LanguageModel, NoLlm
from streams.ingest.jobs.services import Bus, Consumer
from streams.ingest.limits import LLM_ACK_S
from streams.log.ports import Clock, Log

DURABLE: Final = "llm"
SWITCHED_OFF: Final = "LLM_MODE is disabled"
STOPPED: Final = "the worker was stopped"

LoadModel = Callable[[], LanguageModel | NoLlm]
_log = structlog.get_logger(__name__)


class LlmSettings(NamedTuple):
    """Whether to ask which model: LLM_MODE, LLM_MODEL and LLM_MODEL_SHA256."""

    enabled: bool
    model: Path
    sha256: str | None

    def load(self) -> LanguageModel | NoLlm:
        """Return the model, or why there is none. Takes seconds; call it in a thread."""
        return open_llama(self.model, self.sha256) if self.enabled else NoLlm(SWITCHED_OFF)


def consumer(shard: str, ack_wait_s: int = LLM_ACK_S) -> Consumer:
    """Return the worker's durable consumer of the reality engine's records."""
    return Consumer(
        stream=log_stream(shard),
        durable=DURABLE,
        subject=events(shard, REALITY),
        ack_wait_s=ack_wait_s,
        max_ack_pending=1,
    )


class AskingService:
    """One worker. It needs its own Bus."""

    def __init__(
        self, log: Log, clock: Clock, load: LoadModel, *, ack_wait_s: int = LLM_ACK_S
    ) -> None:
        self._log = log
        self._ack_wait_s = ack_wait_s
        self._clock = clock
        self._load = load
        self._asker: Asker | None = None
        self._state = {"mode": "loading", "reason": "", "model": ""}

    def status(self) -> dict[str, Any]:
        """Return whether the model can be asked, and the worker's position on the log."""
        return {**self._state, **(self._asker.status() if self._asker else {})}

    async def run(self, bus: Bus, stop: asyncio.Event) -> None:
        """Answer until `stop`. Raises Halt, and OperatingError when the broker stays away."""
        llm = await asyncio.to_thread(self._load)
        if isinstance(llm, NoLlm):
            self._state = {"mode": "disabled", "reason": llm.reason, "model": ""}
            await announce(self._log, self._clock, "disabled", llm.reason)
            await stop.wait()
            return
        try:
            await self._answer(llm, bus, stop)
        finally:
            await llm.close()

    async def _answer(self, llm: LanguageModel, bus: Bus, stop: asyncio.Event) -> None:
        self._asker = asker = Asker(self._log, self._clock, llm, stop)
        bus.consume(consumer(self._log.shard, self._ack_wait_s), asker.handle)
        await asker.say_enabled()
        self._state = {"mode": "enabled", "reason": "", "model": llm.name}
        await bus.serve(stop)
        self._state = {"mode": "disabled", "reason": STOPPED, "model": llm.name}
        await asker.say_disabled(STOPPED)
