"""Every task has an owner: the one place that makes them."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

import structlog

log = structlog.get_logger(__name__)
T = TypeVar("T")
HEARD_WITHIN = 3.0  # longer than anybody needs to tidy up


class TaskRegistry:
    """Owns tasks from their start to their end. The loop itself holds only weak references to them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, Any], *, name: str, awaited: bool = False) -> asyncio.Task[Any]:
        """Start ``work`` in a fresh context and keep hold of it. Its exception is logged, unless it is ``awaited`` by
        somebody who deals with that.

        A fresh context, because a task that inherits a request's makes each database call in a private thread of
        that finished request: one more thread and one more open database for as long as the task lives.
        """
        task = asyncio.get_running_loop().create_task(work, name=name, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._forget if awaited else self._ended)
        return task

    def result_of(
        self, work: Callable[[], Coroutine[Any, Any, T]], *, loop: asyncio.AbstractEventLoop, name: str, within: float
    ) -> T:
        """For a thread: what ``work`` comes to in the loop. Raises what it raises, and TimeoutError after ``within``
        seconds, when it goes on alone.
        """
        result: Future[T] = Future()

        def begin() -> None:
            self.spawn(work(), name=name, awaited=True).add_done_callback(partial(_hand_over, result))

        loop.call_soon_threadsafe(begin)
        return result.result(within)

    async def cancel_all(self) -> None:
        """Cancel what still runs and wait for its end. Who has not heard is told again: in Python 3.11
        ``asyncio.wait_for`` may swallow a cancellation, and libraries use it.
        """
        tasks = {task for task in self._tasks if task is not asyncio.current_task()}
        while tasks:
            for task in tasks:
                task.cancel()
            ended, tasks = await asyncio.wait(tasks, timeout=HEARD_WITHIN)
            for task in ended:
                _ = task.cancelled() or task.exception()  # it is nobody's any more
            if tasks:
                log.warning("tasks have not heard that they are cancelled", tasks=[task.get_name() for task in tasks])

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._forget(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("task failed", task=task.get_name(), exc_info=fault)


def _hand_over(result: "Future[T]", task: "asyncio.Task[T]") -> None:
    if task.cancelled():
        result.cancel()
    elif (fault := task.exception()) is not None:
        result.set_exception(fault)
    else:
        result.set_result(task.result())
