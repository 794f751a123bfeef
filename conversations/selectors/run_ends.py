"""What the rows themselves have of the logs of runs, beside the log: how they begin and how they end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Min

from conversations.models import Run, RunCheckpoint, RunEvent, RunLease
from streaming.protocol.codec import Entry
from streaming.protocol.lifecycle import TERMINAL, RunStatus
from streaming.protocol.marks import is_of_the_end


@dataclass(frozen=True, kw_only=True)
class RunEnds:
    """``head`` is the last event's number where the run has ended, else one that its log has reached. ``opening``
    begins with event 1; ``closing`` ends with the last one. ``checkpoint`` is a snapshot of a run that goes on.
    """

    run: Run
    head: int
    opening: list[Entry]
    closing: list[Entry]
    checkpoint: Entry | None

    @property
    def ended(self) -> bool:
        return RunStatus(self.run.status) in TERMINAL


def run_ends(run_id: UUID) -> RunEnds | None:
    """None where there is no such run."""
    run = Run.objects.filter(pk=run_id).select_related("lease").first()
    if run is None:
        return None
    ended = RunStatus(run.status) in TERMINAL
    head = run.head if ended else max(run.head, run.lease.head)
    point = None if ended else RunCheckpoint.objects.filter(pk=run_id).first()
    return RunEnds(
        run=run,
        head=head,
        opening=_opening(run),
        closing=_closing(run),
        checkpoint=None if point is None else Entry(point.head, point.text),
    )


def first_of_the_end(run: Run) -> int | None:
    """The number of the first event that tells the end of an ended run, as far as rows have it."""
    told = [entry.id for entry in _closing(run) if is_of_the_end(entry)]
    if told:
        return told[0]
    kept: int | None = RunEvent.objects.filter(run_id=run.pk).aggregate(first=Min("seq"))["first"]
    return kept


def log_heads(run_ids: Iterable[UUID]) -> dict[UUID, int]:
    """How far the logs of these runs have come by their rows, of those that there are."""
    return dict(RunLease.objects.filter(pk__in=run_ids).values_list("pk", "head"))


def told_by_rows(beyond: Mapping[UUID, int]) -> dict[UUID, list[Entry]]:
    """What rows have beyond these heads: how runs have ended, of those that go on what a waiting one began with since,
    or where the log has not come so far, a checkpoint.
    """
    told: dict[UUID, list[Entry]] = {}
    for run in Run.objects.filter(pk__in=beyond):
        known = _closing(run) if RunStatus(run.status) in TERMINAL else _opening(run)
        told[run.pk] = [entry for entry in known if entry.id > beyond[run.pk]]
    for point in RunCheckpoint.objects.filter(pk__in=[run_id for run_id, entries in told.items() if not entries]):
        if point.head > beyond[point.run_id]:
            told[point.run_id] = [Entry(point.head, point.text)]
    return told


def _opening(run: Run) -> list[Entry]:
    return [Entry(*numbered) for numbered in enumerate(run.opening_events, start=1)]


def _closing(run: Run) -> list[Entry]:
    """Their numbers end with the head, however many of them were pruned."""
    return [Entry(*numbered) for numbered in enumerate(run.closing_events, run.head - len(run.closing_events) + 1)]
