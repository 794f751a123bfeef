"""Runs whose log cannot be worked with: ended all the same, with as much as is left."""

import secrets
import time
from functools import partial

import structlog

from chatserver.ids import new_id
from conversations import selectors, wire
from conversations.models import Run
from conversations.services.run_lease import Claim, cancel_wishes
from streaming.engine.closing import close_for_good, insist, read_into
from streaming.engine.machine import RunMachine
from streaming.engine.outcome import INTERRUPTED, Cancelled, Failed, Incomplete, Outcome
from streaming.engine.workshop import Workshop
from streaming.eventlog.base import LogLost
from streaming.protocol.errors import InternalError
from streaming.protocol.events import Snapshot
from streaming.protocol.lifecycle import MessageStatus
from streaming.protocol.snapshot import RunState

log = structlog.get_logger(__name__)


async def salvage(shop: Workshop, claim: Claim, fault: Exception) -> None:
    """End a run that cannot be worked on as its log stands, so that it does not stay in progress for ever.

    It ends with as much as the log tells before it makes no sense, else with what the rows have. Where the log is gone
    with its process it was interrupted; otherwise the fault is ours.
    """
    run, log_id = str(claim.run_id), secrets.token_hex(8)
    log.error("a run cannot be worked on and is ended", run=run, log_id=log_id, exc_info=fault)
    state = await insist(partial(_what_can_be_read, shop, claim), run=run)
    wishes = await insist(partial(shop.leases, cancel_wishes, run_ids=[claim.run_id]), run=run)
    outcome: Outcome = Failed(InternalError(log_id=log_id).as_object())
    if wish := wishes.get(claim.run_id):
        outcome = Cancelled(wish[0], wish[1], upstream_closed=True)
    elif isinstance(fault, LogLost):
        outcome = Incomplete(INTERRUPTED)
    head = state.last
    machine = RunMachine(state=state, limits=shop.limits, new_id=lambda: str(new_id()))
    await close_for_good(shop, claim, machine.end(outcome, at=time.time()), head=head)


async def _what_can_be_read(shop: Workshop, claim: Claim) -> RunState:
    """The state whose next event continues the lease's head."""
    # What was appended before must have been written, or the head would not be where the end expects it.
    await shop.event_log.run_last(lambda: None, run_id=claim.run_id)
    state = RunState()
    try:
        await read_into(state, shop.event_log, claim)
    except (LogLost, ValueError):
        log.warning("a log cannot be read to its end", run=str(claim.run_id), read=state.last)
    head, of_rows = await shop.offload(_from_the_rows, claim)
    answer = state.answer
    if state.terminal or answer is None or answer.status != MessageStatus.IN_PROGRESS:
        state = of_rows
    state.last = head
    return state


def _from_the_rows(claim: Claim) -> tuple[int, RunState]:
    record = selectors.recorded_run(Run.objects.get(pk=claim.run_id))
    state = RunState()
    snapshot = Snapshot(
        run_id=str(record.run.pk),
        thread_id=str(record.run.thread_id),
        run=wire.run_object(record.run),
        messages=[wire.message_object(message) for message in record.messages],
        steps=[wire.step_object(step) for step in record.steps],  # there are none, unless it was parked
        as_of=record.head,
        gap=True,
        reason="log_lost",
    )
    state.apply(snapshot.as_of, snapshot)
    return record.head, state
