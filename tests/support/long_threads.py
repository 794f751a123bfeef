"""Threads with more messages than could be written in the time of a test."""

from datetime import UTC, datetime, timedelta
from typing import Any

from chatserver.ids import new_id
from tests.support.server import ChatServer, key

AT_ONCE = 500  # messages
PARAGRAPHS = "A paragraph of an answer, which is long enough to take some lines on any screen. " * 4


def lengthen(server: ChatServer, thread_id: str, *, messages: int) -> None:
    """Questions and answers after what is there, which must be at least one of each."""
    sql = "SELECT * FROM conversations_message WHERE thread_id = ? ORDER BY created_at, id"
    first = server.rows(sql, key(thread_id))
    kinds = {row["role"]: row for row in first}
    parent = first[-1]["id"]
    began = datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    for number in range(messages):
        role = "assistant" if number % 2 else "user"
        content = f"Answer {number}\n\n{PARAGRAPHS}\n\n- one\n- two" if number % 2 else f"Question {number}"
        at = str(began + timedelta(milliseconds=number))
        changed = {"id": new_id().hex, "parent_id": parent, "content": content, "created_at": at, "run_id": None}
        rows.append(kinds[role] | changed | {"parts": "[]"})
        parent = rows[-1]["id"]
    names = ", ".join(rows[0])
    for start in range(0, messages, AT_ONCE):
        some = rows[start : start + AT_ONCE]
        places = ", ".join([f"({', '.join('?' * len(rows[0]))})"] * len(some))
        values = [value for row in some for value in row.values()]
        server.spoil(f"INSERT INTO conversations_message ({names}) VALUES {places}", *values)
    server.spoil("UPDATE conversations_thread SET head_id = ? WHERE id = ?", parent, key(thread_id))
