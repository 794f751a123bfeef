from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from chatserver.ids import new_id


class AccessRecord(models.Model):
    """That one of the staff opened somebody's transcript, when and why. Written once, never changed or removed.

    The thread is kept as an id and a title, not as a relation: the record outlives it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    staff_name = models.CharField(max_length=150)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="access_records"
    )
    owner_name = models.CharField(max_length=150)
    thread_id = models.UUIDField(db_index=True)
    thread_title = models.CharField(max_length=200, blank=True, default="")
    reason = models.CharField(max_length=500)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        permissions = [("read_transcripts", "Can open other people's transcripts, with a reason")]

    def __str__(self) -> str:
        return f"{self.staff_name} opened {self.owner_name}'s thread"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("An access record is written once and never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("An access record is never removed.")
