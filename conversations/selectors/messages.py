from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Length

from chatserver.rows import as_uuid, stored_id
from conversations.models import Message, Run, Step, Thread
from conversations.selectors import cursors

PAGE = 50
# What a page is made of is in the memory several times over. 50 messages of people are a few thousand characters; of
# somebody who wants it to be much, twenty million.
PAGE_CHARACTERS = 1_000_000
NOT_SHOWN = ("opening_events", "closing_events", "system_prompt")  # of a run, with its message

# The path from a leaf towards the root, at most so many messages, and none above so many characters: one walk along an
# index in the database.
_PATH = """
WITH RECURSIVE path(id, parent_id, depth, told) AS (
    SELECT id, parent_id, 1, LENGTH(content) + LENGTH(thinking)
    FROM conversations_message WHERE id = %s AND thread_id = %s
    UNION ALL
    SELECT m.id, m.parent_id, path.depth + 1, path.told + LENGTH(m.content) + LENGTH(m.thinking)
    FROM conversations_message m JOIN path ON m.id = path.parent_id
    WHERE path.depth < %s AND path.told < %s
)
SELECT id FROM path ORDER BY depth DESC
"""


# Whatever was said below a message. The one made last has nothing below it, so it is a leaf.
_NEWEST_BELOW = """
WITH RECURSIVE below(id, created_at) AS (
    SELECT id, created_at FROM conversations_message WHERE id = %s AND thread_id = %s
    UNION ALL
    SELECT m.id, m.created_at FROM conversations_message m JOIN below ON m.parent_id = below.id
)
SELECT id FROM below ORDER BY created_at DESC, id DESC LIMIT 1
"""


# The same, all of it, the deepest first.
_ALL_BELOW = """
WITH RECURSIVE below(id, depth) AS (
    SELECT id, 1 FROM conversations_message WHERE id = %s AND thread_id = %s
    UNION ALL
    SELECT m.id, below.depth + 1 FROM conversations_message m JOIN below ON m.parent_id = below.id
)
SELECT id FROM below ORDER BY depth DESC, id DESC
"""


@dataclass(frozen=True, kw_only=True)
class MessagePage:
    """Messages of the shown branch, the newest last; ``beside`` them the other answers that the same send of several
    models brought; the steps and runs of all these answers; for each message the versions that there are of it.
    """

    messages: list[Message]
    beside: list[Message]
    steps: list[Step]
    runs: list[Run]
    versions: dict[UUID, list[UUID]]
    next: str | None


def message_page(
    *,
    thread: Thread,
    cursor: str | None,
    leaf: UUID | None = None,
    size: int = PAGE,
    characters: int = PAGE_CHARACTERS,
) -> MessagePage:
    """The newest messages of the branch that ends in ``leaf`` (the thread's head), or those from ``cursor`` upwards:
    ``size`` of them, fewer where these have more than so many ``characters``, and so many beside them at most.

    Five queries; two more where an answer has other versions.
    """
    leaf = leaf or thread.head_id
    if cursor:
        leaf = cursors.decode_id(cursor)
    if leaf is None:
        return MessagePage(messages=[], beside=[], steps=[], runs=[], versions={}, next=None)
    shown = path_ids(thread_id=thread.pk, leaf=leaf, most=size, most_characters=characters)
    messages = _in_order(shown)
    above = messages[0].parent_id if messages else None
    versions = siblings(messages)
    beside = _asked_with(messages, versions, characters=characters)
    told = [*shown, *(message.pk for message in beside)]
    # An answer that was gone on with has several runs, each with its steps; their ids are in the order of time.
    return MessagePage(
        messages=messages,
        beside=beside,
        steps=list(Step.objects.filter(run__answer_id__in=told).order_by("run_id", "index")),
        # Without the texts of events, which may stand on them.
        runs=list(Run.objects.filter(answer_id__in=told).defer(*NOT_SHOWN).order_by("pk")),
        versions=versions | {message.pk: versions[_shown_beside(message, messages)] for message in beside},
        next=None if above is None else cursors.encode(str(above)),
    )


def _asked_with(messages: Sequence[Message], versions: dict[UUID, list[UUID]], *, characters: int) -> list[Message]:
    """The answers of other lanes: one send opens its runs at one moment. The newest first until they have so many
    ``characters``; what is left out is still among the versions.
    """
    shown = {
        message.pk: message.parent_id
        for message in messages
        if message.role == Message.Role.ASSISTANT and len(versions[message.pk]) > 1
    }
    if not shown:
        return []
    asked = Run.objects.filter(question_id__in=shown.values(), answer__isnull=False).order_by("-pk")
    told = Length("answer__content") + Length("answer__thinking")
    sends: dict[tuple[UUID | None, datetime], dict[UUID, int]] = defaultdict(dict)
    for answer_id, question_id, created_at, length in asked.values_list("answer", "question", "created_at", told):
        sends[question_id, created_at][answer_id] = length
    beside: list[UUID] = []
    for answers in sends.values():
        for other, length in answers.items() if answers.keys() & shown.keys() else ():
            if other not in shown and characters > 0:
                beside.append(other)
                characters -= length
    return _in_order(beside[::-1])


def _shown_beside(message: Message, shown: Sequence[Message]) -> UUID:
    return next(one.pk for one in shown if one.parent_id == message.parent_id)


def newest_below(*, thread_id: UUID, message_id: UUID) -> UUID | None:
    """The leaf that was made last below a message, or the message itself; None for one that is not in the thread."""
    found = _below(_NEWEST_BELOW, thread_id, message_id)
    return found[0] if found else None


def all_below(*, thread_id: UUID, message_id: UUID) -> list[UUID]:
    """A message and everything that was said below it, replies before what they reply to."""
    return _below(_ALL_BELOW, thread_id, message_id)


def _below(query: str, thread_id: UUID, message_id: UUID) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(query, [stored_id(message_id), stored_id(thread_id)])
        return [as_uuid(row[0]) for row in cursor.fetchall()]


def siblings(messages: Sequence[Message]) -> dict[UUID, list[UUID]]:
    """For each of a thread's messages: all the versions of it, itself among them, the oldest first. One query."""
    if not messages:
        return {}
    parents = {message.parent_id for message in messages}
    alike = Q(parent_id__in=parents - {None})
    if None in parents:
        alike |= Q(parent=None)
    rows = Message.objects.filter(alike, thread_id=messages[0].thread_id).order_by("created_at", "id")
    versions: dict[UUID | None, list[UUID]] = defaultdict(list)
    for pk, parent_id in rows.values_list("pk", "parent_id"):
        versions[parent_id].append(pk)
    return {message.pk: versions[message.parent_id] for message in messages}


def path_ids(*, thread_id: UUID, leaf: UUID, most: int, most_characters: int) -> list[UUID]:
    """The ids of the last ``most`` messages on the way from the root to ``leaf``, the leaf last; fewer where they have
    ``most_characters`` before.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PATH, [stored_id(leaf), stored_id(thread_id), most, most_characters])
        return [as_uuid(row[0]) for row in cursor.fetchall()]


def _in_order(ids: Sequence[UUID]) -> list[Message]:
    rows = Message.objects.in_bulk(ids)
    return [rows[pk] for pk in ids if pk in rows]
