from django.db import models


class ServerProcess(models.Model):
    """A process that serves: beaten with its leases, by the database's clock. One that is past its time is dead."""

    holder = models.CharField(max_length=64, primary_key=True)
    capacity = models.PositiveIntegerField(default=0)
    draining = models.BooleanField(default=False)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.holder}{' (draining)' if self.draining else ''}"
