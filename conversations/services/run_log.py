"""Keeping the log of ended runs bounded."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from conversations.database import verb
from conversations.models import Run, RunEvent
from streaming.protocol.lifecycle import RunStatus


def prune_logs(*, kept: float, most: int) -> int:
    """Remove the events of at most ``most`` runs that ended over ``kept`` seconds ago, all but those that tell the end.

    That is the terminal event, and before ``thread.run.failed`` the ``error`` that belongs to it. A late reader gets a
    snapshot made from the rows, and then these. Returns how many runs were pruned.
    """
    ended = Run.objects.filter(log_pruned=False, finished_at__lt=timezone.now() - timedelta(seconds=kept))
    run_ids = list(ended.order_by("finished_at").values_list("pk", flat=True)[:most])
    for run_id in run_ids:
        _prune(run_id)
    return len(run_ids)


@verb
def _prune(run_id: UUID) -> None:
    """One run a transaction, so that whoever writes an answer meanwhile waits for one log, not for hundreds."""
    row = Run.objects.filter(pk=run_id).values_list("head", "status", "closing_events").first()
    head, status, closing = row or (0, "", [])
    kept = 2 if status == RunStatus.FAILED else 1
    RunEvent.objects.filter(run_id=run_id, seq__lte=head - kept).delete()
    Run.objects.filter(pk=run_id).update(log_pruned=True, opening_events=[], closing_events=closing[-kept:])
