"""Runs whose process died: closed from the log, so that nothing stays in progress for ever."""

import time
from functools import partial

import structlog

from chatserver.ids import new_id
from conversations.services.run_lease import Claim, cancel_wishes
from conversations.services.run_park import park_again
from streaming.engine.closing import close_for_good, insist, read_state
from streaming.engine.machine import RunMachine
from streaming.engine.outcome import INTERRUPTED, Cancelled, Incomplete
from streaming.engine.salvage import salvage
from streaming.engine.workshop import Workshop
from streaming.protocol.lifecycle import RunStatus

log = structlog.get_logger(__name__)


async def close_orphan(shop: Workshop, claim: Claim) -> None:
    """End the run with what its readers saw: as cancelled where somebody had asked for that, else as interrupted."""
    try:
        await _close_from_log(shop, claim)
    except Exception as fault:  # its log is lost, or is no history: the run must end all the same
        await salvage(shop, claim, fault)


async def _close_from_log(shop: Workshop, claim: Claim) -> None:
    run = str(claim.run_id)
    state = await insist(partial(read_state, shop.event_log, claim), run=run)
    wishes = await insist(partial(shop.leases, cancel_wishes, run_ids=[claim.run_id]), run=run)
    if state.run is not None and state.run.status == RunStatus.REQUIRES_ACTION and not wishes:
        # Its process died between taking it up and the first event: nothing that was approved has begun.
        await insist(partial(shop.leases, park_again, claim=claim), run=run)
        return
    machine = RunMachine(state=state, limits=shop.limits, new_id=lambda: str(new_id()))
    wish = wishes.get(claim.run_id)
    outcome = Cancelled(wish[0], wish[1], upstream_closed=True) if wish else Incomplete(INTERRUPTED)
    head = state.last  # the machine goes on counting in this state
    ending = machine.end(outcome, at=time.time())
    if await close_for_good(shop, claim, ending, head=head):
        log.warning("closed a run that its process had left", run=run, status=ending.status.value)
