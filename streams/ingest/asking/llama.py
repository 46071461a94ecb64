"""llama.cpp behind the port: one question at a time, in its own thread.

On one machine the answer depends only on the prompt, the schema and the model's file:
temperature 0, a fixed seed, a fixed number of threads, and no state between questions.
Another CPU may add in another order; a replay uses the recorded answer.

The text of a prompt never becomes a control token: it is tokenized as plain text. Only the
end of a turn in the template becomes the model's own token.
"""

import asyncio
import ctypes
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from streams.ingest.asking.llm import Ended, NoLlm, Said
from streams.ingest.asking.model_file import ModelFile, WrongFile, checked
from streams.ingest.asking.prompt import TURN_END
from streams.ingest.limits import LLM_BATCH_TOKENS, LLM_CONTEXT_TOKENS, LLM_THREADS, MAX_LLM_TOKENS

NOT_INSTALLED: Final = "llama-cpp-python is not installed: see make models"
NOT_LOADED: Final = "llama.cpp cannot load the model"
SEED: Final = 1


class LlamaCpp:
    """Implements `llm.LanguageModel`. Made by `open_llama`."""

    def __init__(self, library: Any, file: ModelFile, *, threads: int = LLM_THREADS) -> None:
        """Load the model. Raises what llama.cpp raises when that fails."""
        self._file = file
        self._library = library
        self._model = library.Llama(
            str(file.path),
            n_ctx=LLM_CONTEXT_TOKENS,
            n_batch=LLM_BATCH_TOKENS,
            n_threads=threads,
            n_threads_batch=threads,
            seed=SEED,
            verbose=False,
        )
        self._call = _Call(0.0)
        # llama.cpp calls this between its steps, also while it reads the prompt.
        self._is_over = library.ggml_abort_callback(lambda _: self._call.is_over())
        library.llama_set_abort_callback(self._model.ctx, self._is_over, ctypes.c_void_p(0))
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="llm")

    @property
    def name(self) -> str:
        return self._file.name

    def fits(self, prompt: str) -> bool:
        """Tell whether `prompt` leaves room for an answer. See `llm.LanguageModel`."""
        return len(self._tokens(prompt)) <= LLM_CONTEXT_TOKENS - MAX_LLM_TOKENS

    async def ask(self, prompt: str, schema: Mapping[str, Any], within_s: float) -> Said:
        """Return what the model says. See `llm.LanguageModel`."""
        call = _Call(time.monotonic() + within_s)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._answer, call, prompt, schema)
        finally:
            call.cut = True  # after a cancellation the thread goes on until it checks this

    async def close(self) -> None:
        """Cut the call under way short and free the model."""
        self._call.cut = True
        await asyncio.to_thread(self._thread.shutdown)
        self._model.close()

    def _tokens(self, prompt: str) -> list[int]:
        model = self._model
        tokens = [model.token_bos()]
        for position, turn in enumerate(prompt.split(TURN_END)):
            if position:
                tokens.append(model.token_eos())
            tokens += model.tokenize(turn.encode(), add_bos=False, special=False)
        return tokens

    def _answer(self, call: "_Call", prompt: str, schema: Mapping[str, Any]) -> Said:
        """Generate token by token until the model ends or a bound is reached."""
        self._call = call
        grammar = self._library.LlamaGrammar.from_json_schema(json.dumps(schema), verbose=False)
        said: list[int] = []
        ended: Ended = "length"
        self._model.reset()  # or the start of the last prompt would be reused
        try:
            for token in self._model.generate(self._tokens(prompt), temp=0.0, grammar=grammar):
                if token == self._model.token_eos():
                    ended = "end"
                    break
                said.append(token)
                if call.is_over() or len(said) == MAX_LLM_TOKENS:
                    break
        except RuntimeError:
            if not call.is_over():
                raise
        text = self._model.detokenize(said).decode("utf-8", "replace")
        return Said(text, "time" if call.is_over() else ended)


class _Call:
    """The end of one call: by time, or by `cut`."""

    def __init__(self, until_s: float) -> None:
        self._until_s = until_s
        self.cut = False

    def is_over(self) -> bool:
        return self.cut or time.monotonic() >= self._until_s


def open_llama(path: Path, sha256: str | None, *, threads: int = LLM_THREADS) -> LlamaCpp | NoLlm:
    """Load the model at `path`, which must have the stated SHA-256, or return why not.

    It reads the whole file, so call it in a thread.
    """
    file = checked(path, sha256)
    if isinstance(file, WrongFile):
        return NoLlm(file.reason)
    try:
        import llama_cpp
    except ImportError:
        return NoLlm(NOT_INSTALLED)
    try:
        return LlamaCpp(llama_cpp, file, threads=threads)
    except (RuntimeError, ValueError, OSError, AssertionError):
        return NoLlm(NOT_LOADED)
