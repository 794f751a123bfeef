"""The processes that serve, as they know of each other: by the database's clock, and for one question only, whether
somebody else can take the runs of one that ends.
"""

from datetime import timedelta
from typing import Any

from django.db.models import Sum
from django.db.models.functions import Now

from conversations.database import verb
from conversations.models import RunLease, ServerProcess

DEAD_FOR = timedelta(hours=1)


@verb
def announce(*, holder: str, expiry: float, capacity: int, draining: bool) -> None:
    """This process lives, for so many seconds more."""
    now: dict[str, Any] = {"capacity": capacity, "draining": draining, "expires_at": Now() + timedelta(seconds=expiry)}
    # One statement: two beats at once would both find that nothing is there.
    ServerProcess.objects.bulk_create(
        [ServerProcess(pk=holder, **now)], update_conflicts=True, unique_fields=["holder"], update_fields=list(now)
    )


@verb
def withdraw(*, holder: str) -> None:
    ServerProcess.objects.filter(pk=holder).delete()


def room_elsewhere(*, holder: str) -> int:
    """How many more runs the other processes take that live and do not drain."""
    others = ServerProcess.objects.filter(expires_at__gt=Now(), draining=False).exclude(pk=holder)
    capacity = others.aggregate(all=Sum("capacity"))["all"] or 0
    return max(0, capacity - RunLease.objects.filter(holder__in=others.values("pk")).count())


@verb
def prune(*, most: int) -> int:
    """Forget processes that have been dead for long; returns how many."""
    dead = ServerProcess.objects.filter(expires_at__lt=Now() - DEAD_FOR).values_list("pk", flat=True)[:most]
    return ServerProcess.objects.filter(pk__in=list(dead)).delete()[0]
