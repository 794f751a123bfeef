from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from chatserver.ids import new_id
from streaming.protocol.pulls import OPEN, PullStatus

_OPEN = sorted(status.value for status in OPEN)


class ModelPull(models.Model):
    """A model that a model server fetches, or fetched, for one of the administrators. It belongs to no connection and
    outlives the process that watches over it: ``holder`` is that one, for as long as ``expires_at`` says, by the
    database's clock.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    server = models.CharField(max_length=100)
    model = models.CharField(max_length=200)
    status = models.CharField(
        max_length=10, default=PullStatus.QUEUED.value, choices=[(s.value, s.value) for s in PullStatus]
    )
    message = models.CharField(max_length=200, blank=True, default="")
    completed = models.PositiveBigIntegerField("bytes there", default=0)
    total = models.PositiveBigIntegerField("bytes in all", default=0)
    attempt = models.PositiveIntegerField(default=0)  # how many processes have taken it up, this one too
    error = models.JSONField(null=True, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    by_name = models.CharField("asked for by", max_length=150, blank=True, default="")
    cancelled_by = models.CharField(max_length=150, blank=True, default="")
    holder = models.CharField(max_length=64, blank=True, default="")
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("manage_models", "Can pull, load, unload and delete models on their servers")]
        constraints = [
            models.UniqueConstraint(
                fields=["server"], condition=Q(status=PullStatus.PULLING.value), name="one_pull_at_once_a_server"
            ),
            models.UniqueConstraint(
                fields=["server", "model"], condition=Q(status__in=_OPEN), name="one_open_pull_a_model"
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="pull_open", condition=Q(status__in=_OPEN)),
            models.Index(fields=["-created_at"], name="pull_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.model} at {self.server} ({self.status})"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def is_cancelling(self) -> bool:
        """Somebody wants it stopped, and whoever watches over it has yet to hear."""
        return self.status == PullStatus.PULLING and bool(self.cancelled_by)
