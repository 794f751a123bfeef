"""Who works on a run: claiming, beating, finding those whose worker is gone. Always by the database's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, When, Window
from django.db.models.functions import Coalesce, Now, RowNumber
from django.utils import timezone

from conversations.database import verb
from conversations.models import Approval, Run, RunLease
from conversations.services.locks import lock_thread_of
from streaming.protocol.errors import NotFound
from streaming.protocol.lifecycle import RunStatus

HELD = (RunStatus.IN_PROGRESS, RunStatus.CANCELLING)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to write a run's events: good as long as ``number`` is the lease's."""

    run_id: UUID
    number: int
    head: int


def claimable() -> QuerySet[Run]:
    """Runs that wait for a worker: queued, or parked with nothing left that a person has to decide."""
    undecided = Approval.objects.filter(run=OuterRef("pk"), decision=Approval.Decision.PENDING)
    decided = Q(status=RunStatus.REQUIRES_ACTION) & ~Exists(undecided)
    return Run.objects.filter(Q(status=RunStatus.QUEUED, waiting=False) | decided)


def queued_run_ids(*, most: int) -> list[UUID]:
    """Runs that wait for a worker, in turn: first of those who have the fewest before this one, in progress or queued,
    then the oldest. So nobody's many questions keep another's one waiting.
    """
    held = Run.objects.filter(owner=OuterRef("owner"), status__in=HELD).order_by().values("owner")
    busy = Coalesce(Subquery(held.annotate(runs=Count("pk")).values("runs")), 0)
    place = Window(RowNumber(), partition_by=F("owner"), order_by="created_at")
    queue = claimable().annotate(turn=busy + place)
    return list(queue.order_by("turn", "created_at").values_list("pk", flat=True)[:most])


@verb
def claim_run(*, run_id: UUID, holder: str, expiry: float) -> Claim | None:
    """Take a run that waits for a worker; None where somebody else was faster, or it was cancelled or deleted.

    A parked run goes on in the attempt in which it was parked: nothing has failed.
    """
    try:
        lock_thread_of(run_id)
    except NotFound:
        return None
    parked = Case(When(status=RunStatus.REQUIRES_ACTION, then=0), default=1)
    taken = (
        claimable()
        .filter(pk=run_id)
        .update(
            status=RunStatus.IN_PROGRESS,
            attempt=F("attempt") + parked,
            started_at=Coalesce(F("started_at"), timezone.now()),
        )
    )
    return _lease(run_id, holder, expiry) if taken else None


@verb
def claim_orphan(*, run_id: UUID, holder: str, expiry: float, all_others_dead: bool) -> Claim | None:
    """Take a run whose worker is gone; None where another process was faster or its worker lives after all."""
    # An update that has waited is asked again by PostgreSQL about the row alone, not about its join with the run. So
    # wait first, and then ask.
    RunLease.objects.select_for_update().filter(pk=run_id).first()
    if not _orphaned_leases(holder, all_others_dead).filter(pk=run_id).update(holder=""):
        return None
    return _lease(run_id, holder, expiry)


def orphan_run_ids(*, holder: str, all_others_dead: bool, most: int) -> list[UUID]:
    """Runs in progress whose lease has run out. ``all_others_dead``: whose holder is not us, whatever the lease says
    (we hold the lock on the data directory, so nobody else can be alive).
    """
    leases = _orphaned_leases(holder, all_others_dead)
    return list(leases.order_by("pk").values_list("pk", flat=True)[:most])


@verb
def beat(*, holder: str, expiry: float) -> int:
    """Extend all our leases at once; returns how many there are."""
    ours = RunLease.objects.filter(holder=holder)
    # In the order of the event log's commits, which have several of them at once as well.
    list(ours.select_for_update().order_by("pk").values_list("pk"))
    return ours.update(expires_at=Now() + timedelta(seconds=expiry))


@verb
def let_go(*, claim: Claim) -> None:
    """Give a lease up, so that the next sweep finds the run."""
    RunLease.objects.filter(pk=claim.run_id, number=claim.number).update(holder="", expires_at=None)


def cancel_wishes(*, run_ids: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
    """Those of our runs that somebody wants stopped: by whom and why."""
    rows = Run.objects.filter(pk__in=run_ids, status=RunStatus.CANCELLING)
    return {pk: (by, reason) for pk, by, reason in rows.values_list("pk", "cancel_by", "cancel_reason")}


def _orphaned_leases(holder: str, all_others_dead: bool) -> QuerySet[RunLease]:
    leases = RunLease.objects.filter(run__status__in=HELD).exclude(holder=holder)
    if all_others_dead:
        return leases
    return leases.filter(Q(expires_at__lt=Now()) | Q(expires_at=None))


def _lease(run_id: UUID, holder: str, expiry: float) -> Claim:
    RunLease.objects.filter(pk=run_id).update(
        holder=holder, number=F("number") + 1, expires_at=Now() + timedelta(seconds=expiry)
    )
    lease = RunLease.objects.get(pk=run_id)
    return Claim(run_id=run_id, number=lease.number, head=lease.head)
