"""More messages in a thread, and more threads, than could be written in the time of a test."""

from datetime import UTC, datetime, timedelta
from typing import Any

from chatserver.ids import new_id
from tests.support.server import ChatServer, key

AT_ONCE = 500  # rows
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
    _insert(server, "conversations_message", rows)
    server.spoil("UPDATE conversations_thread SET head_id = ? WHERE id = ?", parent, key(thread_id))


def multiply(server: ChatServer, thread_id: str, *, threads: int, apart: timedelta) -> None:
    """Threads without messages, each older than the one before, called "Thread 1" and so on."""
    like = server.rows("SELECT * FROM conversations_thread WHERE id = ?", key(thread_id))[0]
    now = datetime.now(UTC)
    rows = []
    for number in range(1, threads + 1):
        moment = (now - number * apart).replace(microsecond=0)
        at = moment.strftime("%Y-%m-%d %H:%M:%S.000")
        changed = {"id": new_id().hex, "title": f"Thread {number}", "updated_at": at, "head_id": None}
        rows.append(like | changed)
    _insert(server, "conversations_thread", rows)


def _insert(server: ChatServer, table: str, rows: list[dict[str, Any]]) -> None:
    names = ", ".join(rows[0])
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        places = ", ".join([f"({', '.join('?' * len(rows[0]))})"] * len(some))
        values = [value for row in some for value in row.values()]
        server.spoil(f"INSERT INTO {table} ({names}) VALUES {places}", *values)
