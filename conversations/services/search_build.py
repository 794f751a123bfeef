"""Making what messages that are there already can be found by: after a migration, and for whatever was missed."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from conversations.database import writing
from conversations.services.search import terms_of

LOOKED_AT = 5000  # messages at once, of which nothing but their ids is read
AT_ONCE = 500  # of which the text is, some hundred thousand characters each at most
_BEFORE_ALL = UUID(int=0)


def build(*, message_model: Any, entry_model: Any, told: Callable[[int], None] = lambda _: None) -> int:
    """Add the entries that are missing, the oldest message first, some hundred a transaction; returns how many. Begun
    again, it goes on. ``told`` hears how many messages were looked at. The models are arguments, because a migration
    has its own.
    """
    messages, entries = message_model.objects, entry_model.objects
    added, looked_at, after = 0, 0, _BEFORE_ALL
    # Walked along the primary key: each statement is short, however many messages there are or are missing.
    while ids := list(messages.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:LOOKED_AT]):
        there = entries.filter(message_id__gte=ids[0], message_id__lte=ids[-1])
        known = set(there.values_list("message_id", flat=True))
        missing = [pk for pk in ids if pk not in known]
        for start in range(0, len(missing), AT_ONCE):
            _add(messages.filter(pk__in=missing[start : start + AT_ONCE]), entry_model)
        added += len(missing)
        looked_at += len(ids)
        after = ids[-1]
        told(looked_at)
    return added


def _add(messages: Any, entry_model: Any) -> None:
    rows = messages.order_by("pk").values_list("pk", "thread__owner_id", "content", "status")
    entries = [
        entry_model(message_id=pk, owner_id=owner_id, terms=terms_of(content, status, owner_id))
        for pk, owner_id, content, status in rows
    ]
    with writing():
        # Somebody else may have written the same meanwhile.
        entry_model.objects.bulk_create(entries, ignore_conflicts=True)
