"""The seam to event logs: append-only per run, durable before visible, guarded by the lease."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

from django.db import OperationalError

from conversations.ports import EventStore
from streaming.protocol.codec import Entry

T = TypeVar("T")

# A reader takes at most this much at a time, so that no reader's memory depends on how far behind it is.
READ_EVENTS = 256
READ_BYTES = 256 * 1024
# One question about so many runs or feeds: thousands of conditions in a statement are more than SQLite's parser takes.
ASKED_AT_ONCE = 200


class Fenced(Exception):
    """The run's lease is not ours any more, or its head is not where we left it. Write nothing more."""


class LogAway(OperationalError):
    """The log's storage does not answer, or takes nothing now; trying again may help. Whoever knows what to do while a
    database is away does the same.
    """


class LogLost(Exception):
    """The log does not know this run (any more); only its rows do."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """``first`` is the oldest event still there (0: none is), ``head`` the newest (0: not known)."""

    first: int
    head: int
    backlog_bytes: int  # of the events after the cursor asked about; 0 for the cursor 0, where it does not matter


Beyond = tuple[dict[UUID, list[Entry]], set[UUID]]
Published = Callable[[UUID, Sequence[Entry]], None]
Delayed = Callable[[Sequence[UUID]], None]


def unheard(run_ids: Sequence[UUID]) -> None:
    """Nobody wants to know what waits."""


class EventLog(Protocol):
    event_store: EventStore

    def start(self, published: Published, *, delayed: Delayed = unheard) -> None:
        """Begin; ``published`` is called in the event loop with what has just become durable, in order per run, and
        ``delayed`` with the runs whose events the storage did not take at the first try.
        """
        ...

    # Whether the claim itself is all that ``fence`` would do: then what was taken as it was opened needs none.
    fenced_by_claims: bool

    async def fence(self, *, run_id: UUID, number: int, after: int = 0) -> tuple[int, list[Entry]]:
        """From here on nothing is written to the log under an older lease than ``number``, nor what was appended under
        it before and has failed. Whoever takes a run up does so before reading its log. Returns the number of the last
        event that it has, and what ``read`` gives after ``after``. Raises Fenced, LogAway, LogLost.
        """
        ...

    def append(self, *, run_id: UUID, number: int, entries: Sequence[Entry]) -> asyncio.Future[None]:
        """Make ``entries`` durable and then visible; the future is done when both is so. They continue the log.

        Its exception is Fenced where lease ``number`` is not the run's any more, StorageBusy or StorageFull where the
        store did not take them in time. Calls for one run take effect in the order in which they were made.
        """
        ...

    async def run_last(self, closing: Callable[[], T], *, run_id: UUID) -> T:
        """Run a closing transaction of this run in a thread, after everything that was appended to it before. The lease
        then has the head of the log.
        """
        ...

    async def read(
        self, *, run_id: UUID, after: int, most: int = READ_EVENTS, most_bytes: int = READ_BYTES
    ) -> list[Entry]:
        """Events after ``after``, in order, at most so much, but always one where there is one. Raises LogLost."""
        ...

    async def extent(self, *, run_id: UUID, after: int) -> Extent:
        """How far the log of a run reaches. It never raises LogLost; a log that knows nothing of it has no first."""
        ...

    async def news(self, heads: Mapping[UUID, int]) -> Beyond:
        """What the log has beyond these heads, for the runs where it has more, a bounded piece of each; and the runs
        that are there no more. One question (to each storage) for all of them; a head of 0 is not asked about.
        """
        ...

    def rang(self, run_id: UUID, entries: Sequence[Entry]) -> None:
        """Events that a verb has committed by itself (an opening, a closing); called in the event loop."""
        ...

    async def stop(self) -> None: ...
