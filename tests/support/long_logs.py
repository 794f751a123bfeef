"""Runs with a log longer than a model server could make one in the time of a test."""

import json

from tests.support.client import Client
from tests.support.server import ChatServer, key


async def run_with_a_long_log(client: Client, server: ChatServer, *, events: int, size: int) -> str:
    """A run that has ended, with ``events`` more deltas of about ``size`` bytes before its end; its id."""
    run = await client.start(model="ollama/slow-3@max")
    await client.ended(run["id"])
    row = key(run["id"])
    *before, end = server.logged(run["id"])
    first = len(before) + 1
    content = "x" * size
    texts = [
        _event("thread.message.delta", first + n, {"run_id": run["id"], "content": content}) for n in range(events)
    ]
    last = json.loads(end)
    texts.append(_event(last["event"], first + events, last["data"]))
    server.spoil("DELETE FROM conversations_runevent WHERE run_id = ? AND seq = ?", row, first)
    places = ", ".join(["(?, ?, ?, '2026-01-01 00:00:00+00:00')"] * len(texts))
    rows = [value for seq, text in enumerate(texts, start=first) for value in (row, seq, text)]
    server.spoil(f"INSERT INTO conversations_runevent (run_id, seq, text, written_at) VALUES {places}", *rows)
    for table in ("run", "runlease"):
        column = "id" if table == "run" else "run_id"
        server.spoil(f"UPDATE conversations_{table} SET head = ? WHERE {column} = ?", first + events, row)
    identifier: str = run["id"]
    return identifier


def _event(name: str, id: int, data: object) -> str:
    return json.dumps({"event": name, "id": id, "data": data}, separators=(",", ":"))
