from django.db import models
from django.utils import timezone

from chatserver.ids import new_id


class ModelServer(models.Model):
    """A model server that an administrator configured, and the row by which claims of it are serialised."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.SlugField(max_length=100, unique=True)
    kind = models.CharField(max_length=20)
    url = models.CharField(max_length=500, blank=True, default="")
    encrypted_key = models.BinaryField(null=True, blank=True)
    max_parallel = models.PositiveIntegerField(
        "runs at once",
        null=True,
        blank=True,
        help_text="How many answers it may give at once, all processes together; more wait in line. 0 is no limit; "
        "empty is what the setting MAX_PARALLEL says.",
    )
    enabled = models.BooleanField(default=True)
    health = models.JSONField(default=dict, blank=True)
    capabilities = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name


class LearnedModel(models.Model):
    """What a model was seen to do, by its full name: whether it goes on with an answer that it had begun."""

    name = models.CharField(max_length=301, primary_key=True)
    continues = models.BooleanField()
    learned_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {'continues' if self.continues else 'does not continue'}"
