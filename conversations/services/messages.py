"""Verbs of messages, other than those that runs write."""

from collections.abc import Sequence
from uuid import UUID

from conversations import selectors, wire
from conversations.database import verb
from conversations.models import Message, Run, Thread
from conversations.services import feed
from conversations.services.threads import locked
from streaming.protocol.errors import NotFound, ThreadBusy
from streaming.protocol.lifecycle import ACTIVE

AT_ONCE = 500  # rows a statement: SQLite takes so many names of them at most, and some more


@verb
def delete_message(*, thread: Thread, message_id: UUID) -> None:
    """Remove a message and everything that was said below it, with the runs that wrote it. Other versions of it stay.

    Where what was shown goes with it, the thread shows what was said last above or beside it. Raises NotFound where it
    is gone already, and ThreadBusy where a run still writes in what would be removed.
    """
    thread = locked(thread)
    message = Message.objects.filter(pk=message_id, thread=thread).first()
    if message is None:
        raise NotFound()
    gone = selectors.all_below(thread_id=thread.pk, message_id=message_id)
    _refuse_while_written(thread, gone)
    for start in range(0, len(gone), AT_ONCE):
        # The leaves first: what lies below a message is found by walking the tree, a call deep for each reply.
        Message.objects.filter(pk__in=gone[start : start + AT_ONCE]).delete()
    moves = thread.head_id in gone
    if moves:
        thread.head_id = _shown_now(thread, message.parent_id)
        thread.save(update_fields=["head"])
    feed.record(thread.owner_id, "message.deleted", {"thread_id": str(thread.pk), "message_id": str(message_id)})
    if moves:
        feed.announce("thread.updated", thread)


def _refuse_while_written(thread: Thread, gone: Sequence[UUID]) -> None:
    doomed = set(gone)
    for run in Run.objects.filter(thread=thread, status__in=ACTIVE).order_by("lane"):
        if run.answer_id in doomed or run.question_id in doomed:
            raise ThreadBusy(details={"run": wire.plain(wire.run_object(run))})


def _shown_now(thread: Thread, parent_id: UUID | None) -> UUID | None:
    if parent_id is not None:
        return selectors.newest_below(thread_id=thread.pk, message_id=parent_id)
    newest = Message.objects.filter(thread=thread).order_by("-created_at", "-pk")
    return newest.values_list("pk", flat=True).first()
