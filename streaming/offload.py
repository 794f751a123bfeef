"""Database work of the engine, off the loop: a few threads of its own, never a request's."""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import close_old_connections

P = ParamSpec("P")
R = TypeVar("R")


class Offload:
    """Calls functions in one of ``threads`` threads. Each call leaves no connection behind that has outlived its age.

    asgiref's thread-sensitive calls are not used here: they would tie a run to the request that began it.
    """

    def __init__(self, *, threads: int = 4) -> None:
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="engine")

    async def __call__(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        work = functools.partial(_in_thread, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, contextvars.Context().run, work)

    def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    close_old_connections()
    try:
        return function(*args, **kwargs)
    finally:
        close_old_connections()
