"""Closing a run: the final message, its steps, the status and the closing events, in one transaction, once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from chatserver.rows import Rows, marks, stored_id
from conversations import wire
from conversations.database import verb
from conversations.models import Message, Run, RunLease, Step
from conversations.ports import ports
from conversations.services import feed, search
from conversations.services.locks import stand_in_line
from conversations.services.run_lease import Claim
from conversations.services.run_waiting import start_next
from streaming.protocol import objects
from streaming.protocol.codec import Entry, encode
from streaming.protocol.events import Event
from streaming.protocol.lifecycle import RunStatus, sources_of

# Of a step that was stored when its run was parked.
CHANGING = ["status", "arguments", "output", "output_cut", "details", "error", "finished_at", "duration_ms"]

_LEASES, _MESSAGES = Rows(RunLease), Rows(Message)
_RUNS = Rows(Run, only=("id", "thread_id", "owner_id", "answer_id", "cancel_reason"))
# With whether a send waits there: every end asks that, and seldom is it so.
_MOVE_THREAD = """
UPDATE conversations_thread SET updated_at = %s WHERE id = %s RETURNING EXISTS
    (SELECT 1 FROM conversations_run WHERE thread_id = conversations_thread.id AND waiting)"""
_AS_IT_WAS = "run_id = %s AND number = %s AND head = %s"


class LeaseLost(Exception):
    """Somebody else holds the run now, or it has ended, or it is gone. Write nothing more."""


class EndRefused(Exception):
    """The run is ours, but its status has changed to one from which this end cannot be reached."""


@verb
def close_run(
    *,
    claim: Claim,
    head: int,
    status: RunStatus,
    run: objects.Run,
    message: objects.Message,
    steps: Sequence[objects.Step],
    events: Sequence[Event],
) -> list[Entry]:
    """End the run: conditional on the lease and on a status from which ``status`` may be reached.

    ``head`` is the number of the last event in the log; ``events`` follow it. Returns them as they were written.
    Raises LeaseLost or EndRefused, and then nothing was written. What waits in the thread begins in the same
    transaction, so that no crash comes between the two.
    """
    entries = [Entry(number, encode(event, number)) for number, event in enumerate(events, start=head + 1)]
    stand_in_line(claim.run_id)
    ours = stored_id(claim.run_id), claim.number, head
    if not _LEASES.change(_AS_IT_WAS, *ours, head=head + len(entries), holder="", expires_at=None):
        raise LeaseLost(f"run {claim.run_id}: lease {claim.number} at {head} is not ours")
    finished_at = wire.moment(run.finished_at) or timezone.now()
    sources = sorted(sources_of(status))
    ended = _RUNS.changed(
        f"id = %s AND status IN {marks(sources)}",
        stored_id(claim.run_id),
        *sources,
        status=status,
        attempt=run.attempt,
        started_at=wire.moment(run.started_at),
        first_token_at=wire.moment(run.first_token_at),
        finished_at=finished_at,
        finish_reason=run.finish_reason,
        reason=run.reason,
        error=wire.plain(run.error),
        error_code=run.error.code if run.error else "",
        usage=wire.plain(run.usage),
        timing=wire.plain(run.timing),
        notices=wire.plain(run.notices) or None,
        structured=wire.plain(run.structured),
        head=head + len(entries),
    )
    if not ended:
        raise EndRefused(f"run {claim.run_id} may not become {status}")
    (row,) = ended
    store_answer(row, message)
    store_steps(row.pk, steps)
    ports.event_store.write_closing(row, entries)
    # The event below says when the run ended; whoever keeps a list by it knows this time too.
    somebody_waits = _move_thread(row.thread_id, finished_at)
    following = start_next(thread_id=row.thread_id, ended=row) if somebody_waits else None
    feed.record(row.owner_id, _terminal_name(events), {"thread_id": str(row.thread_id), "run": wire.plain(run)})
    if following is not None:
        following.tell()
    transaction.on_commit(lambda: ports.bell(row.pk, entries))
    return entries


def _move_thread(thread_id: UUID, finished_at: datetime) -> bool:
    moment = connection.ops.adapt_datetimefield_value(finished_at)
    with connection.cursor() as cursor:
        cursor.execute(_MOVE_THREAD, [moment, stored_id(thread_id)])
        (somebody_waits,) = cursor.fetchone()
    return bool(somebody_waits)


def store_answer(run: Run, message: objects.Message) -> None:
    assert run.answer_id is not None
    _MESSAGES.change(
        "id = %s",
        stored_id(run.answer_id),
        status=message.status,
        content=message.content,
        parts=message.parts,
        thinking=message.thinking,
        finished_at=wire.moment(message.finished_at),
    )
    search.keep(message_id=run.answer_id, owner_id=run.owner_id, content=message.text, status=message.status)


def store_steps(run_id: UUID, steps: Sequence[objects.Step]) -> None:
    """Write the steps as they are now; those of a run that was parked are there already."""
    rows = [
        Step(
            id=UUID(step.id),
            run_id=run_id,
            index=step.index,
            kind=step.step,
            status=step.status,
            title=step.title,
            name=step.name,
            arguments=step.arguments,
            output=step.output,
            output_cut=step.output_cut,
            details=step.details,
            error=wire.plain(step.error),
            started_at=wire.moment(step.started_at),
            finished_at=wire.moment(step.finished_at),
            duration_ms=step.duration_ms,
        )
        for step in steps
    ]
    if rows:
        Step.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=CHANGING)


def _terminal_name(events: Sequence[Event]) -> str:
    return events[-1].name
