from django.conf import settings
from django.db import models
from django.utils import timezone

from chatserver.ids import new_id
from conversations.models.moments import MillisecondField


class Folder(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="folders")
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="folder_name_once_an_owner")]

    def __str__(self) -> str:
        return f"folder {self.pk}"


class _NotDeleted(models.Manager["Thread"]):
    def get_queryset(self) -> models.QuerySet["Thread"]:
        return super().get_queryset().filter(deleted_at=None)


class Thread(models.Model):
    """One conversation: a tree of messages, of which the path that ends in ``head`` is shown.

    One that was deleted is not among ``objects``, though it is kept for a while in which that can be undone.
    """

    class TitleBy(models.TextChoices):
        NOBODY = "", "nobody yet"
        PERSON = "person", "a person"
        MODEL = "model", "a model"
        QUESTION = "question", "the first question"

    UNTITLED = (TitleBy.NOBODY, TitleBy.QUESTION)  # what a model may replace
    MAX_TITLE = 200
    MOST_PINNED = 100  # they stand above every list
    MAX_SYSTEM_PROMPT = 32_000

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="threads")
    title = models.CharField(max_length=MAX_TITLE, blank=True, default="")
    title_by = models.CharField(max_length=10, blank=True, default=TitleBy.NOBODY, choices=TitleBy)
    model = models.CharField(max_length=200, blank=True, default="")
    system_prompt = models.TextField(blank=True, default="")
    parameters = models.JSONField(default=dict, blank=True)
    folder = models.ForeignKey(Folder, on_delete=models.SET_NULL, null=True, blank=True, related_name="threads")
    tags = models.JSONField(default=list, blank=True)
    pinned = models.BooleanField(default=False)
    archived = models.BooleanField(default=False)
    head = models.ForeignKey(
        "conversations.Message", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # A read-only link: the digest of its secret, and until when it opens the thread. Empty: not shared.
    share_digest = models.CharField(max_length=64, blank=True, default="", db_index=True)
    share_expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = MillisecondField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = _NotDeleted()
    everything = models.Manager["Thread"]()

    class Meta:
        # What belongs to a thread still does when that is deleted, and goes with it.
        base_manager_name = "everything"
        indexes = [
            models.Index(fields=["owner", "-updated_at", "-id"], name="thread_list"),
            models.Index(fields=["-updated_at", "-id"], name="thread_latest"),  # the administration's list
            models.Index(fields=["owner", "-updated_at"], name="thread_pinned", condition=models.Q(pinned=True)),
            models.Index(fields=["deleted_at"], name="thread_deleted", condition=models.Q(deleted_at__isnull=False)),
        ]

    def __str__(self) -> str:
        # Not its title: the administration writes rows out in many places, and a title is what somebody said.
        return f"thread {self.pk}"
