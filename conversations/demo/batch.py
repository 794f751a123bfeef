"""Rows on their way to the database, some thousands at a time: however many there are, they need the same memory."""

from collections.abc import Callable
from typing import Any

from conversations.database import writing
from conversations.demo.insert import insert
from conversations.models import Message, Run, RunEvent, RunLease, Step, Thread

FULL = 2000  # messages


class Batch:
    """``written`` is told of how many messages there are by now."""

    def __init__(self, written: Callable[[int], None] = lambda _: None) -> None:
        self._written = written
        self._count = 0
        self._known: set[Any] = set()  # threads that are there, but not settled
        self._empty()

    def write_if_full(self) -> None:
        if len(self.messages) >= FULL:
            self.write()

    def settled(self, thread: Thread) -> None:
        """It changes no more."""
        if thread.pk in self._known:
            self._known.remove(thread.pk)
            self._changed.append(thread)
        self.write_if_full()

    def write(self) -> None:
        """All of it, in one transaction: messages, runs and threads name each other."""
        with writing():
            insert(Thread, self.threads)
            insert(Message, self.messages)
            insert(Run, self.runs)
            insert(RunLease, self.leases)
            insert(Step, self.steps)
            insert(RunEvent, self.events)
            for thread in self._changed:
                thread.save(force_update=True)
        self._known |= {thread.pk for thread in self.threads if thread.head_id is None}
        self._count += len(self.messages)
        self._empty()
        self._written(self._count)

    def _empty(self) -> None:
        self.threads: list[Thread] = []
        self.messages: list[Message] = []
        self.runs: list[Run] = []
        self.leases: list[RunLease] = []
        self.steps: list[Step] = []
        self.events: list[RunEvent] = []
        self._changed: list[Thread] = []
