"""Parking a run: what it has so far, what a person is asked, and the events that tell it, in one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from conversations.database import verb
from conversations.models import Approval, Run, RunLease
from conversations.ports import ports
from conversations.services.locks import lock_thread_of
from conversations.services.run_close import EndRefused, LeaseLost, store_answer, store_steps
from conversations.services.run_lease import Claim
from conversations.wire import plain
from streaming.protocol import objects
from streaming.protocol.approvals import binding
from streaming.protocol.codec import Entry, encode
from streaming.protocol.errors import NotFound
from streaming.protocol.events import Event
from streaming.protocol.lifecycle import RunStatus, sources_of
from streaming.protocol.notices import Notice


@verb
def park_run(
    *,
    claim: Claim,
    head: int,
    message: objects.Message,
    steps: Sequence[objects.Step],
    approvals: Sequence[objects.Approval],
    so_far: dict[str, Any],
    held: float,
    notices: Sequence[Notice],
    events: Sequence[Event],
) -> list[Entry]:
    """Leave the run to a person: it is held by nobody until every approval is decided. Conditional as an end is.

    ``head`` is the number of the last event in the log; ``events`` follow it. Returns them as they were written. By now
    the run was held for ``held`` seconds. Raises LeaseLost, or EndRefused where somebody wants it stopped; then nothing
    was written.
    """
    entries = [Entry(number, encode(event, number)) for number, event in enumerate(events, start=head + 1)]
    try:
        lock_thread_of(claim.run_id)
    except NotFound:
        raise LeaseLost(f"run {claim.run_id} is gone") from None
    lease = RunLease.objects.filter(pk=claim.run_id, number=claim.number, head=head)
    if not lease.update(head=head + len(entries), holder="", expires_at=None, held=held, held_since=None):
        raise LeaseLost(f"run {claim.run_id}: lease {claim.number} at {head} is not ours")
    ours = Run.objects.filter(pk=claim.run_id, status__in=sources_of(RunStatus.REQUIRES_ACTION))
    if not ours.update(status=RunStatus.REQUIRES_ACTION, so_far=so_far, notices=plain(notices) or None):
        raise EndRefused(f"run {claim.run_id} may not be parked")
    run = Run.objects.get(pk=claim.run_id)
    store_answer(run, message)
    store_steps(run.pk, steps)
    Approval.objects.bulk_create(_row(run, approval) for approval in approvals)
    ports.event_store.write_midway(run, entries)
    transaction.on_commit(lambda: ports.bell(run.pk, entries))
    return entries


def _row(run: Run, approval: objects.Approval) -> Approval:
    bound_to = binding(run_id=str(run.pk), tool=approval.tool, arguments=approval.arguments)
    return Approval(
        id=UUID(approval.approval_id),
        run=run,
        step_id=UUID(approval.step_id),
        tool=approval.tool,
        arguments=approval.arguments,
        arguments_hash=bound_to,
        expires_at=datetime.fromisoformat(approval.expires_at),
    )
