"""The order in which verbs lock rows, so that no two of them wait for each other: first the thread, then its runs and
their leases, last the head of the user's feed. Nothing is locked after the head.
"""

from contextlib import suppress
from uuid import UUID

from django.db import connection

from chatserver.rows import as_uuid, for_update, stored_id
from streaming.protocol.errors import NotFound

_THREAD_OF = """
SELECT id FROM conversations_thread WHERE id = (SELECT thread_id FROM conversations_run WHERE id = %s)"""


def stand_in_line(run_id: UUID) -> None:
    """Keep the thread of a run, for verbs that find out by themselves whether the run is there. SQLite has one writer,
    who keeps everything.
    """
    if connection.features.has_select_for_update:
        with suppress(NotFound):
            lock_thread_of(run_id)


def lock_thread_of(run_id: UUID) -> UUID:
    """Keep the thread of a run for this transaction, before anything else of it; returns its id.

    Raises NotFound where the run or its thread is gone.
    """
    # A run never moves to another thread, so what was found before the wait for the lock still holds after it.
    with connection.cursor() as cursor:
        cursor.execute(_THREAD_OF + for_update(), [stored_id(run_id)])
        kept = cursor.fetchone()
    if kept is None:
        raise NotFound()
    return as_uuid(kept[0])
