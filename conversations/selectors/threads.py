from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Count, OuterRef, Q, Subquery

from conversations.models import Run, Thread
from conversations.selectors import cursors
from streaming.protocol.lifecycle import ACTIVE

PAGE = 50


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """The runs of a thread that have not ended: those that answer, and the sends that wait for them, in order."""

    active: list[UUID] = field(default_factory=list)
    waiting: list[UUID] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ThreadPage:
    """``under_way`` by thread; every thread of the page is in it."""

    threads: list[Thread]
    under_way: dict[UUID, UnderWay]
    next: str | None


def thread_page(
    *, owner_id: UUID, cursor: str | None, archived: bool = False, words: str = "", size: int = PAGE
) -> ThreadPage:
    """A user's threads, the latest activity first, with the runs that are under way. Two queries, and one more for the
    pinned ones, which stand above the others on the first page.

    ``words``: only threads whose title has each of these words somewhere in it, in any case.
    """
    threads = Thread.objects.filter(owner_id=owner_id, archived=archived)
    for word in words.split():
        threads = threads.filter(title__icontains=word)
    threads = threads.order_by("-updated_at", "-id")
    pinned: list[Thread] = []
    others = threads.filter(pinned=False)
    if cursor:
        moment, last = cursors.decode_moment(cursor)
        others = others.filter(Q(updated_at__lt=moment) | Q(updated_at=moment, pk__lt=last))
    else:
        pinned = list(threads.filter(pinned=True)[: Thread.MOST_PINNED])
    rows = list(others[: size + 1])
    shown = pinned + rows[:size]
    more = cursors.encode_moment(rows[size - 1].updated_at, rows[size - 1].pk) if len(rows) > size else None
    return ThreadPage(threads=shown, under_way=under_way([thread.pk for thread in shown]), next=more)


def under_way(thread_ids: Sequence[UUID]) -> dict[UUID, UnderWay]:
    """What is under way in each of these threads. One query."""
    rows = Run.objects.filter(thread_id__in=thread_ids, status__in=ACTIVE).order_by("created_at", "pk")
    runs: dict[UUID, UnderWay] = defaultdict(UnderWay)
    for thread_id, run_id, waits in rows.values_list("thread_id", "pk", "waiting"):
        (runs[thread_id].waiting if waits else runs[thread_id].active).append(run_id)
    return {thread_id: runs[thread_id] for thread_id in thread_ids}


def runs_of(thread_ids: Sequence[UUID]) -> dict[UUID, tuple[int, str]]:
    """How many runs each of these threads has, and the status of the last one; empty where it has none. Two queries."""
    runs = Run.objects.filter(thread_id__in=thread_ids)
    counts = dict(runs.order_by().values_list("thread_id").annotate(Count("pk")))
    latest = Run.objects.filter(thread=OuterRef("pk")).order_by("-created_at").values("status")[:1]
    last = dict(Thread.objects.filter(pk__in=thread_ids).values_list("pk", Subquery(latest)))
    return {thread_id: (counts.get(thread_id, 0), last.get(thread_id) or "") for thread_id in thread_ids}


def waiting_runs(*, thread_id: UUID) -> list[Run]:
    """The sends that wait in a thread, in the order in which they will start."""
    return list(Run.objects.filter(thread_id=thread_id, waiting=True).order_by("created_at", "pk"))
