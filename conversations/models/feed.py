from django.conf import settings
from django.db import models
from django.utils import timezone


class FeedHead(models.Model):
    """The last number of a user's feed. Taken as the last statement of a transaction, so numbers commit in order."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="feed_head"
    )
    number = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.number)


class FeedEvent(models.Model):
    """One numbered event of everything of a user that is not tokens. Kept for a day."""

    pk = models.CompositePrimaryKey("user_id", "number")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="feed_events", db_index=False
    )
    number = models.PositiveBigIntegerField()
    text = models.TextField()
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.user_id} {self.number}"
