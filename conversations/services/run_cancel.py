"""Cancelling: a durable wish for a run somebody works on, an immediate end for one that nobody holds."""

from django.db import transaction
from django.utils import timezone

from conversations.database import verb
from conversations.models import Run
from conversations.ports import ports
from conversations.services.run_unheld import end_unheld
from streaming.protocol.errors import NotFound
from streaming.protocol.lifecycle import RunStatus

UNHELD = (RunStatus.QUEUED, RunStatus.REQUIRES_ACTION)


@verb
def cancel_run(*, run: Run, by: str, reason: str) -> Run:
    """Ask the run to stop and return it as it stands then. Asking again, or too late, changes nothing.

    A queued or parked run ends here and now, with its events; so does a send that waits, which is withdrawn. For one in
    progress the wish is stored and its holder woken. Raises NotFound where it was deleted meanwhile.
    """
    wish = {"cancel_requested_at": timezone.now(), "cancel_by": by, "cancel_reason": reason}
    if not end_unheld(run_id=run.pk, becomes=RunStatus.CANCELLED, among=UNHELD, changes=wish):
        held = Run.objects.filter(pk=run.pk, status=RunStatus.IN_PROGRESS)
        if held.update(status=RunStatus.CANCELLING, **wish):
            transaction.on_commit(lambda: ports.bell(run.pk, ()))
    try:
        run.refresh_from_db()
    except Run.DoesNotExist:
        raise NotFound() from None
    return run
