"""Verbs of attachments: kept, used by messages, and removed when nothing uses them.

The order of files and rows, so that no death in between leaves a row without its file, or a file that nobody knows of:
``LooseFile``, the files, the attachment (and the loose file is none any more); and at the end the other way round.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Sum
from django.utils import timezone

from chatserver.accounts.models import User
from chatserver.ids import new_id
from conversations import wire
from conversations.attachments import files
from conversations.attachments.intake import Taken
from conversations.database import verb
from conversations.models import Attachment, AttachmentUse, LooseFile, Message, Run
from conversations.services.idempotency import Key
from streaming.protocol.errors import AttachmentUsed, ChatError, NotFound, QuotaExceeded

UNUSED = timedelta(days=1)  # a file that was attached and not sent yet; a draft is seldom older
UPLOAD = timedelta(hours=1)  # more than it takes to write a file, whatever the storage


def store(*, owner_id: UUID, taken: Taken, quota: int, key: Key | None = None) -> tuple[Attachment, bool]:
    """Keep a file; returns its row, and whether it is an earlier one that the same idempotency key had made. Blocks
    for as long as the storage of files takes, without a transaction.

    Raises QuotaExceeded where the person would have more than ``quota`` bytes, IdempotencyConflict, NotFound, and what
    the storage raises.
    """
    if earlier := replayed(owner_id=owner_id, key=key):
        return earlier, True
    id = new_id()
    _announce(id=id, owner_id=owner_id, size=taken.stored, quota=quota)
    try:
        files.put(id, "content", taken.content)
        if taken.text is not None:
            files.put(id, "text", taken.text)
    except ChatError:
        _give_up(id=id)
        raise
    try:
        return _keep(id=id, owner_id=owner_id, taken=taken, key=key), False
    except IntegrityError:
        # The same request was faster, and has committed by now; what was written here is removed as loose.
        _give_up(id=id)
        if earlier := replayed(owner_id=owner_id, key=key):
            return earlier, True
        raise


def replayed(*, owner_id: UUID, key: Key | None) -> Attachment | None:
    """What the same request has made before. Raises IdempotencyConflict, and NotFound where that is gone."""
    done = key.earlier() if key is not None else None
    if done is None:
        return None
    made = Attachment.objects.filter(pk=done["attachment_id"], owner_id=owner_id).first()
    if made is None:
        raise NotFound("The attachment that this key made was deleted.")
    return made


@verb
def _announce(*, id: UUID, owner_id: UUID, size: int, quota: int) -> None:
    """There will be a file. The account's row is kept meanwhile: of two at once both count."""
    if not User.objects.select_for_update(no_key=True).filter(pk=owner_id).exists():
        raise NotFound()
    used = room_taken(owner_id)
    if used + size > quota:
        raise QuotaExceeded(details={"limit": quota, "used": used, "size": size})
    LooseFile.objects.create(pk=id, owner_id=owner_id, size=size, due_at=timezone.now() + UPLOAD)


@verb
def _give_up(*, id: UUID) -> None:
    """Nobody writes at it any more: whatever lies there may go, and takes no room meanwhile."""
    LooseFile.objects.filter(pk=id).update(due_at=timezone.now())


def room_taken(owner_id: UUID) -> int:
    """Bytes of a person's files, with those that are just being written."""
    kept = Attachment.objects.filter(owner_id=owner_id).aggregate(all=Sum("stored"))["all"] or 0
    coming = LooseFile.objects.filter(owner_id=owner_id, due_at__gt=timezone.now()).aggregate(all=Sum("size"))["all"]
    return int(kept) + int(coming or 0)


@verb
def _keep(*, id: UUID, owner_id: UUID, taken: Taken, key: Key | None) -> Attachment:
    if not LooseFile.objects.filter(pk=id).delete()[0]:
        raise NotFound()  # it took so long that its file has been removed
    made = Attachment.objects.create(
        pk=id,
        owner_id=owner_id,
        kind=taken.kind,
        name=taken.name,
        type=taken.type,
        size=taken.size,
        stored=taken.stored,
        sha256=taken.sha256(),
        width=taken.width,
        height=taken.height,
        pages=taken.pages,
        characters=taken.characters,
        expires_at=timezone.now() + UNUSED,
    )
    if key is not None:
        key.keep({"attachment_id": str(id)})
    return made


def use(attachments: Sequence[Attachment], *, message: Message | None = None, run: Run | None = None) -> None:
    """A message has these from now on, or a send that waits. For use inside a verb that keeps their rows."""
    if not attachments:
        return
    AttachmentUse.objects.bulk_create(
        AttachmentUse(attachment=attachment, message=message, run=run) for attachment in attachments
    )
    Attachment.objects.filter(pk__in=[attachment.pk for attachment in attachments]).update(expires_at=None)


def hand_over(run: Run, message: Message) -> None:
    """What a waiting send has is its message's from now on. For use inside a verb that holds the thread."""
    AttachmentUse.objects.filter(run=run).update(run=None, message=message)


def let_go(run_id: UUID) -> None:
    """A send that waits was withdrawn: what it had may be attached again. For use inside a verb."""
    ids = list(AttachmentUse.objects.filter(run_id=run_id).values_list("attachment_id", flat=True))
    AttachmentUse.objects.filter(run_id=run_id).delete()
    Attachment.objects.filter(pk__in=ids, expires_at__isnull=False).update(expires_at=timezone.now() + UNUSED)


def as_told(attachments: Sequence[Attachment]) -> list[Any] | None:
    """How they stand on the row of their message."""
    return [wire.plain(wire.attachment_object(attachment)) for attachment in attachments] or None


def delete_attachment(*, attachment: Attachment) -> None:
    """Remove one that nothing uses, with its files. Raises AttachmentUsed, and NotFound where it is gone already."""
    _delete(attachment)
    _remove_file(attachment.pk)


@verb
def _delete(attachment: Attachment) -> None:
    row = Attachment.objects.select_for_update().filter(pk=attachment.pk).first()
    if row is None:
        raise NotFound()
    if AttachmentUse.objects.filter(attachment=row).exists():
        raise AttachmentUsed()
    row.delete()


def prune(*, most: int) -> int:
    """Remove what nothing uses any more, and files without a row; returns how many that were."""
    return _drop_unused(most=most) + _remove_loose(most=most)


@verb
def _drop_unused(*, most: int) -> int:
    unused = Attachment.objects.filter(expires_at__lte=timezone.now()).order_by("expires_at")
    due = list(unused.select_for_update(skip_locked=True)[:most])
    if not due:
        return 0
    # Looked at only now that their rows are kept: whoever sends one keeps its row first.
    used = set(AttachmentUse.objects.filter(attachment__in=due).values_list("attachment_id", flat=True))
    Attachment.objects.filter(pk__in=used).update(expires_at=None)
    Attachment.objects.filter(pk__in={row.pk for row in due} - used).delete()
    return len(due)


def _remove_loose(*, most: int) -> int:
    due = LooseFile.objects.filter(due_at__lte=timezone.now()).order_by("due_at")
    removed = 0
    for id in list(due.values_list("pk", flat=True)[:most]):
        if not _remove_file(id):
            break  # a storage that is away would make everything else wait for each of them
        removed += 1
    return removed


def _remove_file(id: UUID) -> bool:
    """The files, and after them what says that they are loose; where the storage is away, another time."""
    try:
        files.remove(id)
    except ChatError:
        return False
    _forget_file(id=id)
    return True


@verb
def _forget_file(*, id: UUID) -> None:
    LooseFile.objects.filter(pk=id).delete()
