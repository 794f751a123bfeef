"""A key that was used once leads to what came of it, on any transport, for a day."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone

from conversations.database import verb
from conversations.models import IdempotencyKey
from streaming.protocol.errors import IdempotencyConflict

KEPT = timedelta(hours=24)


class Key:
    """A client's key with the hash of what it stands for."""

    def __init__(self, *, user_id: UUID, key: str, body_hash: str) -> None:
        self.user_id = user_id
        self.key = key
        self.body_hash = body_hash

    def earlier(self) -> dict[str, Any] | None:
        """What came of the same request before. Raises IdempotencyConflict where the key meant something else."""
        row = IdempotencyKey.objects.filter(user_id=self.user_id, key=self.key, expires_at__gt=Now()).first()
        if row is None:
            return None
        if row.body_hash != self.body_hash:
            raise IdempotencyConflict()
        result: dict[str, Any] = row.result
        return result

    def keep(self, result: dict[str, Any]) -> None:
        """Write what came of it. Raises IntegrityError where another request with this key was faster."""
        IdempotencyKey.objects.filter(user_id=self.user_id, key=self.key, expires_at__lte=Now()).delete()
        IdempotencyKey.objects.create(
            user_id=self.user_id,
            key=self.key,
            body_hash=self.body_hash,
            result=result,
            expires_at=timezone.now() + KEPT,
        )


@verb
def prune(*, most: int) -> int:
    keys = list(IdempotencyKey.objects.filter(expires_at__lt=Now()).values_list("pk", flat=True)[:most])
    return IdempotencyKey.objects.filter(pk__in=keys).delete()[0]
