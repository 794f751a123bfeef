from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery

from conversations.models import ModelServer, Run, Thread
from streaming.protocol.lifecycle import HELD, RunStatus


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a thread is, and what goes on at a model server. ``untitled``: nobody has named the thread but its question.
    ``owner_asks``: a run of the thread's owner is under way or waits there. ``max_parallel`` is the server's own bound.
    """

    untitled: bool
    head: UUID | None
    waiting: bool
    running: int
    owner_asks: bool
    max_parallel: int | None


def standing(*, thread_id: UUID, server: str) -> Standing | None:
    """None where the thread is gone. One query."""
    there = Run.objects.filter(provider=server)
    waiting = there.filter(status=RunStatus.QUEUED, waiting=False)
    owners = there.filter(Q(status__in=HELD) | Q(status=RunStatus.QUEUED, waiting=False), owner=OuterRef("owner"))
    row = (
        Thread.objects.filter(pk=thread_id)
        .annotate(
            somebody_waits=Exists(waiting),
            owner_asks=Exists(owners),
            running=Subquery(_counted(there.filter(status__in=HELD))),
            bound=Subquery(ModelServer.objects.filter(name=server).values("max_parallel")),
        )
        .values_list("title_by", F("head_id"), "somebody_waits", "running", "owner_asks", "bound")
        .first()
    )
    if row is None:
        return None
    title_by, head, somebody_waits, running, owner_asks, bound = row
    return Standing(
        untitled=title_by in Thread.UNTITLED,
        head=head,
        waiting=somebody_waits,
        running=running or 0,
        owner_asks=owner_asks,
        max_parallel=bound,
    )


def _counted(runs: QuerySet[Run]) -> QuerySet[Any, Any]:
    return runs.order_by().values("provider").annotate(runs=Count("pk")).values("runs")
