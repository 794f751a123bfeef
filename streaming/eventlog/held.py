"""A run's log as the process has it that writes it: the fold of what is durable, and what came since the last fold.

From that a log that has vanished is made anew, at the very number at which it vanished: first a snapshot, then the
events that followed it.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from streaming.protocol.codec import Entry
from streaming.protocol.fitting import fitted
from streaming.protocol.marks import ends_a_step
from streaming.protocol.snapshot import RunState


@dataclass(frozen=True)
class Pen:
    """The right to write to a run's log over one connection: that with the number ``turn``, in that life of Redis."""

    text: str
    turn: int
    life: str


NO_PEN = Pen("", 0, "")


class Held:
    """Used by the writer's thread, and by those that keep checkpoints and ends; so what belongs together is guarded."""

    def __init__(self, *, run_id: UUID, number: int, pen: Pen, reserved: int) -> None:
        self.run_id = run_id
        self.number = number
        self.pen = pen
        self.reserved = reserved
        self.head = 0
        self.kept = 0  # the head of the last checkpoint
        self.step_ended = False  # since then
        self._guard = threading.Lock()
        self._state = RunState()
        self._since: list[Entry] = []

    def begin(self, entries: Sequence[Entry]) -> None:
        """The whole log, as it was found or made."""
        self._since = list(entries)
        self.head = entries[-1].id

    def begin_at(self, state: RunState, number: int) -> None:
        """The log has this state, however it came to it, and goes on after ``number``."""
        state.last = number
        self._state, self._since, self.head = state, [], number

    def wrote(self, entries: Sequence[Entry]) -> None:
        """These are durable. What it has already is passed over."""
        new = [entry for entry in entries if entry.id > self.head]
        if not new:
            return
        with self._guard:
            self._since += new
            self.head = new[-1].id
            self.step_ended = self.step_ended or any(map(ends_a_step, new))

    def anew(self) -> list[Entry]:
        """What a log that has vanished is made of: all of it, or a snapshot and what followed."""
        with self._guard:
            return [*self._folded(), *self._since]

    def point(self) -> Entry:
        """The snapshot at the head. Costs the fold of what came since the last one. Raises ValueError where the log is
        no history.
        """
        with self._guard:
            since, self._since = self._since, []
            try:
                self._state.extend(since)
            except ValueError:
                self._since = [entry for entry in since if entry.id > self._state.last]
                raise
            self.step_ended = False
            (point,) = self._folded()
        return point

    def point_after(self, entries: Sequence[Entry]) -> Entry:
        """The snapshot as it will be after these, which are not durable yet."""
        state = RunState()
        state.extend([self.point(), *entries])
        return _snapshot(state)

    def _folded(self) -> list[Entry]:
        return [] if self._state.last == 0 else [_snapshot(self._state)]


def _snapshot(state: RunState) -> Entry:
    """For whoever has missed what it replaces."""
    return Entry(state.last, fitted(state.as_snapshot(True, "log_lost")))
