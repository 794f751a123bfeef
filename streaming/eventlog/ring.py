"""The recent events of one run, bounded. Pure."""

from collections import deque
from collections.abc import Sequence

from streaming.protocol.codec import Entry


class Ring:
    """At most ``most`` entries and about ``most_bytes``, without a gap: whatever is older must be read from the log."""

    def __init__(self, *, most: int = 1024, most_bytes: int = 1024 * 1024) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._entries: deque[Entry] = deque()
        self._size = 0
        self.head: int | None = None  # the number of the newest entry

    @property
    def first(self) -> int | None:
        """The number of the oldest entry; None while there is none."""
        return self._entries[0].id if self._entries else None

    def extend(self, entries: Sequence[Entry]) -> bool:
        """Add what is new and tell whether any was. Entries it has already are dropped; after a gap it begins anew."""
        grown = False
        for entry in entries:
            head = self.head
            if head is not None and entry.id <= head:
                continue
            if head is not None and entry.id != head + 1:
                self._entries.clear()
                self._size = 0
            self._entries.append(entry)
            self._size += len(entry.text)
            self.head = entry.id
            grown = True
        while len(self._entries) > self._most or (self._size > self._most_bytes and len(self._entries) > 1):
            self._size -= len(self._entries.popleft().text)
        return grown

    def size_after(self, cursor: int) -> int:
        """Characters of what follows ``cursor``, as far as it is here."""
        return sum(len(entry.text) for entry in self._entries if entry.id > cursor)

    def after(self, cursor: int, *, most: int, most_bytes: int) -> list[Entry] | None:
        """What follows ``cursor``, at most so much but always one where there is one; None where it is out of reach."""
        if self.head is not None and cursor + 1 == self.head:  # as nearly always
            return [self._entries[-1]]
        if not self._entries or cursor + 1 < self._entries[0].id:
            return None
        taken: list[Entry] = []
        start = cursor + 1 - self._entries[0].id
        for position in range(start, min(start + most, len(self._entries))):
            entry = self._entries[position]
            most_bytes -= len(entry.text)
            if taken and most_bytes < 0:
                break
            taken.append(entry)
        return taken
