"""Deciding what a parked run asks, once; and ending those that were asked for too long."""

from collections.abc import Callable
from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from conversations.database import verb
from conversations.models import Approval, Run
from conversations.ports import ports
from conversations.services.locks import lock_thread_of
from conversations.services.run_unheld import end_unheld
from streaming.protocol.approvals import binding
from streaming.protocol.errors import ApprovalClosed, ApprovalExpired, NotFound
from streaming.protocol.lifecycle import RunStatus

# Raises InvalidRequest for arguments with which the tool could not run.
CheckArguments = Callable[[str, dict[str, Any]], None]


@verb
def decide_approval(
    *,
    approval: Approval,
    decision: Literal["approve", "deny"],
    by: UUID,
    check: CheckArguments,
    arguments: dict[str, Any] | None = None,
    note: str = "",
) -> Run:
    """Decide, and return the run as it stands then. With ``arguments`` those are approved, not the ones it asks about.

    The same again changes nothing, also when the run has gone on since. Raises ApprovalClosed where it was decided
    otherwise or the run has ended, ApprovalExpired, NotFound where the run is gone, and what ``check`` raises.
    """
    # A cancel, an expiry, a claim and the run's other decisions take turns with this one.
    lock_thread_of(approval.run_id)
    run = Run.objects.filter(pk=approval.run_id).first()
    if run is None:
        raise NotFound()  # its message was deleted while we waited for the thread
    approval.refresh_from_db()
    if approval.decision != Approval.Decision.PENDING:
        _refuse_unless_the_same(approval, decision=decision, arguments=arguments)
        return run
    _refuse_unless_open(approval, run)
    if arguments is not None:
        check(approval.tool, arguments)
    undecided = Approval.objects.filter(pk=approval.pk, decision=Approval.Decision.PENDING, expires_at__gt=Now())
    ruling = {"decision": decision, "note": note, "decided_by_id": by, "decided_at": timezone.now()}
    if arguments is not None and _binding(approval, arguments) != approval.arguments_hash:
        ruling |= {"changed": arguments, "arguments_hash": _binding(approval, arguments)}
    if not undecided.update(**ruling):
        raise ApprovalExpired()
    transaction.on_commit(lambda: ports.bell(run.pk, ()))
    return run


def expire_parked(*, most: int) -> int:
    """End at most ``most`` parked runs that were asked about for too long; returns how many."""
    return sum(_expire(run_id) for run_id in list(_overdue().values_list("pk", flat=True)[:most]))


@verb
def _expire(run_id: UUID) -> bool:
    try:
        lock_thread_of(run_id)
    except NotFound:
        return False
    if not _overdue().filter(pk=run_id).exists():
        return False  # decided or ended since
    return end_unheld(run_id=run_id, becomes=RunStatus.EXPIRED, among=[RunStatus.REQUIRES_ACTION], changes={})


def _overdue() -> QuerySet[Run]:
    undecided = Approval.objects.filter(run=OuterRef("pk"), decision=Approval.Decision.PENDING, expires_at__lte=Now())
    return Run.objects.filter(Exists(undecided), status=RunStatus.REQUIRES_ACTION)


def _refuse_unless_the_same(approval: Approval, *, decision: str, arguments: dict[str, Any] | None) -> None:
    """The same decision about the same arguments: to approve without naming any is to approve what was asked for."""
    same = approval.decision == decision
    if decision == Approval.Decision.APPROVE:
        meant = approval.arguments if arguments is None else arguments
        same = same and _binding(approval, meant) == approval.arguments_hash
    if not same:
        raise ApprovalClosed(details={"decision": approval.decision})


def _refuse_unless_open(approval: Approval, run: Run) -> None:
    if run.status == RunStatus.EXPIRED:
        raise ApprovalExpired()
    if run.status != RunStatus.REQUIRES_ACTION:
        raise ApprovalClosed("The answer has ended before this was decided.", details={"status": run.status})


def _binding(approval: Approval, arguments: dict[str, Any]) -> str:
    return binding(run_id=str(approval.run_id), tool=approval.tool, arguments=arguments)
