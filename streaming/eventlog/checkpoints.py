"""Writing down how the runs of this process stand, every two seconds and when a step has ended, so that the loss of
their log together with their process loses no more than that.

A thread of its own: a database that is slow then holds up no tokens. It is also how a writer learns, while Redis takes
its events all the same, that somebody else has taken its run over.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from uuid import UUID

import structlog
from django.db import DatabaseError, connection

from conversations.services.run_checkpoint import RESERVED, Point, keep_points
from streaming.eventlog.held import Held

log = structlog.get_logger(__name__)
# Seconds: how often it looks, how old a checkpoint may be, and how long a run that says nothing goes without a look at
# its lease.
LOOK_EVERY = 0.25
EVERY = 2.0
IDLE = 10.0
# One transaction keeps others from writing on SQLite, and a snapshot is as long as its answer.
AT_ONCE = 50


class Checkpoints:
    """``lost`` is called in this thread with each run, and its lease's number, that is not this process's any more."""

    def __init__(self, held: Mapping[UUID, Held], *, lost: Callable[[UUID, int], None]) -> None:
        self._held = held
        self._lost = lost
        self._asked: dict[tuple[UUID, int], float] = {}
        self._ending = threading.Event()

    def start(self) -> None:
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, name="event-checkpoints", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Blocks until the thread has ended."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(LOOK_EVERY):
            try:
                self.keep(time.monotonic())
            except Exception as fault:  # what protects runs must outlive every fault
                connection.close()
                log.warning("checkpoints wait", fault=type(fault).__name__, exc_info=_ours(fault))
        connection.close()

    def keep(self, now: float) -> None:
        """Write what is due at ``now``. Raises what the database does; the next time has all of it again."""
        held = list(self._held.values())
        last = {key: self._asked.get(key, now) for key in ((each.run_id, each.number) for each in held)}
        self._asked = last
        due = [each for each in held if _is_due(each, now - last[each.run_id, each.number])]
        for begin in range(0, len(due), AT_ONCE):
            self._keep(due[begin : begin + AT_ONCE], now)

    def _keep(self, due: Iterable[Held], now: float) -> None:
        points = {}
        for held in due:
            point = _point(held)
            points[point] = held
        lost = keep_points(points=points)
        for point, held in points.items():
            self._asked[held.run_id, held.number] = now
            if point.run_id in lost:
                self._lost(held.run_id, held.number)
                continue
            held.kept = point.head
            held.reserved = max(held.reserved, point.head + RESERVED)


def _is_due(held: Held, age: float) -> bool:
    return held.step_ended or age >= (EVERY if held.head > held.kept else IDLE)


def _point(held: Held) -> Point:
    if held.head == held.kept:
        return Point(run_id=held.run_id, number=held.number, head=held.head)
    try:
        head, text = held.point()
    except ValueError as fault:  # its next reader says what there is to say; its numbers stay reserved
        log.error("a log is no history", run=str(held.run_id), fault=str(fault))
        return Point(run_id=held.run_id, number=held.number, head=held.head)
    return Point(run_id=held.run_id, number=held.number, head=head, text=text)


def _ours(fault: Exception) -> Exception | None:
    return None if isinstance(fault, DatabaseError) else fault
