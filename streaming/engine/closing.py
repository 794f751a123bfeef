"""Reading and ending a run through whatever the storage does meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import msgspec
import structlog
from django.db import InterfaceError, OperationalError

from conversations.services.run_close import LeaseLost, close_run
from conversations.services.run_lease import Claim, let_go
from conversations.services.run_park import park_run
from streaming.engine.outcome import Ending
from streaming.engine.parking import Parking
from streaming.engine.workshop import Workshop
from streaming.eventlog.base import EventLog
from streaming.protocol.snapshot import RunState

log = structlog.get_logger(__name__)
T = TypeVar("T")


async def read_state(event_log: EventLog, claim: Claim) -> RunState:
    """The fold of everything the log has of a run. Raises LogLost, and ValueError where the log is no history."""
    state = RunState()
    await read_into(state, event_log, claim)
    return state


async def read_into(state: RunState, event_log: EventLog, claim: Claim) -> None:
    """Fold what the log has beyond ``state``, and will not be changed by anybody else. Where it raises, ``state`` has
    what came before.
    """
    head, entries = await event_log.fence(run_id=claim.run_id, number=claim.number, after=state.last)
    while entries:
        state.extend(entries)
        if state.last >= head:
            return
        entries = await event_log.read(run_id=claim.run_id, after=state.last)


async def close_for_good(shop: Workshop, claim: Claim, ending: Ending, *, head: int) -> bool:
    """Write the end, trying again for as long as the storage is away. False where the run is not ours any more.

    Raises EndRefused.
    """
    closing = partial(
        close_run,
        claim=claim,
        head=head,
        status=ending.status,
        run=ending.run,
        message=ending.message,
        steps=ending.steps,
        events=ending.events,
    )
    return await _for_good(shop, claim, closing)


async def park_for_good(shop: Workshop, claim: Claim, parking: Parking, *, held: float, head: int) -> bool:
    """Write the park in the same way. ``held`` is for how many seconds workers have held the run by now."""
    so_far = msgspec.to_builtins(parking.so_far)
    return await _for_good(
        shop,
        claim,
        partial(
            park_run,
            claim=claim,
            head=head,
            message=parking.message,
            steps=parking.steps,
            approvals=parking.approvals,
            so_far=so_far,
            held=held,
            notices=parking.run.notices,
            events=parking.events,
        ),
    )


async def _for_good(shop: Workshop, claim: Claim, writing: Callable[[], object]) -> bool:
    try:
        await insist(partial(shop.event_log.run_last, writing, run_id=claim.run_id), run=str(claim.run_id))
    except LeaseLost as lost:
        log.info("not closed here", run=str(claim.run_id), why=str(lost))
        # Where nobody else has it after all, the next sweep must find it; the lease of somebody else is left alone.
        await insist(partial(shop.leases, let_go, claim=claim), run=str(claim.run_id))
        return False
    return True


async def insist(work: Callable[[], Awaitable[T]], *, run: str) -> T:
    """Try until the database takes it: a run that cannot be read or closed now can be later, and must be.

    Only where trying again may help: what the database will refuse for ever is raised.
    """
    pause = 0.1
    while True:
        try:
            return await work()
        except (OperationalError, InterfaceError) as fault:
            log.warning("storage is away, trying again", run=run, fault=type(fault).__name__)
        await asyncio.sleep(pause)
        pause = min(2 * pause, 5.0)
