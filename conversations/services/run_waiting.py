"""Sends that wait: runs without messages behind the one that answers, in order, until their turn comes."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from chatserver.ids import new_id
from conversations import selectors, wire
from conversations.database import verb
from conversations.models import Attachment, Message, Run, RunLease, Thread
from conversations.ports import ports
from conversations.services import attachments, feed, search
from conversations.services.locks import lock_thread_of
from conversations.services.run_rows import (
    Choice,
    as_asked,
    message_events,
    move_head,
    new_answer,
    new_question,
    plain,
)
from streaming.protocol.codec import Entry, encode
from streaming.protocol.commands import MAX_CONTENT_BYTES, Send, json_size
from streaming.protocol.errors import InvalidRequest, NotFound, NotWaiting, QueueFull
from streaming.protocol.events import Event, RunCreated, RunUpdated
from streaming.protocol.lifecycle import ACTIVE

MOST_WAITING = 3  # in a thread; more than that is a letter, not a conversation
MOST_CHANGES = 200  # of one send: each is an event in its log
# The reasons of a cancel after which the next send is not started: who interrupts asks first, and what is deleted is
# not asked at all.
INTERRUPTED, THREAD_DELETED = "interrupted", "thread_deleted"
# So long after an interrupt the queue is left to who interrupts, who may have died: seconds, more than it ever takes.
LEFT_TO_WHO_INTERRUPTS = 15.0


def enqueue(
    *, thread: Thread, command: Send, choice: Choice, behind: Sequence[Run], files: Sequence[Attachment] = ()
) -> Run:
    """A run that waits behind those of the thread that wait already. Its first event is written at once.

    Raises QueueFull.
    """
    assert command.content is not None
    if len(behind) >= MOST_WAITING:
        raise QueueFull(details={"limit": MOST_WAITING, "waiting": [str(run.pk) for run in behind]})
    _refuse_too_much(command.content, behind)
    now = timezone.now()
    if behind:  # whatever the clock of the process says that wrote the one before
        now = max(now, behind[-1].created_at + timedelta(microseconds=1))
    run = Run.objects.create(
        pk=new_id(),
        thread=thread,
        owner_id=thread.owner_id,
        waiting=True,
        request={
            "content": command.content,
            "attachments": attachments.as_told(files) or [],
            "model": choice.full_name,
        },
        provider=choice.provider,
        model=choice.full_name,
        **as_asked(thread, command),
        created_at=now,
    )
    RunLease.objects.create(run=run)
    attachments.use(files, run=run)
    _tell(run, [RunCreated(**_common(run), run=wire.run_object(run))])
    return run


@verb
def change_waiting(*, run: Run, content: str) -> Run:
    """Let a waiting send ask something else, and return it as it stands then. The same again changes nothing.

    Raises NotWaiting where it has begun or ended, QueueFull, InvalidRequest where it was changed too often, and
    NotFound where it was deleted meanwhile.
    """
    thread_id = lock_thread_of(run.pk)
    queue = selectors.waiting_runs(thread_id=thread_id)
    found = next((each for each in queue if each.pk == run.pk), None)
    if found is None:
        raise NotWaiting(details={"status": _status_of(run.pk)})
    assert found.request is not None
    if found.request["content"] == content:
        return found
    if found.head > MOST_CHANGES:
        raise InvalidRequest(
            f"This message was changed {MOST_CHANGES} times. Withdraw it and send it anew.",
            details={"field": "content"},
        )
    _refuse_too_much(content, [each for each in queue if each.pk != run.pk])
    found.request = {**found.request, "content": content}
    if not Run.objects.filter(pk=run.pk, waiting=True).update(request=found.request):
        raise NotWaiting(details={"status": _status_of(run.pk)})
    _tell(found, [RunUpdated(**_common(found), run=wire.run_object(found))])
    tell_queue(found.thread)
    return found


class Started:
    """A send whose turn has come. Its rows are written; ``tell`` belongs behind everything else of the transaction."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def tell(self) -> None:
        thread = self.run.thread
        feed.announce("thread.updated", thread)
        tell_queue(thread)
        feed.record(thread.owner_id, RunCreated.name, {"thread_id": str(thread.pk), "run": plain(self.run)})


def start_next(*, thread_id: UUID, ended: Run | None = None) -> Started | None:
    """Let the send that waits first begin, where nothing else goes on in the thread. For use inside a verb that holds
    the thread; ``ended`` is the run that has just ended there.
    """
    if ended is not None and ended.cancel_reason in (INTERRUPTED, THREAD_DELETED):
        return None
    if not selectors.somebody_waits(thread_id):
        return None
    run = Run.objects.filter(thread_id=thread_id, waiting=True).order_by("created_at", "pk").first()
    if run is None or Run.objects.filter(thread_id=thread_id, waiting=False, status__in=ACTIVE).exists():
        return None
    assert run.request is not None
    thread, now, content = run.thread, timezone.now(), run.request["content"]
    files = run.request["attachments"]
    run.question = new_question(thread, parent=thread.head, content=content, at=now, attachments=files)
    run.answer = new_answer(run, at=now)
    messages = [run.question, run.answer]
    Message.objects.bulk_create(messages)
    search.add(messages, owner_id=thread.owner_id)
    if files:
        attachments.hand_over(run, run.question)
    run.waiting, run.request = False, None
    begun = Run.objects.filter(pk=run.pk, waiting=True).update(
        waiting=False, request=None, question=run.question, answer=run.answer
    )
    assert begun == 1  # whoever holds the thread is alone with its queue
    _tell(run, message_events(run))
    move_head(thread, run, title=content, at=now)
    return Started(run)


def start_left_behind(*, most: int) -> int:
    """Start what waits in at most ``most`` threads in which nothing goes on; returns how many were started.

    The end of a run starts the next send in its own transaction. What is left for here are the queues of threads whose
    last run was interrupted by somebody who then sent nothing.
    """
    active = Run.objects.filter(thread=OuterRef("thread"), waiting=False, status__in=ACTIVE)
    lately = timezone.now() - timedelta(seconds=LEFT_TO_WHO_INTERRUPTS)
    awaited = Run.objects.filter(thread=OuterRef("thread"), cancel_reason=INTERRUPTED, finished_at__gt=lately)
    left = Run.objects.filter(~Exists(active), ~Exists(awaited), waiting=True).order_by("thread_id")
    threads = list(left.values_list("thread_id", flat=True).distinct()[:most])
    return sum(start_waiting(thread_id=thread_id) for thread_id in threads)


@verb
def start_waiting(*, thread_id: UUID) -> bool:
    """Start what waits first in a thread, where nothing goes on in it."""
    if Thread.objects.select_for_update().filter(pk=thread_id).first() is None:
        return False
    started = start_next(thread_id=thread_id)
    if started is None:
        return False
    started.tell()
    return True


def tell_queue(thread: Thread) -> None:
    """Tell the user's feed what waits in the thread now."""
    waiting = [plain(run) for run in selectors.waiting_runs(thread_id=thread.pk)]
    feed.record(thread.owner_id, "thread.queue.updated", {"thread_id": str(thread.pk), "waiting": waiting})


def _refuse_too_much(content: str, others: Sequence[Run]) -> None:
    """All that waits in a thread is told in one event, which shall not be longer than the longest question."""
    size = json_size(content) + sum(json_size(run.request["content"]) for run in others if run.request)
    if others and size > MAX_CONTENT_BYTES:
        raise QueueFull(
            "The messages that wait in this thread are too long together.", details={"limit_bytes": MAX_CONTENT_BYTES}
        )


def _tell(run: Run, events: Sequence[Event]) -> None:
    """Write what comes next in the log of a run that nobody holds. Raising its lease's number keeps it so."""
    first = run.head + 1
    entries = [Entry(number, encode(event, number)) for number, event in enumerate(events, start=first)]
    run.head = entries[-1].id
    moved = RunLease.objects.filter(pk=run.pk, head=first - 1).update(head=run.head, number=F("number") + 1)
    assert moved == 1  # nobody but the queue's verbs has written in it
    Run.objects.filter(pk=run.pk).update(head=run.head)
    ports.event_store.write_opening(run, entries)
    transaction.on_commit(lambda: ports.bell(run.pk, entries))


def _status_of(run_id: UUID) -> str:
    status = Run.objects.filter(pk=run_id).values_list("status", flat=True).first()
    if status is None:
        raise NotFound()
    return status


def _common(run: Run) -> dict[str, str]:
    return {"run_id": str(run.pk), "thread_id": str(run.thread_id)}
