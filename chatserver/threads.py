"""The threads in which requests do their synchronous work, and what is told there when a request begins and ends."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

import structlog
from asgiref.sync import ThreadSensitiveContext, sync_to_async

from chatserver.edge import Application, Receive, Scope, Send
from conversations.database import impatient

log = structlog.get_logger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


class Visit(Executor):
    """One request's use of the thread that was given to it.

    To go to a thread and come back costs as much as all else that Django does for a request, so nothing goes there
    alone that can go along: ``opening`` runs with the first work that is done there, and not at all if there is none.
    """

    def __init__(self, thread: Executor) -> None:
        self._thread = thread
        self._used = False
        self.opening: Callable[[], object] | None = None

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self._used = True
        opening, self.opening = self.opening, None
        if opening is None:
            return self._thread.submit(function, *args, **kwargs)
        return self._thread.submit(_after, opening, function, *args, **kwargs)

    def end(self, closing: Callable[[], object]) -> None:
        """Call ``closing`` in the thread, after all that was done there, and wait for nothing; if the request never was
        there, call it here. What it raises is logged: the answer is given.
        """
        if self._used:
            self._thread.submit(closing).add_done_callback(_told)
            return
        try:
            closing()
        except Exception as fault:
            log.error("a request could not be closed", exc_info=fault)


def _after(opening: Callable[[], object], function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    opening()
    return function(*args, **kwargs)


def _told(closing: Future[Any]) -> None:
    if (fault := closing.exception()) is not None:
        log.error("a request could not be closed", exc_info=fault)


_visit: ContextVar[Visit] = ContextVar("visit")


def visit() -> Visit:
    """That of the request that is served here. Raises LookupError where none is."""
    return _visit.get()


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call ``function`` in the thread of the request that is served here, as ``sync_to_async`` does, for two thirds of
    its price: what it sets in context variables stays there. Outside of ``OwnThreads`` it is ``sync_to_async``.
    """
    thread = _visit.get(None)
    if thread is None:
        return await sync_to_async(function)(*args, **kwargs)
    work = partial(copy_context().run, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(thread, work)


class OwnThreads:
    """Gives each request the least busy of eight single-thread executors for its synchronous work.

    Without it all requests of a process share one thread, so that one slow query makes everybody wait; with asgiref's
    own context each would start a thread and open a database file of its own. 100 signed-in streams: 14 threads.
    """

    def __init__(self, application: Application, *, threads: int = 8) -> None:
        self._application = application
        self._threads = [_OneThread(thread_name_prefix=f"request-{i}") for i in range(threads)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        thread = min(self._threads, key=_OneThread.load)
        thread.requests += 1
        mine = Visit(thread)
        served = _visit.set(mine)
        try:
            async with ThreadSensitiveContext(executor=mine):
                with impatient():
                    await self._application(scope, receive, send)
        finally:
            _visit.reset(served)
            thread.requests -= 1


class _OneThread(ThreadPoolExecutor):
    """A thread that knows how much is asked of it: a request must not queue behind one that waits, if another can."""

    def __init__(self, *, thread_name_prefix: str) -> None:
        super().__init__(max_workers=1, thread_name_prefix=thread_name_prefix)
        self.requests = 0
        self._calls: set[Future[Any]] = set()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        call = super().submit(function, *args, **kwargs)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return call

    def load(self) -> tuple[int, int]:
        return len(self._calls), self.requests
