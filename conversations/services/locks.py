"""The order in which verbs lock rows, so that no two of them wait for each other: first the thread, then its runs and
their leases, last the head of the user's feed. Nothing is locked after the head.
"""

from uuid import UUID

from django.db import connection

from conversations.database import stored_id
from streaming.protocol.errors import NotFound

_THREAD_OF = """
SELECT id FROM conversations_thread WHERE id = (SELECT thread_id FROM conversations_run WHERE id = %s)"""


def lock_thread_of(run_id: UUID) -> UUID:
    """Keep the thread of a run for this transaction, before anything else of it; returns its id.

    Raises NotFound where the run or its thread is gone.
    """
    # A run never moves to another thread, so what was found before the wait for the lock still holds after it.
    for_update = " FOR UPDATE" if connection.features.has_select_for_update else ""  # SQLite has one writer
    with connection.cursor() as cursor:
        cursor.execute(_THREAD_OF + for_update, [stored_id(run_id)])
        kept = cursor.fetchone()
    if kept is None:
        raise NotFound()
    thread_id = kept[0]
    return thread_id if isinstance(thread_id, UUID) else UUID(thread_id)  # SQLite has it as text
