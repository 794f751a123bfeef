from django.conf import settings
from django.db import models

from chatserver.ids import new_id


class IdempotencyKey(models.Model):
    """That a request was carried out, and what came of it; written in the same transaction as its result."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    body_hash = models.CharField(max_length=64)
    result = models.JSONField()  # {"thread_id": …} or {"run_ids": […]}
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_use_of_a_key_a_user")]

    def __str__(self) -> str:
        return self.key
