"""Who works on a run: claiming, beating, finding those whose worker is gone. Always by the database's clock."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Case, F, Q, QuerySet, When
from django.db.models.functions import Now
from django.utils import timezone

from chatserver.rows import Rows, as_uuid, for_update, marks, stored_id
from conversations import selectors
from conversations.database import verb
from conversations.models import Run, RunLease
from conversations.ports import ports
from conversations.services.locks import lock_thread_of
from streaming.protocol.codec import Entry
from streaming.protocol.errors import NotFound
from streaming.protocol.lifecycle import HELD, RunStatus

_LEASES, _RUNS = Rows(RunLease), Rows(Run)
_THREADS_OF = """SELECT id FROM conversations_thread
WHERE id IN (SELECT thread_id FROM conversations_run WHERE id IN"""
_BEGIN = """UPDATE conversations_run
SET attempt = attempt + CASE WHEN status = 'requires_action' THEN 0 ELSE 1 END,
    started_at = COALESCE(started_at, %s), status = 'in_progress' WHERE id IN """
_HAS_NO_BOUND = f""" AND COALESCE(
    (SELECT max_parallel FROM conversations_modelserver server WHERE server.name = {_RUNS.table}.provider), %s
) = 0 RETURNING id"""
# The database's clock, as Django's Now() has it.
_TAKE = {
    "sqlite": """UPDATE conversations_runlease SET holder = %s, number = number + 1,
        expires_at = STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW', %s),
        held_since = STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW') WHERE run_id IN """,
    "postgresql": """UPDATE conversations_runlease SET holder = %s, number = number + 1,
        expires_at = STATEMENT_TIMESTAMP() + %s, held_since = STATEMENT_TIMESTAMP() WHERE run_id IN """,
}
_SECONDS_FROM_NOW: dict[str, Callable[[float], object]] = {
    "sqlite": lambda seconds: f"+{seconds:.3f} seconds",
    "postgresql": lambda seconds: timedelta(seconds=seconds),
}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to write a run's events: good as long as ``number`` is the lease's.

    ``held`` is for how many seconds others have held the run, ``lost`` how many of them have died. ``left``: it was
    being worked on. ``opened`` is all that its log has, where it was taken as it was opened.
    """

    run_id: UUID
    number: int
    head: int
    held: float = 0.0
    lost: int = 0
    left: bool = False
    opened: Sequence[Entry] = field(default=(), repr=False)


def _still_there() -> AbstractContextManager[bool]:
    return nullcontext(True)


@dataclass(frozen=True, kw_only=True)
class Hands:
    """A process with room for the runs that it is about to open: it has them from the moment they are there.

    ``max_parallel`` as in ``claim_next``. ``taken`` is called with what was opened after the commit, in the thread that
    opened it, and rings the bell for it. ``used`` is around all that the thread does with them, and says whether they
    are still there: whoever asked for the runs may have gone.
    """

    holder: str
    expiry: float
    max_parallel: int
    taken: Callable[[Run, Claim], None]
    used: Callable[[], AbstractContextManager[bool]] = _still_there


@dataclass(frozen=True, kw_only=True)
class Orphan:
    """A run that nobody works on any more. ``unwanted``: somebody wants it stopped."""

    run_id: UUID
    unwanted: bool


@verb
def claim_run(*, run_id: UUID, holder: str, expiry: float) -> Claim | None:
    """Take this very run, whatever its turn; None where somebody else was faster, or it was cancelled or deleted."""
    return next(iter(take([run_id], holder=holder, expiry=expiry)), None)


def take(run_ids: Sequence[UUID], *, holder: str, expiry: float) -> list[Claim]:
    """Take those of the runs that still wait for a worker, in this order, in the caller's transaction. What somebody
    else is about to change is left out, not waited for.

    A parked run goes on in the attempt in which it was parked: nothing has failed.
    """
    if not run_ids:
        return []
    threads = _threads_of(run_ids)
    # Again, now that nobody changes them: they may have been cancelled since they were found.
    taken = selectors.still_claimable(run_ids=run_ids, thread_ids=threads)
    if not taken:
        return []
    with connection.cursor() as cursor:
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        cursor.execute(_BEGIN + marks(taken), [now, *map(stored_id, taken)])
    claims = _leases(taken, holder, expiry)
    return [claims[run_id] for run_id in run_ids if run_id in claims]


def take_new(runs: Sequence[Run], hands: Hands) -> dict[UUID, Claim]:
    """Take runs that this transaction has written, so that nobody else can know of them yet: those whose model server
    has as many at once as it is asked. The others wait for their turn. The objects stay as they were opened.
    """
    with connection.cursor() as cursor:
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        ids = [stored_id(run.pk) for run in runs]
        cursor.execute(_BEGIN + marks(ids) + _HAS_NO_BOUND, [now, *ids, hands.max_parallel])
        taken = [as_uuid(row[0]) for row in cursor.fetchall()]
    return _leases(taken, hands.holder, hands.expiry) if taken else {}


@verb
def claim_orphan(*, run_id: UUID, holder: str, expiry: float, all_others_dead: bool) -> Claim | None:
    """Take a run whose worker is gone, for another attempt; None where another process was faster, or its worker lives
    after all.
    """
    try:
        lock_thread_of(run_id)
    except NotFound:
        return None
    # An update that has waited is asked again by PostgreSQL about the row alone, not about its join with the run. So
    # get hold of it first, and then ask. One that is held is being written, if only by a process that has frozen at it.
    lease = RunLease.objects.select_for_update(skip_locked=True).filter(pk=run_id).first()
    if lease is None or not _orphaned_leases(holder, all_others_dead).filter(pk=run_id).exists():
        return None
    Run.objects.filter(pk=run_id, status=RunStatus.IN_PROGRESS).update(attempt=F("attempt") + 1)
    lease.lost += bool(lease.holder)
    if lease.held_since and lease.expires_at:  # until the last beat: what came then was not work
        lease.held += max(0.0, (lease.expires_at - lease.held_since).total_seconds() - expiry)
    lease.save(update_fields=["lost", "held"])
    return replace(_leases([run_id], holder, expiry)[run_id], left=True)


def orphans(*, holder: str, all_others_dead: bool, most: int) -> list[Orphan]:
    """Runs in progress whose lease has run out, first those that are only to be stopped. ``all_others_dead``: whose
    holder is not us, whatever the lease says (we hold the lock on the data directory, so nobody else can be alive).
    """
    unwanted = Case(When(run__status=RunStatus.CANCELLING, then=True), default=False)
    leases = _orphaned_leases(holder, all_others_dead).annotate(unwanted=unwanted).order_by("-unwanted", "pk")
    return [Orphan(run_id=pk, unwanted=unwanted) for pk, unwanted in leases.values_list("pk", "unwanted")[:most]]


@verb
def beat(*, holder: str, expiry: float) -> dict[UUID, int]:
    """Extend all our leases at once; returns their numbers, by run."""
    ours = RunLease.objects.filter(holder=holder)
    # In the order of the event log's commits, which have several of them at once as well.
    numbers = dict(ours.select_for_update().order_by("pk").values_list("pk", "number"))
    ours.filter(pk__in=numbers).update(expires_at=Now() + timedelta(seconds=expiry))
    return numbers


@verb
def let_go(*, claim: Claim, held: float | None = None) -> None:
    """Give a lease up, so that somebody else goes on with the run, which was held for ``held`` seconds by now."""
    ours = RunLease.objects.filter(pk=claim.run_id, number=claim.number)
    known = {} if held is None else {"held": held}
    if ours.update(holder="", expires_at=None, held_since=None, **known):
        transaction.on_commit(lambda: ports.bell(claim.run_id, ()))


def cancel_wishes(*, run_ids: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
    """Those of our runs that somebody wants stopped: by whom and why."""
    rows = Run.objects.filter(pk__in=run_ids, status=RunStatus.CANCELLING)
    return {pk: (by, reason) for pk, by, reason in rows.values_list("pk", "cancel_by", "cancel_reason")}


def _orphaned_leases(holder: str, all_others_dead: bool) -> QuerySet[RunLease]:
    leases = RunLease.objects.filter(run__status__in=HELD).exclude(holder=holder)
    if all_others_dead:
        return leases
    return leases.filter(Q(expires_at__lt=Now()) | Q(expires_at=None))


def _threads_of(run_ids: Sequence[UUID]) -> list[UUID]:
    """The threads of these runs, but for those that somebody holds; they are ours for this transaction."""
    skipping = for_update("FOR NO KEY UPDATE SKIP LOCKED")
    with connection.cursor() as cursor:
        cursor.execute(f"{_THREADS_OF} {marks(run_ids)}){skipping}", list(map(stored_id, run_ids)))
        return [as_uuid(row[0]) for row in cursor.fetchall()]


def _leases(run_ids: Sequence[UUID], holder: str, expiry: float) -> dict[UUID, Claim]:
    sql = _TAKE[connection.vendor] + f"{marks(run_ids)} RETURNING {_LEASES.columns}"
    leases = _LEASES.made_by(sql, [holder, _SECONDS_FROM_NOW[connection.vendor](expiry), *map(stored_id, run_ids)])
    return {lease.pk: _claim(lease) for lease in leases}


def _claim(lease: RunLease) -> Claim:
    return Claim(run_id=lease.pk, number=lease.number, head=lease.head, held=lease.held, lost=lease.lost)
