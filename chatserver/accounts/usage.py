"""When a token was last used, written seldom and never waited for."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from chatserver.accounts.models import ApiToken

_AT_MOST_EVERY = timedelta(minutes=1)


def note_use(token: ApiToken) -> None:
    """Write ``last_used_at`` at most once a minute. A busy database loses this note rather than delay the request."""
    now = timezone.now()
    if token.last_used_at is not None and token.last_used_at > now - _AT_MOST_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - _AT_MOST_EVERY)
    try:
        with _not_waiting():
            ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
    except OperationalError:
        return


@contextmanager
def _not_waiting() -> Iterator[None]:
    # A writer waits up to 20 s for the lock of another on SQLite, DATABASE_LOCK_TIMEOUT on PostgreSQL; a read with a
    # token must not.
    if connection.vendor != "sqlite":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = 1")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        (usual,) = cursor.fetchone()
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(usual)}")
