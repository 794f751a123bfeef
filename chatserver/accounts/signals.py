"""Tells the live connections of this process that somebody's rights have changed; they ask again who they are."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import Signal

# Sent after the commit, with user_id, and token_id or session_key where only that one way in is concerned.
# Receivers are synchronous and may be called on any thread.
access_changed = Signal()


def announce(*, user_id: UUID, token_id: UUID | None = None, session_key: str | None = None) -> None:
    def send() -> None:
        access_changed.send_robust(sender=None, user_id=user_id, token_id=token_id, session_key=session_key)

    transaction.on_commit(send)


def connect() -> None:
    post_save.connect(_user_saved, sender=settings.AUTH_USER_MODEL, dispatch_uid="accounts.user_saved")
    post_delete.connect(_user_deleted, sender=settings.AUTH_USER_MODEL, dispatch_uid="accounts.user_deleted")
    post_delete.connect(_session_deleted, sender="sessions.Session", dispatch_uid="accounts.session_deleted")


def _user_saved(*, instance: Any, created: bool, update_fields: frozenset[str] | None, **_: Any) -> None:
    if created or update_fields == frozenset({"last_login"}):
        return
    announce(user_id=instance.pk)


def _user_deleted(*, instance: Any, **_: Any) -> None:
    announce(user_id=instance.pk)


def _session_deleted(*, instance: Any, **_: Any) -> None:
    owner = instance.get_decoded().get(SESSION_KEY)
    if owner:
        announce(user_id=UUID(owner), session_key=instance.session_key)
