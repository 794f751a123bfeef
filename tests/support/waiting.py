"""Runs that wait or are at work, written straight into the rows: as many as a queue may have, and quickly."""

from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone

from chatserver.accounts.models import User
from chatserver.ids import new_id
from conversations.models import Run, RunLease, Thread
from streaming.protocol.lifecycle import RunStatus

# Whose, at which model server, with which status.
Line = tuple[User, str, RunStatus]


def line_up(lines: Sequence[Line], *, ago: float = 3600.0) -> list[Run]:
    """One run a line, each made a millisecond after the one before, the first so many seconds ago."""
    begin = timezone.now() - timedelta(seconds=ago)
    threads = Thread.objects.bulk_create(Thread(pk=new_id(), owner=owner) for owner, _, _ in lines)
    runs = [
        Run(
            pk=new_id(),
            thread=thread,
            owner=owner,
            provider=server,
            model=f"{server}/model",
            status=status,
            created_at=begin + timedelta(milliseconds=number),
        )
        for number, (thread, (owner, server, status)) in enumerate(zip(threads, lines, strict=True))
    ]
    Run.objects.bulk_create(runs)
    RunLease.objects.bulk_create(RunLease(run=run) for run in runs)
    return runs


def ended(owner: User, server: str, *took: float) -> None:
    """Runs that a model server has worked on for so many seconds each, the latest last."""
    runs = line_up([(owner, server, RunStatus.COMPLETED)] * len(took))
    for run, seconds in zip(runs, took, strict=True):
        run.started_at = run.created_at
        run.finished_at = run.created_at + timedelta(seconds=seconds)
    Run.objects.bulk_update(runs, ["started_at", "finished_at"])
