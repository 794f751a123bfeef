"""One batch of events of many runs as one transaction: a conditional update a run, then all rows at once."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from operator import attrgetter
from uuid import UUID

from django.db import connection
from django.db.backends.utils import CursorWrapper

from chatserver.rows import stored_id, stored_ids
from conversations.database import writing
from conversations.event_rows import insert_events
from streaming.protocol.codec import Entry

_MOVE_HEAD = "UPDATE conversations_runlease SET head = %s WHERE run_id = %s AND number = %s AND head = %s"
_WHERE_IT_IS = "SELECT number, head FROM conversations_runlease WHERE run_id = %s"


class RunBatch:
    """What one run adds: entries without a gap, written under lease ``number``. ``key`` is of the run and the lease,
    and of plain numbers, because to compare and to hash a UUID costs more than anything else that is done with it here.
    """

    __slots__ = ("entries", "key", "number", "run_id")

    def __init__(self, run_id: UUID, number: int, entries: list[Entry]) -> None:
        self.run_id = run_id
        self.number = number
        self.entries = entries
        self.key = run_id.int, number

    @property
    def old_head(self) -> int:
        return self.entries[0].id - 1

    @property
    def new_head(self) -> int:
        return self.entries[-1].id


class _SomeAreFenced(Exception):
    """Undoes a transaction in which not every head moved."""


def commit(batches: Sequence[RunBatch], *, perhaps_written: bool) -> list[RunBatch]:
    """Commit what may be written and return the batches that are fenced out.

    ``perhaps_written``: an earlier try broke off at a moment when its commit may have happened; a head that stands
    where this batch would put it, under our number, then is our own work.
    """
    batches = sorted(batches, key=attrgetter("key"))  # one order for all, against deadlocks
    if not perhaps_written:
        with suppress(_SomeAreFenced):
            _commit_all(batches)
            return []
    return _commit_one_by_one(batches, perhaps_written=perhaps_written)


def _commit_all(batches: Sequence[RunBatch]) -> None:
    """As nearly always: two statements, however many runs there are, at half the cost for each."""
    with writing(), connection.cursor() as cursor:
        stored = stored_ids()
        moves = [(batch.new_head, stored(batch.run_id), batch.number, batch.old_head) for batch in batches]
        cursor.executemany(_MOVE_HEAD, moves)
        if cursor.rowcount != len(batches):
            raise _SomeAreFenced()
        insert_events([(batch.run_id, batch.entries) for batch in batches])


def _commit_one_by_one(batches: Sequence[RunBatch], *, perhaps_written: bool) -> list[RunBatch]:
    fenced, written = [], []
    with writing(), connection.cursor() as cursor:
        for batch in batches:
            cursor.execute(_MOVE_HEAD, [batch.new_head, stored_id(batch.run_id), batch.number, batch.old_head])
            if cursor.rowcount == 1:
                written.append((batch.run_id, batch.entries))
            elif not (perhaps_written and _stands(cursor, batch)):
                fenced.append(batch)
        insert_events(written)
    return fenced


def _stands(cursor: CursorWrapper, batch: RunBatch) -> bool:
    cursor.execute(_WHERE_IT_IS, [stored_id(batch.run_id)])
    row = cursor.fetchone()
    return row is not None and tuple(row) == (batch.number, batch.new_head)


def joined(batches: Iterable[RunBatch]) -> list[RunBatch]:
    """Batches of one run and lease that follow each other as one: the first takes the others' entries."""
    by_run: dict[tuple[int, int], RunBatch] = {}
    for batch in batches:
        whole = by_run.setdefault(batch.key, batch)
        if whole is not batch:
            whole.entries += batch.entries
    return list(by_run.values())
