"""How many more runs a process has room for, and what it knows of those that wait. No await, no clock, no database."""

import threading
from collections.abc import Mapping, Sequence, Sized

from conversations.selectors import Load
from streaming.engine.queue import shares


class Places:
    """A place is taken by one of ``workers``, kept for a run that is being opened, or promised to one that is being
    claimed. Runs are opened in the loop and claimed by a thread, so that two may be given places at once.
    """

    def __init__(self, capacity: int, *, workers: Sized) -> None:
        self._capacity = capacity
        self._workers = workers
        self._kept = 0
        self._promised = 0
        self._found = 0  # for how many there was room when who waits was last looked at
        self._giving = threading.Lock()  # whoever gives a place, in the loop or in the thread that claims
        self.nobody_waits = False  # but for a bounded model server, as far as the last look went
        self._in_line = 1  # who waits for whatever, in the same way; none are what nobody looks for when a run ends

    @property
    def free(self) -> int:
        return self._capacity - self._kept - self._promised - len(self._workers)

    @property
    def some_are_kept(self) -> bool:
        """Whether runs are being opened here."""
        return self._kept > 0

    @property
    def somebody_may_wait(self) -> bool:
        return self._in_line != 0

    def keep(self, runs: int) -> bool:
        """Places for runs that are about to be opened. False where there are too few, or those that wait come first."""
        with self._giving:
            if self.free < runs:
                self.nobody_waits = False
            if not self.nobody_waits:
                return False
            self._kept += runs
        return True

    def give_back(self, runs: int) -> None:
        """What was kept is taken by workers now, or by nobody."""
        self._kept -= runs

    def promise_one(self) -> None:
        """To a run that is taken over; kept until ``promised_no_more``."""
        self._promised = 1

    def promised_no_more(self) -> None:
        self._promised = 0

    def look(self, room: int) -> None:
        """Those that wait are about to be looked at, with so much room for them."""
        self._found = room

    def share_out(self, loads: Sequence[Load], *, room: int, max_parallel: int) -> Mapping[str, int]:
        """How many of each model server's runs are to be claimed: promised until ``promised_no_more``."""
        self._in_line = sum(load.waiting for load in loads)
        with self._giving:
            self._found = max(0, min(room, self.free))  # some may have been given away since
            shared = shares(loads, room=self._found, max_parallel=max_parallel)
            self._promised = sum(shared.values())
        return shared

    def claimed(self, *, wanted: int, got: int) -> bool:
        """So many came of a look. Whether there may be more that there is room for."""
        self._in_line -= got
        self.nobody_waits = got == wanted < self._found
        return got >= self._found

    def lost_sight(self) -> None:
        """There is no room to look for those that wait: who knows how many they are."""
        self.nobody_waits, self._in_line = False, 1
