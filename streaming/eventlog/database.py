"""The default log: rows beside the run, written by group commit. Good on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Q

from chatserver.rows import stored_id
from conversations import selectors
from conversations.models import RunEvent, RunLease
from conversations.ports import EventStore, RowEventStore
from streaming.eventlog.base import (
    ASKED_AT_ONCE,
    READ_BYTES,
    READ_EVENTS,
    Beyond,
    Delayed,
    Extent,
    Fenced,
    Published,
    unheard,
)
from streaming.eventlog.writer import Writer
from streaming.offload import Offload
from streaming.protocol.codec import Entry

T = TypeVar("T")
_EVENTS_OF = "FROM conversations_runevent event WHERE event.run_id = lease.run_id"
_EXTENT = f"""
SELECT lease.head, (SELECT MIN(event.seq) {_EVENTS_OF}),
    (SELECT SUM(LENGTH(event.text)) {_EVENTS_OF} AND event.seq > %s)
FROM conversations_runlease lease WHERE lease.run_id = %s
"""
_EXTENT_FROM_THE_START = f"""
SELECT lease.head, (SELECT MIN(event.seq) {_EVENTS_OF}), 0 FROM conversations_runlease lease WHERE lease.run_id = %s
"""
_HEAD_UNDER = "SELECT head FROM conversations_runlease WHERE run_id = %s AND number = %s"


class DatabaseLog:
    fenced_by_claims = True  # a batch is committed only where the lease's row has its number

    def __init__(self, *, offload: Offload, patience: float = 20.0) -> None:
        self.event_store: EventStore = RowEventStore()
        self._offload = offload
        self._writer = Writer(patience=patience)

    def start(self, published: Published, *, delayed: Delayed = unheard) -> None:
        self._published = published
        self._writer.start(published, delayed=delayed)

    async def fence(self, *, run_id: UUID, number: int, after: int = 0) -> tuple[int, list[Entry]]:
        return await self._offload(_under, run_id, number, after)

    def append(self, *, run_id: UUID, number: int, entries: Sequence[Entry]) -> asyncio.Future[None]:
        return self._writer.append(run_id=run_id, number=number, entries=entries)

    async def run_last(self, closing: Callable[[], T], *, run_id: UUID) -> T:
        return await self._writer.job(closing)

    async def read(
        self, *, run_id: UUID, after: int, most: int = READ_EVENTS, most_bytes: int = READ_BYTES
    ) -> list[Entry]:
        return await self._offload(
            selectors.stored_entries, run_id=run_id, after=after, most=most, most_bytes=most_bytes
        )

    async def extent(self, *, run_id: UUID, after: int) -> Extent:
        return await self._offload(_extent, run_id, after)

    async def news(self, heads: Mapping[UUID, int]) -> Beyond:
        return await self._offload(_news, heads)

    def rang(self, run_id: UUID, entries: Sequence[Entry]) -> None:
        self._published(run_id, entries)

    async def stop(self) -> None:
        await self._writer.stop()


def _under(run_id: UUID, number: int, after: int) -> tuple[int, list[Entry]]:
    with connection.cursor() as cursor:
        cursor.execute(_HEAD_UNDER, [stored_id(run_id), number])
        row = cursor.fetchone()
    if row is None:
        raise Fenced()
    return row[0], selectors.stored_entries(run_id=run_id, after=after, most=READ_EVENTS, most_bytes=READ_BYTES)


def _extent(run_id: UUID, after: int) -> Extent:
    """One query: when many readers come back at once, each costs few."""
    with connection.cursor() as cursor:
        cursor.execute(_EXTENT if after else _EXTENT_FROM_THE_START, [*([after] if after else []), stored_id(run_id)])
        head, first, size = cursor.fetchone() or (0, 0, 0)
    return Extent(first=first or 0, head=head, backlog_bytes=size or 0)


def _news(heads: Mapping[UUID, int]) -> Beyond:
    now = dict(RunLease.objects.filter(pk__in=heads).values_list("pk", "head"))
    removed = heads.keys() - now.keys()
    moved = [(run_id, heads[run_id]) for run_id, head in now.items() if head > heads[run_id] > 0]
    news: dict[UUID, list[Entry]] = {}
    for begin in range(0, len(moved), ASKED_AT_ONCE):
        beyond = Q()
        for run_id, head in moved[begin : begin + ASKED_AT_ONCE]:
            beyond |= Q(run_id=run_id, seq__gt=head, seq__lte=head + READ_EVENTS)
        events = RunEvent.objects.filter(beyond).order_by("run_id", "seq")
        for run_id, seq, text in events.values_list("run_id", "seq", "text"):
            news.setdefault(run_id, []).append(Entry(seq, text))
    return news, removed
