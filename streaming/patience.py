"""Time limits: for what is awaited again and again, and nearly always ends at once; and for an event."""

import asyncio
from types import TracebackType


class Patience:
    """``with patience: await …`` raises TimeoutError where that takes longer than ``seconds``.

    Like ``asyncio.timeout``, but for use by one task at a time, any number of times: one timer looks every ``seconds``
    whether something takes too long, where ``asyncio.timeout`` sets and takes back a timer each time. On a token's way
    that costs more than what it guards. ``close`` it when it is not needed any more.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelled_before = 0
        self._expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task(self._loop)
        assert task is not None
        self._task, self._since = task, self._loop.time()
        self._cancelled_before = task.cancelling()
        if self._timer is None:
            self._timer = self._loop.call_at(self._since + self._seconds, self._look)

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task, self._task, self._since = self._task, None, None
        if not self._expired:
            return
        self._expired = False
        assert task is not None
        # Somebody else may have cancelled the task as well: then that is what has happened.
        if task.uncancel() <= self._cancelled_before and kind is asyncio.CancelledError:
            raise TimeoutError from fault

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._since is None or self._task is None:
            return
        until = self._since + self._seconds
        if self._loop.time() < until:
            self._timer = self._loop.call_at(until, self._look)
            return
        self._expired = True
        self._task.cancel()


async def within(seconds: float, event: asyncio.Event) -> bool:
    """Whether ``event`` is set within so many seconds. (In Python 3.11 ``asyncio.wait_for`` may swallow a cancellation
    that comes at the same moment as the event.)
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
