from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from chatserver.ids import new_id


class Attachment(models.Model):
    """A file of a person's, as it is kept; its bytes lie where ``conversations/attachments/files.py`` says.

    There is no row without its files: they are written before it, and removed after it (``LooseFile``).
    """

    class Kind(models.TextChoices):
        IMAGE = "image"
        PDF = "pdf"
        TEXT = "text"

    MAX_NAME = 200

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="attachments")
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=MAX_NAME)
    type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()
    stored = models.PositiveBigIntegerField()  # bytes of all that is kept of it, the text of a PDF included
    sha256 = models.CharField(max_length=64)
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    pages = models.PositiveIntegerField(null=True, blank=True)
    characters = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    # Until when it is kept though nothing uses it; null while something does.
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="attachment_unused", condition=Q(expires_at__isnull=False))]

    def __str__(self) -> str:
        return f"{self.kind} attachment {self.pk}"  # its name is what somebody wrote


class AttachmentUse(models.Model):
    """A message has an attachment; or a send that waits, until its message is made. Several may have the same."""

    attachment = models.ForeignKey(Attachment, on_delete=models.CASCADE, related_name="uses")
    message = models.ForeignKey(
        "conversations.Message", on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    run = models.ForeignKey("conversations.Run", on_delete=models.CASCADE, null=True, blank=True, related_name="+")

    def __str__(self) -> str:
        return f"use of attachment {self.attachment_id}"


class LooseFile(models.Model):
    """Files that no row of an attachment speaks of: not yet, or not any more. At ``due_at`` they are removed.

    Written before a file is, and taken back with the attachment's row; written again with the end of that row. So
    whatever dies in between, nothing is left lying that nobody knows of, and no storage has to be listed.
    """

    id = models.UUIDField(primary_key=True, editable=False)  # the attachment's
    owner_id = models.UUIDField()  # whose room they take; the account may be gone
    size = models.PositiveBigIntegerField()
    due_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"loose file {self.pk}"
