"""Finding threads and runs. Text is searched only for those who may read it."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

from conversations import selectors

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
    """Threads with ``word`` in the title, or with a word that begins so in any of their messages."""
    titled = Q(title__icontains=word)
    said = selectors.threads_saying(word)
    return titled if said is None else titled | Q(pk__in=said)
