"""Writing rows of the event log: past the ORM, because it is done for every piece of every answer."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import connection
from django.utils import timezone

from chatserver.rows import stored_ids
from streaming.protocol.codec import Entry

_INSERT = "INSERT INTO conversations_runevent (run_id, seq, text, written_at) VALUES (%s, %s, %s, %s)"


def insert_events(of_runs: Iterable[tuple[UUID, Sequence[Entry]]]) -> None:
    """One statement for all of them, in the caller's transaction."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    stored = stored_ids()
    rows = [(stored(run_id), entry.id, entry.text, now) for run_id, entries in of_runs for entry in entries]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_INSERT, rows)
