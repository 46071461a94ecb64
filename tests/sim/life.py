"""Processes that die: a life counts its steps, and at the drawn one it is killed.

A step is what a task does between two awaits, so a life can end at every await of the
program, in whichever of its tasks that is. What dies with it are its connections first:
what is left of its tasks is then cancelled, and whatever they try on their way out comes
to nothing, as it would after kill -9.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar, copy_context
from typing import Any, Final

LIFE: Final[ContextVar["Life | None"]] = ContextVar("life", default=None)


class Life:
    """One run of one process. `steps` is after how many it is killed, None for never."""

    def __init__(self, name: str, steps: int | None = None) -> None:
        self.name = name
        self.alive = True
        self.killed = False
        self.passed = 0
        self.stop = asyncio.Event()
        """Set to have it end in peace, as SIGTERM does."""
        self.connections: list[object] = []
        self.host: Any = None
        """The engine host that runs in it, if one does."""
        self._steps = steps
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._mortal: list[Callable[[], None]] = []

    def dies_with(self, end: Callable[[], None]) -> None:
        """Have `end` called when this life is over."""
        self._mortal.append(end)

    def spawn(self, coro: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run `coro` as a task of this life."""
        context = copy_context()
        context.run(LIFE.set, self)
        return asyncio.get_running_loop().create_task(coro, context=context)

    def took(self, task: "asyncio.Task[Any]") -> None:
        """Note a task that this life has started."""
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    def step(self) -> bool:
        """Count one step; return False if it is one too many."""
        self.passed += 1
        if self._steps is not None and self.passed >= self._steps and self.alive:
            self.kill()
            return False
        return True

    def let_live(self) -> None:
        """Take back that this life is cut short."""
        self._steps = None

    def kill(self) -> None:
        """End this life now, as kill -9 does."""
        self.killed = self.killed or self.alive
        self.end()

    def end(self) -> None:
        """End what belongs to this life."""
        if not self.alive:
            return
        self.alive = False
        for end in self._mortal:
            end()
        current = asyncio.current_task()
        for task in list(self._tasks):
            if task is not current:
                task.cancel()

    async def gone(self) -> None:
        """Return once no task of this life is left."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))


class _Counted(Coroutine[Any, Any, Any]):
    """A coroutine whose steps its life counts."""

    def __init__(self, coro: Coroutine[Any, Any, Any], life: Life) -> None:
        self._coro = coro
        self._life = life

    def send(self, value: Any) -> Any:
        if self._life.step():
            return self._coro.send(value)
        return self._coro.throw(asyncio.CancelledError())

    def throw(self, *error: Any) -> Any:
        return self._coro.throw(*error)

    def close(self) -> None:
        self._coro.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        raise TypeError("only a task runs this")


def make_task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> "asyncio.Task[Any]":
    """Make a task; the loop's task factory. It belongs to the life that starts it."""
    context = options.get("context")
    life = LIFE.get() if context is None else context.get(LIFE)
    if life is None:
        return asyncio.Task(coro, loop=loop, **options)
    task = asyncio.Task(_Counted(coro, life), loop=loop, **options)
    life.took(task)
    return task
