"""Cancelling: a durable wish for a run somebody works on, an immediate end for one that nobody holds."""

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from conversations import wire
from conversations.database import verb
from conversations.models import Message, Run, RunLease, Thread
from conversations.ports import ports
from conversations.services import feed
from streaming.protocol.codec import Entry, encode
from streaming.protocol.events import Event, MessageIncomplete, Receipt, RunCancelled
from streaming.protocol.lifecycle import TERMINAL, MessageStatus, RunStatus, sources_of


@verb
def cancel_run(*, run: Run, by: str, reason: str) -> Run:
    """Ask the run to stop and return it as it stands then. Asking again, or too late, changes nothing.

    A queued run ends here and now, with its events. For one in progress the wish is stored and its holder woken.
    """
    now = timezone.now()
    wish = {"cancel_requested_at": now, "cancel_by": by, "cancel_reason": reason}
    unheld = Run.objects.filter(pk=run.pk, status__in=[RunStatus.QUEUED, RunStatus.REQUIRES_ACTION])
    if unheld.update(status=RunStatus.CANCELLED, finished_at=now, **wish):
        _end_unheld(run)
    elif Run.objects.filter(pk=run.pk, status=RunStatus.IN_PROGRESS).update(status=RunStatus.CANCELLING, **wish):
        transaction.on_commit(lambda: ports.bell(run.pk, ()))
    run.refresh_from_db()
    return run


def _end_unheld(run: Run) -> None:
    """Write the end of a run nobody works on; raising the lease's number fences out whoever is about to claim it."""
    assert RunStatus.CANCELLED in TERMINAL
    assert sources_of(RunStatus.CANCELLED) >= {RunStatus.QUEUED, RunStatus.REQUIRES_ACTION}
    run.refresh_from_db()
    assert run.answer is not None
    answer = run.answer
    answer.status = MessageStatus.INCOMPLETE
    answer.finished_at = run.finished_at
    Message.objects.filter(pk=answer.pk).update(status=answer.status, finished_at=answer.finished_at)
    RunLease.objects.filter(pk=run.pk).update(number=F("number") + 1, holder="", expires_at=None, head=F("head") + 2)
    head = RunLease.objects.values_list("head", flat=True).get(pk=run.pk)
    common = {"run_id": str(run.pk), "thread_id": str(run.thread_id)}
    events: tuple[Event, Event] = (
        MessageIncomplete(**common, message=wire.message_object(answer), reason="cancelled"),
        RunCancelled(
            **common,
            run=wire.run_object(run),
            receipt=Receipt(upstream_closed=True, content_length=len(answer.content)),
        ),
    )
    entries = [Entry(number, encode(event, number)) for number, event in enumerate(events, start=head - 1)]
    Run.objects.filter(pk=run.pk).update(head=head)
    Thread.objects.filter(pk=run.thread_id).update(updated_at=run.finished_at)
    ports.event_store.write_closing(run, entries)
    feed.record(
        run.owner_id,
        RunCancelled.name,
        {"thread_id": str(run.thread_id), "run": wire.plain(wire.run_object(run))},
    )
    transaction.on_commit(lambda: ports.bell(run.pk, entries))
