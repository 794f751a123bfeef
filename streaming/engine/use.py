"""What the loop has lent to a thread: it is free again when both have done with it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Use:
    """``over`` is called once, in the loop. A request that is cancelled ends at once, and its thread ends what it has
    begun: until then what it uses is nobody else's.
    """

    def __init__(self, over: Callable[[], None]) -> None:
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._guard = threading.Lock()
        self._in_thread = self._ended = False

    @contextmanager
    def in_thread(self) -> Iterator[bool]:
        """The thread's part, once. False where the loop's has ended before."""
        with self._guard:
            lent = self._in_thread = not self._ended
        try:
            yield lent
        finally:
            with self._guard:
                self._in_thread = False
                late = lent and self._ended
            if late:
                self._loop.call_soon_threadsafe(self._over)

    def end(self) -> None:
        """The end of the loop's part."""
        with self._guard:
            self._ended, over = True, not self._in_thread
        if over:
            self._over()
