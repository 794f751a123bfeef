"""Making what messages that are there already can be found by: after a migration, and for whatever was missed."""

from collections.abc import Callable
from typing import Any

from django.db.models import Exists, OuterRef, Q

from conversations.database import writing
from conversations.services.search import terms_of

AT_ONCE = 1000


def build(*, message_model: Any, entry_model: Any, told: Callable[[int], None] = lambda _: None) -> int:
    """Add the entries that are missing, the oldest message first, a thousand a transaction; returns how many. Begun
    again, it goes on. The models are arguments, because a migration has its own.
    """
    added, after = 0, Q()
    while True:
        known = entry_model.objects.filter(message=OuterRef("pk"))
        missing = message_model.objects.filter(after, ~Exists(known)).order_by("id")
        rows = list(missing.values_list("id", "thread__owner_id", "content", "status")[:AT_ONCE])
        if not rows:
            return added
        with writing():
            entry_model.objects.bulk_create(
                [
                    entry_model(message_id=pk, owner_id=owner_id, terms=terms_of(content, status, owner_id))
                    for pk, owner_id, content, status in rows
                ],
                ignore_conflicts=True,  # somebody else has written the same meanwhile
            )
        added += len(rows)
        after = Q(id__gt=rows[-1][0])
        told(added)
