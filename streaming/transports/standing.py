"""How a run stands, and its snapshot: from the log while that has it, from the rows after."""

from uuid import UUID

from conversations.models import Run
from streaming.eventlog.base import EventLog, Extent, LogLost
from streaming.protocol.lifecycle import TERMINAL, RunStatus
from streaming.protocol.marks import is_of_the_end
from streaming.protocol.snapshot import RunState
from streaming.transports.attach import Standing


async def standing(event_log: EventLog, run: Run, *, after: int, known: Extent | None = None) -> Standing:
    """``known`` is how far the log has come, where that need not be asked."""
    extent = known or await event_log.extent(run_id=run.pk, after=after)
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
