"""Verbs of threads."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils import timezone

from conversations import selectors
from conversations.database import verb
from conversations.models import Message, Run, Thread
from conversations.selectors import UnderWay
from conversations.services import feed
from conversations.services.idempotency import Key
from conversations.services.run_cancel import cancel_run
from conversations.services.run_waiting import THREAD_DELETED
from streaming.protocol.commands import NewThread
from streaming.protocol.errors import InvalidRequest, NotFound
from streaming.protocol.lifecycle import ACTIVE

CHANGEABLE = frozenset({"title", "model", "system_prompt", "parameters", "pinned", "archived", "tags"})
LOOK_EVERY = 0.05  # seconds


def create_thread(*, owner_id: UUID, command: NewThread, key: Key | None = None) -> tuple[Thread, bool]:
    """A new thread, and whether it is an earlier one that the same idempotency key had made."""
    try:
        return _create_thread(owner_id=owner_id, command=command, key=key)
    except IntegrityError:
        if key is None:
            raise
        return _create_thread(owner_id=owner_id, command=command, key=key)  # the faster request has committed by now


@verb
def _create_thread(*, owner_id: UUID, command: NewThread, key: Key | None) -> tuple[Thread, bool]:
    if key is not None and (earlier := key.earlier()):
        made = Thread.objects.filter(pk=earlier["thread_id"], owner_id=owner_id).first()
        if made is None:
            raise NotFound("The thread that this key made was deleted.")
        return made, True
    thread = new_thread(owner_id=owner_id, command=command)
    if key is not None:
        key.keep({"thread_id": str(thread.pk)})
    feed.record(owner_id, *feed.announced("thread.created", thread, UnderWay()))
    return thread, False


def new_thread(*, owner_id: UUID, command: NewThread) -> Thread:
    """Only the row; for use inside another verb."""
    title = one_line(command.title)
    return Thread.objects.create(
        owner_id=owner_id,
        title=title,
        title_by=Thread.TitleBy.PERSON if title else Thread.TitleBy.NOBODY,
        model=command.model,
        system_prompt=command.system_prompt,
        parameters=command.parameters,
    )


@verb
def update_thread(*, thread: Thread, changes: dict[str, Any], shown: Message | None = None) -> Thread:
    """Change what a person may change; ``changes`` has been validated. Does not count as activity in the list.

    ``shown``: the thread shows the branch in which something was said last upon this message. What is being written
    goes on where it is.

    Raises NotFound where the thread, or the message, was deleted meanwhile, and InvalidRequest where too many
    would be pinned.
    """
    # Read afresh: the event carries the whole thread, and a run may have moved its head since the gate looked.
    thread = locked(thread)
    fields = CHANGEABLE & changes.keys()
    if changes.get("pinned") and not thread.pinned:
        _require_room_above(thread)
    for field in fields:
        setattr(thread, field, changes[field])
    if "title" in fields:
        thread.title = one_line(thread.title)
        thread.title_by = Thread.TitleBy.PERSON if thread.title else Thread.TitleBy.NOBODY
        fields |= {"title_by"}
    if "tags" in fields:
        thread.tags = list(dict.fromkeys(filter(None, map(one_line, thread.tags))))
    if shown is not None:
        thread.head_id = selectors.newest_below(thread_id=thread.pk, message_id=shown.pk)
        if thread.head_id is None:
            raise NotFound()
        fields |= {"head"}
    if fields:
        thread.save(update_fields=sorted(fields))
        feed.announce("thread.updated", thread)
    return thread


def _require_room_above(thread: Thread) -> None:
    if Thread.objects.filter(owner_id=thread.owner_id, pinned=True).count() >= Thread.MOST_PINNED:
        told = f"No more than {Thread.MOST_PINNED} threads can be pinned. Take one down first."
        raise InvalidRequest(told, details={"field": "pinned"})


def locked(thread: Thread) -> Thread:
    """The row as it is now, kept so until the end of the transaction. Raises NotFound where it is gone."""
    row = Thread.objects.select_for_update().filter(pk=thread.pk).first()
    if row is None:
        raise NotFound()
    return row


def one_line(text: str) -> str:
    """Titles and tags are single lines; whatever broke or padded them is one space."""
    return " ".join(text.split())


async def delete_thread(*, thread: Thread, patience: float = 2.0, undoable: bool = False) -> None:
    """Cancel what runs in it and give its readers ``patience`` seconds to hear the end; then remove it whole, or where
    it is ``undoable`` put it away, until it is restored or ``remove_deleted`` takes it.

    A run that has not ended by then loses its lease with its row, so its worker is fenced out and writes nothing more;
    in one that is only put away it ends a little later. No thread is held while it waits: other requests need it.
    """
    try:
        await sync_to_async(_cancel_runs)(thread)
        for _ in range(round(patience / LOOK_EVERY)):
            if not await sync_to_async(_runs_in(thread).exists)():
                break
            await asyncio.sleep(LOOK_EVERY)
    finally:  # also where who asked for it has left meanwhile
        await sync_to_async(_put_away if undoable else _remove)(thread=thread)


def _cancel_runs(thread: Thread) -> None:
    # What waits goes first: it would begin where nothing else goes on.
    for run in _runs_in(thread).order_by("-waiting"):
        with suppress(NotFound):  # somebody else deletes it as well, and was faster
            cancel_run(run=run, by="user", reason=THREAD_DELETED)


def _runs_in(thread: Thread) -> QuerySet[Run]:
    return Run.objects.filter(thread=thread, status__in=ACTIVE)


@verb
def restore_thread(*, thread: Thread, kept: float) -> Thread:
    """Undo the deletion of a thread in the ``kept`` seconds after it. Raises NotFound for another, and too late."""
    row = Thread.everything.select_for_update().filter(pk=thread.pk, deleted_at__gt=_since(kept)).first()
    if row is None:
        raise NotFound()
    row.deleted_at = None
    row.save(update_fields=["deleted_at"])
    feed.announce("thread.created", row)
    return row


def remove_deleted(*, kept: float, most: int) -> int:
    """Remove ``most`` of the threads that were deleted more than ``kept`` seconds ago; returns how many went. Each goes
    in a transaction of its own, because it may have thousands of rows.
    """
    old = Thread.everything.filter(deleted_at__lte=_since(kept)).order_by("deleted_at")
    return sum(_remove_if_deleted(thread_id) for thread_id in old.values_list("pk", flat=True)[:most])


@verb
def _remove_if_deleted(thread_id: UUID) -> bool:
    rows = Thread.everything.filter(pk=thread_id, deleted_at__isnull=False)  # it may have been restored meanwhile
    if rows.select_for_update().first() is None:
        return False
    rows.delete()
    return True


def _since(kept: float) -> datetime:
    return timezone.now() - timedelta(seconds=kept)


@verb
def _put_away(*, thread: Thread) -> None:
    row = Thread.objects.select_for_update().filter(pk=thread.pk).first()
    if row is None:
        return  # another request was faster; one event is enough
    row.deleted_at = timezone.now()
    row.save(update_fields=["deleted_at"])
    feed.record(thread.owner_id, "thread.deleted", {"thread_id": str(thread.pk)})


@verb
def _remove(*, thread: Thread) -> None:
    # Locked first: a question that came in between the rows to delete and their thread would keep it from going.
    rows = Thread.objects.filter(pk=thread.pk)
    if rows.select_for_update().first() is None:
        return  # another request was faster; one event is enough
    rows.delete()
    feed.record(thread.owner_id, "thread.deleted", {"thread_id": str(thread.pk)})
