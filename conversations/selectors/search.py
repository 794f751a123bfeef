"""Messages by the words in them, out of the database's own index."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, models
from django.db.models.expressions import RawSQL

from conversations.models import Message
from conversations.search.excerpts import Excerpt, excerpt
from conversations.search.marks import owner_mark
from conversations.search.wanted import NotWanted, Wanted, wanted
from conversations.selectors import cursors
from streaming.protocol.errors import InvalidRequest

PAGE = 20
# Of so many of the newest messages of a person PostgreSQL looks at each: a frequent word fills a page with them. Its
# index, which knows no order, is asked for the rarer ones.
LOOKED_THROUGH = 2000
_LAST = 2**63 - 1
_UUID = models.UUIDField()

# FTS5 walks its lists from their ends, and leaps in each to where the others are: what it costs depends on the rarest
# word, and on how soon a page is full.
_SQLITE = """
SELECT entry.id, entry.message_id
FROM conversations_searchterms found JOIN conversations_searchentry entry ON entry.id = found.rowid
WHERE found.conversations_searchterms MATCH %(query)s AND found.rowid < %(before)s AND entry.owner_id = %(owner)s
ORDER BY found.rowid DESC LIMIT %(most)s
"""
_NEWEST = """
WITH newest AS MATERIALIZED (
    SELECT id, message_id, terms FROM conversations_searchentry
    WHERE owner_id = %(owner)s AND id < %(before)s ORDER BY id DESC LIMIT %(looked_through)s
)
SELECT id, message_id, TRUE FROM newest WHERE terms @@ %(query)s::tsquery
UNION ALL
SELECT COUNT(*), NULL, FALSE FROM newest
ORDER BY 3, 1 DESC LIMIT %(most)s + 1
"""
_INDEXED = """
WITH found AS MATERIALIZED (
    SELECT id, message_id, owner_id FROM conversations_searchentry WHERE terms @@ %(query)s::tsquery
)
SELECT id, message_id FROM found WHERE owner_id = %(owner)s AND id < %(before)s ORDER BY id DESC LIMIT %(most)s
"""


# For the administration: threads of anybody, by the newest messages that are found.
_THREADS_OF_NEWEST = """
SELECT message.thread_id FROM conversations_message message JOIN ({newest}) said ON said.message_id = message.id
"""
_NEWEST_OF_ALL_SQLITE = """
SELECT entry.message_id
FROM conversations_searchterms found JOIN conversations_searchentry entry ON entry.id = found.rowid
WHERE found.conversations_searchterms MATCH %s ORDER BY found.rowid DESC LIMIT %s
"""
_NEWEST_OF_ALL = """
SELECT message_id FROM conversations_searchentry WHERE terms @@ %s::tsquery ORDER BY id DESC LIMIT %s
"""
MOST_SAID = 10_000


@dataclass(frozen=True, kw_only=True)
class Found:
    """A message, with its thread, and the piece of it that was looked for."""

    message: Message
    excerpt: Excerpt


@dataclass(frozen=True, kw_only=True)
class SearchPage:
    found: list[Found]
    next: str | None


def search_page(*, owner_id: UUID, words: str, cursor: str | None, size: int = PAGE) -> SearchPage:
    """A person's messages in which all of ``words`` are, in any order, the newest message first. At most three queries.

    Raises InvalidRequest for words that cannot be looked for.
    """
    try:
        sought = wanted(words)
    except NotWanted as fault:
        raise InvalidRequest(str(fault), details={"field": "q"}) from None
    before = cursors.decode_number(cursor) if cursor else _LAST
    rows = _matching(sought, owner_id=owner_id, before=before, most=size + 1)
    shown = rows[:size]
    messages = Message.objects.select_related("thread").defer("thinking", "parts").in_bulk([pk for _, pk in shown])
    return SearchPage(
        found=[
            Found(message=messages[pk], excerpt=excerpt(messages[pk].content, sought))
            for _, pk in shown
            # Deleted between the two queries, or with its thread, which is kept for a while.
            if pk in messages and messages[pk].thread.deleted_at is None
        ],
        next=cursors.encode(str(shown[-1][0])) if len(rows) > size else None,
    )


def threads_saying(words: str) -> RawSQL | None:
    """A subquery for the ids of threads, whoever's they are, in which ``words`` are in one message: those of the newest
    10,000 such messages. None for what cannot be looked for.
    """
    try:
        sought = wanted(words)
    except NotWanted:
        return None
    newest = _NEWEST_OF_ALL_SQLITE if connection.vendor == "sqlite" else _NEWEST_OF_ALL
    return RawSQL(_THREADS_OF_NEWEST.replace("{newest}", newest), [index_query(sought), MOST_SAID])


def _matching(sought: Sequence[Wanted], *, owner_id: UUID, before: int, most: int) -> list[tuple[int, UUID]]:
    facts = {
        "query": index_query([Wanted(owner_mark(owner_id)), *sought]),
        "owner": _UUID.get_db_prep_value(owner_id, connection),
        "before": before,
        "most": most,
    }
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(_SQLITE, facts)
            return [(number, UUID(message_id)) for number, message_id in cursor.fetchall()]
        cursor.execute(_NEWEST, {**facts, "looked_through": LOOKED_THROUGH})
        (looked_at, *_), *rows = cursor.fetchall()
        if len(rows) < most and looked_at == LOOKED_THROUGH:
            cursor.execute(_INDEXED, facts)
            rows = cursor.fetchall()
        return [(number, message_id) for number, message_id, *_ in rows]


def index_query(sought: Sequence[Wanted]) -> str:
    """In the language of the database's index. Terms are letters and digits, and in quotes all the same."""
    if connection.vendor == "sqlite":
        return " AND ".join(f'"{each.term}"{" *" if each.begins else ""}' for each in sought)
    return " & ".join(f"'{each.term}'{':*' if each.begins else ''}" for each in sought)
