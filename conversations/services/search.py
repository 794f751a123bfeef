"""Keeping what messages can be found by. For use inside the verbs that write messages."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from chatserver.rows import stored_id
from conversations.models import Message, SearchEntry
from conversations.models.search import TermsField
from conversations.search.marks import owner_mark
from conversations.search.words import terms
from streaming.protocol.lifecycle import MessageStatus

# Past the ORM, because it is done twice for every question.
_ADD = "INSERT INTO conversations_searchentry (message_id, owner_id, terms) VALUES (%s, %s, {terms})"
# It is there, unless a process that knew nothing of a search has made the message.
_KEEP = f"{_ADD} ON CONFLICT (message_id) DO UPDATE SET terms = excluded.terms"
_TERMS: TermsField = SearchEntry._meta.get_field("terms")


def add(messages: Sequence[Message], *, owner_id: UUID) -> None:
    """Messages that were just written, in the order in which they are to be found. One statement."""
    _write(
        _ADD, [_row(message.pk, owner_id, terms_of(message.content, message.status, owner_id)) for message in messages]
    )


def keep(*, message_id: UUID, owner_id: UUID, content: str, status: str) -> None:
    """What a message says now that it has ended. While it goes on, and goes on again, it is left as it was."""
    if status != MessageStatus.IN_PROGRESS:
        _write(_KEEP, [_row(message_id, owner_id, terms_of(content, status, owner_id))])


def terms_of(content: str, status: str, owner_id: UUID) -> list[str]:
    """Of a message in progress, nothing: it is found when it has ended."""
    found = [] if status == MessageStatus.IN_PROGRESS else terms(content)
    return [owner_mark(owner_id), *found] if found else []


def _row(message_id: UUID, owner_id: UUID, found: list[str]) -> list[Any]:
    return [stored_id(message_id), stored_id(owner_id), _TERMS.get_db_prep_value(found, connection)]


def _write(statement: str, rows: list[list[Any]]) -> None:
    if rows:
        placed = _TERMS.get_placeholder(None, None, connection)
        with connection.cursor() as cursor:
            cursor.executemany(statement.replace("{terms}", placed), rows)
