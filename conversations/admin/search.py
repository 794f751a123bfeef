"""Finding threads and runs. Text is searched only for those who may read it."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from conversations.models import Message

Row = TypeVar("Row", bound=Model)
MOST_WORDS = 8


def found(rows: QuerySet[Row], words: str, fields: Sequence[str], text: Callable[[str], Any] | None) -> QuerySet[Row]:
    """Rows in which each word stands in one of ``fields``, or satisfies ``text`` where that is given."""
    for word in words.split()[:MOST_WORDS]:
        condition = Q()
        for field in fields:
            condition |= Q(**{f"{field}__icontains": word})
        if text is not None:
            condition |= text(word)
        rows = rows.filter(condition)
    return rows


def said_in_thread(word: str) -> Q:
    """Threads with ``word`` in the title or in any message."""
    messages = Message.objects.filter(thread=OuterRef("pk"), content__icontains=word)
    return Q(title__icontains=word) | Q(Exists(messages))
