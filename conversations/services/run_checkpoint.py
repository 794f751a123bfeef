"""What the rows have of a run whose log is outside the database: enough to go on when that is lost.

Nothing here writes a word of the log. Every change is conditional on the lease, so what says yes here says at the same
time that the run is still the caller's.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Greatest

from conversations.database import verb
from conversations.models import Run, RunCheckpoint, RunEvent, RunLease
from streaming.protocol.codec import Entry

# So many numbers beyond a checkpoint may have been given out when a log and its writer are lost together. Whoever goes
# on begins beyond them, so no number is ever given out twice.
RESERVED = 10_000


@dataclass(frozen=True, kw_only=True)
class RecordedLog:
    """``head`` is a number that the log has reached, ``reserved`` the last that it may have reached, ``life`` the life
    of the log's server for which that was written; empty: nobody has written to the log yet.
    """

    head: int
    reserved: int
    life: str
    opening: list[Entry] = field(repr=False)
    checkpoint: Entry | None = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Point:
    """The log of a run held under ``number`` has reached ``head``; ``text`` is the snapshot there, where one is due."""

    run_id: UUID
    number: int
    head: int
    text: str | None = field(default=None, repr=False)


@verb
def take_up_logs(
    *, numbers: Mapping[UUID, int], life: str, goes_on_from: Callable[[UUID, RecordedLog], int]
) -> dict[UUID, RecordedLog]:
    """What is recorded of these runs, of those that are still held under these numbers. From now on the number that
    ``goes_on_from`` returns counts as reached, in this life, and the next 10,000 as reserved.
    """
    leases = RunLease.objects.select_for_update().filter(pk__in=numbers).exclude(holder="").order_by("pk")
    ours = {lease.pk: lease for lease in leases if lease.number == numbers[lease.pk]}
    openings = _openings(ours)
    checkpoints = RunCheckpoint.objects.in_bulk(list(ours))
    found = {}
    for run_id, lease in ours.items():
        point = checkpoints.get(run_id)
        found[run_id] = recorded = RecordedLog(
            head=lease.head,
            reserved=lease.reserved,
            life=lease.log_life,
            opening=openings.get(run_id, []),
            checkpoint=None if point is None else Entry(point.head, point.text),
        )
        head = goes_on_from(run_id, recorded)
        RunLease.objects.filter(pk=run_id).update(head=head, reserved=head + RESERVED, log_life=life)
    return found


@verb
def keep_points(*, points: Iterable[Point]) -> set[UUID]:
    """Write how far these logs have come, and reserve what follows. Returns the runs that are not the caller's any
    more, of which nothing was written.
    """
    lost = set()
    texts = []
    for point in sorted(points, key=lambda point: point.run_id):  # one order for all, against deadlocks
        ours = RunLease.objects.filter(pk=point.run_id, number=point.number).exclude(holder="")
        # The end of a run may have moved its head beyond this already.
        head, reserved = Greatest(F("head"), point.head), Greatest(F("reserved"), point.head + RESERVED)
        if not ours.update(head=head, reserved=reserved):
            lost.add(point.run_id)
        elif point.text is not None:
            texts.append(RunCheckpoint(run_id=point.run_id, head=point.head, text=point.text))
    RunCheckpoint.objects.bulk_create(
        texts, update_conflicts=True, unique_fields=["run"], update_fields=["head", "text"]
    )
    return lost


@verb
def keep_head(*, run_id: UUID, number: int, head: int) -> None:
    """Say where the log ends, before an end is written that must follow it."""
    RunLease.objects.filter(pk=run_id, number=number).exclude(holder="").update(head=head)


def keep_parked(*, run_id: UUID, point: Entry) -> None:
    """In the transaction that parks a run: nothing comes after ``point`` until somebody takes the run up again."""
    RunCheckpoint.objects.update_or_create(run_id=run_id, defaults={"head": point.id, "text": point.text})
    RunLease.objects.filter(pk=run_id).update(reserved=point.id)


def _openings(run_ids: Iterable[UUID]) -> dict[UUID, list[Entry]]:
    """The events that opened these runs; all rows of the log of one that was begun when that was the database."""
    texts = dict(Run.objects.filter(pk__in=run_ids).values_list("pk", "opening_events"))
    openings = {run_id: [Entry(*numbered) for numbered in enumerate(each, start=1)] for run_id, each in texts.items()}
    bare = [run_id for run_id, opening in openings.items() if not opening]
    if bare:
        rows = RunEvent.objects.filter(run_id__in=bare).order_by("run_id", "seq")
        for run_id, seq, text in rows.values_list("run_id", "seq", "text"):
            openings[run_id].append(Entry(seq, text))
    return openings
