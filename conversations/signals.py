"""What must happen here when rows go, or change, that no verb of ours touches: with an account, a thread, a message,
and when the administration changes model servers, as Django does it.
"""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete
from django.dispatch import Signal
from django.utils import timezone

# Sent after the commit of whatever changes which model servers there are, for whom, or what models are called.
# Processes also look by themselves every few seconds. Receivers are synchronous and may be called on any thread.
model_servers_changed = Signal()


def connect() -> None:
    pre_delete.connect(_lock_threads_first, sender=settings.AUTH_USER_MODEL, dispatch_uid="conversations.user_deleted")
    for model in ("conversations.ModelServer", "conversations.ModelAlias", "auth.Group"):
        for signal in (post_save, post_delete):
            signal.connect(_model_servers_change, sender=model, dispatch_uid=f"conversations.{model} changed")
    through = apps.get_model("conversations", "ModelServer").groups.through
    m2m_changed.connect(_model_servers_change, sender=through, dispatch_uid="conversations.audience_changed")
    post_delete.connect(
        _file_is_loose, sender=apps.get_model("conversations", "Attachment"), dispatch_uid="conversations.file_is_loose"
    )
    post_delete.connect(
        _perhaps_unused, sender=apps.get_model("conversations", "AttachmentUse"), dispatch_uid="conversations.unused"
    )


def _model_servers_change(**_: Any) -> None:
    transaction.on_commit(lambda: model_servers_changed.send_robust(sender=None))


def _lock_threads_first(*, instance: Any, using: str, **_: Any) -> None:
    """The order of ``services/locks.py``: what is deleted with the account begins with the head of its feed, for which
    verbs that have a thread already would wait, and the deletion for them.
    """
    threads = apps.get_model("conversations", "Thread")._base_manager.using(using).filter(owner_id=instance.pk)
    list(threads.select_for_update().order_by("pk").values_list("pk"))


def _file_is_loose(*, instance: Any, using: str, **_: Any) -> None:
    """In the same transaction as the end of the attachment's row, however that came about."""
    loose = apps.get_model("conversations", "LooseFile")._default_manager.using(using)
    loose.create(pk=instance.pk, owner_id=instance.owner_id, size=instance.stored, due_at=timezone.now())


def _perhaps_unused(*, instance: Any, using: str, **_: Any) -> None:
    """Whether something else uses it is looked at when it is to be removed."""
    attachments = apps.get_model("conversations", "Attachment")._default_manager.using(using)
    attachments.filter(pk=instance.attachment_id).update(expires_at=timezone.now())
