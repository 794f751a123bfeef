"""The order in which verbs lock rows, so that no two of them wait for each other: first the thread, then its runs and
their leases, last the head of the user's feed. Nothing is locked after the head.
"""

from uuid import UUID

from conversations.models import Run, Thread
from streaming.protocol.errors import NotFound


def lock_thread_of(run_id: UUID) -> UUID:
    """Keep the thread of a run for this transaction, before anything else of it; returns its id.

    Raises NotFound where the run or its thread is gone.
    """
    # A run never moves to another thread, so what was found before the wait for the lock still holds after it.
    threads = Thread.objects.select_for_update().filter(pk__in=Run.objects.filter(pk=run_id).values("thread_id"))
    kept = threads.values_list("pk", flat=True).first()
    if kept is None:
        raise NotFound()
    return kept
