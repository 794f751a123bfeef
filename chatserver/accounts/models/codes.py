"""One-time codes that stand in a link. Only digests are kept, so that a copy of the database opens nothing."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chatserver.ids import new_id


class Invitation(models.Model):
    """Lets one person sign up while SIGNUP is ``invite``."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="invitations_made"
    )
    note = models.CharField(max_length=200, blank=True, help_text=_("For whom it is: a name or an e-mail address."))
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="invitations_used",
    )
    used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.note or f"invitation of {self.created_at:%Y-%m-%d}"


class SetupCode(models.Model):
    """The one code that makes the first administrator. A single row, so that a fresh code replaces the one before."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_setup_code")]

    def __str__(self) -> str:
        return "setup code"
