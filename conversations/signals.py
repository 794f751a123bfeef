"""What must happen here when an account goes. That is no verb of ours: the administration deletes it as Django does."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models.signals import pre_delete


def connect() -> None:
    pre_delete.connect(_lock_threads_first, sender=settings.AUTH_USER_MODEL, dispatch_uid="conversations.user_deleted")


def _lock_threads_first(*, instance: Any, using: str, **_: Any) -> None:
    """The order of ``services/locks.py``: what is deleted with the account begins with the head of its feed, for which
    verbs that have a thread already would wait, and the deletion for them.
    """
    threads = apps.get_model("conversations", "Thread")._default_manager.using(using).filter(owner_id=instance.pk)
    list(threads.select_for_update().order_by("pk").values_list("pk"))
