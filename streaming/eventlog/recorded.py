"""The snapshot of an ended run as its rows have it."""

import msgspec

from conversations import selectors, wire
from conversations.models import Run
from streaming.protocol.events import Snapshot
from streaming.protocol.lifecycle import RunStatus
from streaming.protocol.objects import Run as RunObject
from streaming.protocol.response_format import Structured


def recorded_snapshot(run: Run, *, gap: bool, reason: str) -> Snapshot:
    """From the rows of an ended run: everything but the events that tell its end, which pruning keeps; they follow."""
    record = selectors.recorded_run(run)
    return Snapshot(
        run_id=str(run.pk),
        thread_id=str(run.thread_id),
        run=_before_the_end(wire.run_object(run)),
        messages=[wire.message_object(message) for message in record.messages],
        steps=[wire.step_object(step) for step in record.steps],
        as_of=(selectors.first_of_the_end(run) or record.head) - 1,
        gap=gap,
        reason=reason,
    )


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
        reason=None,
        error=None,
        usage=None,
        timing=None,
        structured=None if run.structured is None else Structured(),
    )
