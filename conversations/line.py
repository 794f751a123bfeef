"""Who may wait to write, and for how long: requests wait in threads that readers need too."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Line:
    """The requests of a process that wait for SQLite's only writer.

    All wait for at most ``patience`` seconds. Where for ``grace`` seconds nobody of this process writes, because the
    database is held by somebody else, only ``places`` of them go on waiting and the others leave: so a burst of writes
    passes, however long it is and however slow the disk, and a database that is held leaves threads to those who read.
    """

    def __init__(self, *, places: int = 4, patience: float = 5.0, grace: float = 0.5) -> None:
        self._places = places
        self._patience = patience
        self._grace = grace
        self._guard = threading.Lock()
        self._seated = self._waiting = 0
        self._moved = 0.0
        self._writes = False

    def began(self) -> None:
        """Somebody of this process writes now."""
        self._writes = True

    def ended(self) -> None:
        """Nobody of this process writes any more."""
        self._moved = time.monotonic()
        self._writes = False

    @contextmanager
    def waiting(self) -> Iterator["Turn"]:
        """Stand in line for as long as the block takes."""
        with self._guard:
            if self._waiting == 0:
                self._moved = time.monotonic()
            seated = self._seated < self._places
            self._waiting += 1
            self._seated += seated
        try:
            yield Turn(self, seated, time.monotonic() + self._patience)
        finally:
            with self._guard:
                self._waiting -= 1
                self._seated -= seated

    def stuck_at(self) -> float:
        """When those without a place leave, if nobody writes until then."""
        return math.inf if self._writes else self._moved + self._grace

    @property
    def grace(self) -> float:
        return self._grace


class Turn:
    """One request's waiting."""

    def __init__(self, line: Line, seated: bool, end: float) -> None:
        self._line = line
        self._seated = seated
        self._end = end

    def left(self) -> float:
        """For how many seconds to wait now; it may be more when they are over, because others have moved."""
        end = self._end if self._seated else min(self._end, self._line.stuck_at())
        return max(0.0, end - time.monotonic())

    def take(self, lock: threading.RLock) -> bool:
        """Take ``lock`` within the time."""
        # In short waits: what was left at the beginning may have been counted from a writer who is done by now.
        while not lock.acquire(timeout=min(self.left(), self._line.grace)):
            if self.left() == 0:
                return False
        return True
