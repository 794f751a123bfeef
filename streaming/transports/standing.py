"""How a run stands, and its snapshot: from the log while that has it, from the rows after."""

from uuid import UUID

import msgspec
from django.db.models import Min

from conversations import selectors, wire
from conversations.models import Run, RunEvent
from streaming.eventlog.base import EventLog, LogLost
from streaming.protocol.codec import encode
from streaming.protocol.events import Snapshot
from streaming.protocol.lifecycle import TERMINAL, RunStatus
from streaming.protocol.objects import Run as RunObject
from streaming.protocol.snapshot import RunState
from streaming.transports.attach import Standing
from streaming.transports.follow import is_of_the_end


async def standing(event_log: EventLog, run: Run, *, after: int) -> Standing:
    extent = await event_log.extent(run_id=run.pk, after=after)
    return Standing(
        head=max(extent.head, run.head),
        ended=RunStatus(run.status) in TERMINAL,
        first=extent.first,
        backlog_bytes=extent.backlog_bytes,
    )


async def state_before_the_end(event_log: EventLog, run_id: UUID) -> RunState:
    """The fold of the log up to the events that tell the end: what a snapshot shows, so that the end can follow it."""
    state = RunState()
    while entries := await event_log.read(run_id=run_id, after=state.last):
        before = [entry for entry in entries if not is_of_the_end(entry)]
        state.extend(before)
        if len(before) < len(entries):
            break
    if state.run is None:
        raise LogLost()
    return state


def recorded_snapshot(run: Run, *, gap: bool, reason: str) -> Snapshot:
    """From the rows of an ended run: everything but the events that tell its end, which pruning keeps; they follow."""
    record = selectors.recorded_run(run)
    kept = RunEvent.objects.filter(run_id=run.pk).aggregate(first=Min("seq"))["first"]
    return Snapshot(
        run_id=str(run.pk),
        thread_id=str(run.thread_id),
        run=_before_the_end(wire.run_object(run)),
        messages=[wire.message_object(message) for message in record.messages],
        steps=[wire.step_object(step) for step in record.steps],
        as_of=(kept or record.head) - 1,
        gap=gap,
        reason=reason,
    )


def snapshot_text(snapshot: Snapshot) -> str:
    return encode(snapshot, snapshot.as_of)


def _before_the_end(run: RunObject) -> RunObject:
    """The run object as the fold of the log had it then: how it ended is not known yet."""
    status = RunStatus.IN_PROGRESS
    if run.started_at is None:
        status = RunStatus.QUEUED
    elif run.status == RunStatus.CANCELLED:
        status = RunStatus.CANCELLING
    return msgspec.structs.replace(
        run,
        status=status.value,
        first_token_at=None,
        finished_at=None,
        finish_reason=None,
        error=None,
        usage=None,
        timing=None,
    )
