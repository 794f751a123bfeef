"""Finding threads and runs. Text is searched only for those who may read it."""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

from chatserver.accounts.models import User
from conversations import selectors

Row = TypeVar("Row", bound=Model)
MOST_WORDS = 8
MOST_PEOPLE = 500


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


def run_with(word: str) -> Q:
    """Runs of people, with models or with errors that have ``word`` in their name. Who and what these are is found out
    first: each is then a look into an index, where the words themselves would be looked for in every run.
    """
    people = User.objects.filter(Q(username__icontains=word) | Q(email__icontains=word)).values_list("pk", flat=True)
    named: dict[str, list[Any]] = {"owner__in": list(people[:MOST_PEOPLE])}
    for column in ("model", "error_code"):
        named[f"{column}__in"] = [value for value in selectors.known_values(column) if word.lower() in value.lower()]
    conditions = [Q(**{lookup: values}) for lookup, values in named.items() if values]
    return reduce(or_, conditions) if conditions else Q(pk__in=[])


def said_in_thread(word: str) -> Q:
    """Threads with ``word`` in the title, or with a word that begins so in any of their messages."""
    titled = Q(title__icontains=word)
    said = selectors.threads_saying(word)
    return titled if said is None else titled | Q(pk__in=said)
