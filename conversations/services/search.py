"""Keeping what messages can be found by. For use inside the verbs that write messages."""

from collections.abc import Sequence
from uuid import UUID

from conversations.models import Message, SearchEntry
from conversations.search.marks import owner_mark
from conversations.search.words import terms
from streaming.protocol.lifecycle import MessageStatus


def add(messages: Sequence[Message], *, owner_id: UUID) -> None:
    """Messages that were just written, in the order in which they are to be found."""
    SearchEntry.objects.bulk_create(
        SearchEntry(message=message, owner_id=owner_id, terms=terms_of(message.content, message.status, owner_id))
        for message in messages
    )


def keep(*, message_id: UUID, owner_id: UUID, content: str, status: str) -> None:
    """What a message says now that it has ended. While it goes on, and goes on again, it is left as it was."""
    if status == MessageStatus.IN_PROGRESS:
        return
    entry = SearchEntry(message_id=message_id, owner_id=owner_id, terms=terms_of(content, status, owner_id))
    # It is there, unless a process that knew nothing of a search has made the message.
    SearchEntry.objects.bulk_create([entry], update_conflicts=True, unique_fields=["message"], update_fields=["terms"])


def terms_of(content: str, status: str, owner_id: UUID) -> list[str]:
    """Of a message in progress, nothing: it is found when it has ended."""
    found = [] if status == MessageStatus.IN_PROGRESS else terms(content)
    return [owner_mark(owner_id), *found] if found else []
