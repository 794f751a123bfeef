from django.db import models
from django.utils import timezone

from chatserver.ids import new_id
from streaming.protocol.lifecycle import MessageStatus


class Message(models.Model):
    """One turn. Messages form a tree: editing and regenerating make siblings, nothing is overwritten."""

    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"

    MAX_CONTENT = 400_000

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    thread = models.ForeignKey("conversations.Thread", on_delete=models.CASCADE, related_name="messages")
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="children")
    role = models.CharField(max_length=10, choices=Role)
    status = models.CharField(max_length=12, choices=[(s.value, s.value) for s in MessageStatus])
    content = models.TextField(blank=True, default="")
    parts = models.JSONField(default=list, blank=True)
    thinking = models.TextField(blank=True, default="")
    model = models.CharField(max_length=200, blank=True, default="")
    # As they are told, so that nobody has to ask for them; AttachmentUse keeps them from being removed. Null: none.
    attachments = models.JSONField(null=True, blank=True)
    run = models.ForeignKey("conversations.Run", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    follow_ups = models.JSONField(null=True, blank=True)  # of an answer: questions that could come next
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["thread", "created_at", "id"], name="message_order")]

    def __str__(self) -> str:
        return f"{self.role} message {self.pk}"  # without its text, which only a recorded look may show
