from django.db import models
from django.utils import timezone


class RunLease(models.Model):
    """Who works on a run. Narrow, because each beat and each batch of events updates it.

    ``number`` is the fencing number: it rises with every claim, and a writer whose number is not the row's is out.
    ``head`` is the number of the last event in the log; a writer's batch is accepted only where it continues from it.
    Of a log outside the database it is one that the log has reached, and the holder may have gone on to ``reserved``;
    ``log_life`` names the life of that log's server, between two starts of it, for which the log is known to be whole.
    ``held`` is for how many seconds the run has been held before ``held_since``, ``lost`` how many holders have died.
    """

    run = models.OneToOneField("conversations.Run", on_delete=models.CASCADE, primary_key=True, related_name="lease")
    holder = models.CharField(max_length=64, blank=True, default="", db_index=True)
    number = models.PositiveBigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True, blank=True, db_index=True)
    head = models.PositiveBigIntegerField(default=0)
    reserved = models.PositiveBigIntegerField(default=0)
    log_life = models.CharField(max_length=40, blank=True, default="")
    held = models.FloatField(default=0.0)
    held_since = models.DateTimeField(null=True, blank=True)
    lost = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.holder or 'nobody'} #{self.number}"


class RunCheckpoint(models.Model):
    """A run as it stood after event ``head``, for the day on which a log outside the database is lost: the text of a
    snapshot. Goes with the end of the run, whose rows then tell everything.
    """

    run = models.OneToOneField(
        "conversations.Run", on_delete=models.CASCADE, primary_key=True, related_name="checkpoint"
    )
    head = models.PositiveBigIntegerField()
    text = models.TextField()

    def __str__(self) -> str:
        return f"{self.run_id} at {self.head}"


class RunEvent(models.Model):
    """One numbered event of a run, as the exact text that every reader gets. Pruned after LOG_KEPT."""

    pk = models.CompositePrimaryKey("run_id", "seq")
    run = models.ForeignKey("conversations.Run", on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.PositiveBigIntegerField()
    text = models.TextField()
    written_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.run_id} {self.seq}"
