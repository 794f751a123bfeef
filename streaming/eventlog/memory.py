"""The log as a list: for tests, and the readable specification of the others. It ends with its process."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from conversations.models import RunLease
from conversations.ports import ColumnEventStore, EventStore
from streaming.eventlog.base import (
    READ_BYTES,
    READ_EVENTS,
    Beyond,
    Delayed,
    Extent,
    Fenced,
    LogLost,
    Published,
    unheard,
)
from streaming.offload import Offload
from streaming.protocol.codec import Entry

T = TypeVar("T")


class MemoryLog:
    fenced_by_claims = False

    def __init__(self, *, offload: Offload) -> None:
        self.event_store: EventStore = ColumnEventStore()
        self._offload = offload
        self._entries: dict[UUID, list[Entry]] = {}
        self._numbers: dict[UUID, int] = {}
        self._moved: dict[UUID, tuple[int, int]] = {}  # number and head, where the lease's head is behind

    def start(self, published: Published, *, delayed: Delayed = unheard) -> None:
        self._published = published

    async def fence(self, *, run_id: UUID, number: int, after: int = 0) -> tuple[int, list[Entry]]:
        if number < self._numbers.get(run_id, 0):
            raise Fenced()
        self._numbers[run_id] = number
        if entries := self._entries.get(run_id):
            self._moved[run_id] = number, entries[-1].id
        return _head(entries or ()), await self.read(run_id=run_id, after=after)

    def append(self, *, run_id: UUID, number: int, entries: Sequence[Entry]) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        events = self._entries.setdefault(run_id, [])
        if number < self._numbers.get(run_id, 0) or entries[0].id != _head(events) + 1:
            done.set_exception(Fenced())
            return done
        self._numbers[run_id] = number
        self._moved[run_id] = number, entries[-1].id
        events += entries
        self._published(run_id, entries)
        done.set_result(None)
        return done

    async def run_last(self, closing: Callable[[], T], *, run_id: UUID) -> T:
        # An end is written only where it follows the lease's head, so that must be where the list is.
        return await self._offload(_with_head, run_id, self._moved.pop(run_id, None), closing)

    async def read(
        self, *, run_id: UUID, after: int, most: int = READ_EVENTS, most_bytes: int = READ_BYTES
    ) -> list[Entry]:
        if run_id not in self._entries:
            raise LogLost()
        taken: list[Entry] = []
        for entry in _beyond(self._entries[run_id], after)[:most]:
            most_bytes -= len(entry.text)
            if taken and most_bytes < 0:
                break
            taken.append(entry)
        return taken

    async def extent(self, *, run_id: UUID, after: int) -> Extent:
        entries = self._entries.get(run_id, [])
        size = sum(len(entry.text) for entry in _beyond(entries, after)) if after else 0
        return Extent(first=entries[0].id if entries else 0, head=_head(entries), backlog_bytes=size)

    async def news(self, heads: Mapping[UUID, int]) -> Beyond:
        there = await self._offload(_still_there, list(heads))
        news = {
            run_id: _beyond(self._entries[run_id], head)[:READ_EVENTS]
            for run_id, head in heads.items()
            if _head(self._entries.get(run_id, [])) > head > 0
        }
        return news, heads.keys() - there

    def rang(self, run_id: UUID, entries: Sequence[Entry]) -> None:
        events = self._entries.get(run_id, [])
        # Of a run from before this process the list has only what is written now; its readers need a snapshot.
        if entries and (not events or entries[0].id == _head(events) + 1):
            self._entries[run_id] = [*events, *entries]
        # Whoever wrote without us has raised the lease's number; a writer that continues meets a head it does not know.
        self._published(run_id, entries)

    async def stop(self) -> None:
        """Nothing to end: the list goes with the process."""


def _head(events: Sequence[Entry]) -> int:
    return events[-1].id if events else 0


def _beyond(events: list[Entry], after: int) -> list[Entry]:
    before_the_first = events[0].id - 1 if events else 0
    return events[max(0, after - before_the_first) :]


def _with_head(run_id: UUID, moved: tuple[int, int] | None, closing: Callable[[], T]) -> T:
    if moved is not None:
        number, head = moved
        RunLease.objects.filter(pk=run_id, number=number).update(head=head)
    return closing()


def _still_there(run_ids: Sequence[UUID]) -> set[UUID]:
    return set(RunLease.objects.filter(pk__in=run_ids).values_list("pk", flat=True))
