from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from conversations.models import Run, Thread
from conversations.selectors import cursors
from streaming.protocol.lifecycle import ACTIVE

PAGE = 50


@dataclass(frozen=True, kw_only=True)
class ThreadPage:
    threads: list[Thread]
    active: dict[UUID, list[UUID]]
    next: str | None


def thread_page(
    *, owner_id: UUID, cursor: str | None, archived: bool = False, words: str = "", size: int = PAGE
) -> ThreadPage:
    """A user's threads, the latest activity first, with the runs that are under way. Two queries.

    ``words``: only threads whose title has each of these words somewhere in it, in any case.
    """
    threads = Thread.objects.filter(owner_id=owner_id, archived=archived)
    for word in words.split():
        threads = threads.filter(title__icontains=word)
    if cursor:
        moment, last = cursors.decode_moment(cursor)
        threads = threads.filter(Q(updated_at__lt=moment) | Q(updated_at=moment, pk__lt=last))
    rows = list(threads.order_by("-updated_at", "-id")[: size + 1])
    shown = rows[:size]
    more = cursors.encode_moment(shown[-1].updated_at, shown[-1].pk) if len(rows) > size else None
    return ThreadPage(threads=shown, active=active_run_ids([thread.pk for thread in shown]), next=more)


def active_run_ids(thread_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    rows = Run.objects.filter(thread_id__in=thread_ids, status__in=ACTIVE).order_by("created_at", "pk")
    runs: dict[UUID, list[UUID]] = defaultdict(list)
    for thread_id, run_id in rows.values_list("thread_id", "pk"):
        runs[thread_id].append(run_id)
    return dict(runs)
