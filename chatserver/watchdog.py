"""Sees that the event loop does not answer, and says what holds it up: everybody waits for it."""

import asyncio
import sys
import threading
import time
import traceback

import structlog

log = structlog.get_logger(__name__)
AFTER = 2.0  # seconds without an answer; a lease lives for several times that
LOOKS_EVERY = 0.5
# A process that was stopped and goes on has both threads wake up at once: the loop is asked once more.
SECOND_CHANCE = 0.25


class Watchdog:
    """Logs the stack of the loop's thread once each time that the loop has not answered for ``after`` seconds, and how
    long that was when it answers again. It has a thread of its own, which ends with the process at the latest.
    """

    def __init__(self, *, after: float = AFTER) -> None:
        self._after = after
        self._over = threading.Event()

    def start(self) -> None:
        """Watch over the loop that runs in this thread."""
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Comes back at once; the thread ends soon after."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(LOOKS_EVERY):
            answered, asked = threading.Event(), time.monotonic()
            try:
                self._loop.call_soon_threadsafe(answered.set)
            except RuntimeError:  # it is closed
                return
            if answered.wait(self._after) or answered.wait(SECOND_CHANCE):
                continue
            log.error("the event loop does not answer", seconds=self._after, stack=self._stack())
            while not answered.wait(LOOKS_EVERY):
                if self._over.is_set():
                    return
            log.warning("the event loop answers again", seconds=round(time.monotonic() - asked, 1))

    def _stack(self) -> list[str]:
        """Where the loop's thread is now, the innermost call last."""
        frame = sys._current_frames().get(self._watched)
        return [f"{part.filename}:{part.lineno} {part.name}" for part in traceback.extract_stack(frame)]
