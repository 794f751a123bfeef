"""Verbs of what a model adds when an answer is done: the thread's title, and questions that could come next."""

from collections.abc import Sequence
from uuid import UUID

from conversations.database import verb
from conversations.models import Message, Thread
from conversations.services import feed


@verb
def title_by_model(*, thread_id: UUID, title: str) -> bool:
    """Name a thread that nobody has named but its question. False where a person was faster, or it is gone."""
    untitled = Thread.objects.filter(pk=thread_id, title_by__in=Thread.UNTITLED)
    if not untitled.update(title=title, title_by=Thread.TitleBy.MODEL):
        return False
    feed.announce("thread.updated", Thread.objects.get(pk=thread_id))
    return True


@verb
def suggest(*, thread_id: UUID, message_id: UUID, follow_ups: Sequence[str]) -> bool:
    """Put questions that could come next below the answer that the thread shows last. False where that is another one
    by now, or gone.
    """
    thread = Thread.objects.select_for_update().filter(pk=thread_id, head_id=message_id).first()
    if thread is None:
        return False
    Message.objects.filter(pk=message_id).update(follow_ups=list(follow_ups))
    told = {"thread_id": str(thread_id), "message_id": str(message_id), "follow_ups": list(follow_ups)}
    feed.record(thread.owner_id, "message.updated", told)
    return True
