"""What must hold for every ended run: log, rows and what readers saw agree, and there is one end."""

import json
from collections.abc import Sequence
from typing import Any

from tests.support.server import ChatServer, key
from tests.support.transcript import TERMINAL, Event, Transcript

_STEP_ENDS = {"thread.run.step.completed", "thread.run.step.failed", "thread.run.step.cancelled"}


def agreed_end(server: ChatServer, run_id: str, *seen: Transcript) -> Transcript:
    """The run's whole history from the log, after checking it against the rows and every reader's transcript."""
    texts = server.logged(run_id)
    history = Transcript()
    for text in texts:
        history.take(text)
    assert sum(name in TERMINAL for name in history.names) == 1, history.names
    assert history.ended, history.names
    assert history.names[0] == "thread.run.created"
    for transcript in seen:
        assert_prefix(texts, transcript)
    _assert_all_closed(history.events)
    _assert_rows(server, run_id, history)
    return history


def assert_prefix(texts: Sequence[str], seen: Transcript) -> None:
    """Whatever event n a reader has seen is event n of the log."""
    for event in seen.events:
        assert event.id is not None
        assert event.id <= len(texts), f"a reader saw event {event.id}, the log has {len(texts)}"
        assert event.text == texts[event.id - 1], f"event {event.id} is not what the reader saw"


def _assert_all_closed(events: Sequence[Event]) -> None:
    opened = [event.data["step"]["id"] for event in events if event.name == "thread.run.step.created"]
    ended = [event.data["step"]["id"] for event in events if event.name in _STEP_ENDS]
    assert sorted(opened) == sorted(ended), "every step that starts ends exactly once"


def _assert_rows(server: ChatServer, run_id: str, history: Transcript) -> None:
    told = history.end.data["run"]
    run = server.run_row(run_id)
    assert history.end.name == f"thread.run.{run['status']}"
    assert (run["status"], run["head"]) == (told["status"], history.last)
    assert _json(run["error"]) == told["error"]
    assert _json(run["usage"]) == told["usage"]
    assert _json(run["timing"]) == told["timing"]
    if told["assistant_message_id"] is None:  # withdrawn before its turn came
        assert (run["status"], told["user_message_id"]) == ("cancelled", None)
        assert not any(name.startswith("thread.message.") for name in history.names), history.names
        return
    message = server.message_row(told["assistant_message_id"])
    shown = _last_message(history)
    assert shown["status"] == ("completed" if run["status"] == "completed" else "incomplete")
    assert shown["content"] == history.begun + history.content
    if key(str(message["run_id"])) == key(run_id):  # else a later run has gone on with it
        assert (message["status"], message["content"]) == (shown["status"], shown["content"])
        assert message["thinking"] == shown["thinking"]
        assert _json(message["parts"]) == shown["parts"]
    question = server.message_row(told["user_message_id"])
    assert question["status"] == "completed"
    sql = 'SELECT * FROM conversations_step WHERE run_id = ? ORDER BY "index"'
    steps = server.rows(sql, key(run_id))
    ends = {event.data["step"]["index"]: event.data["step"] for event in history.events if event.name in _STEP_ENDS}
    assert [(row["index"], row["status"], row["output"], row["details"]) for row in steps] == [
        (step["index"], step["status"], step["output"], step["details"]) for _, step in sorted(ends.items())
    ]


def _last_message(history: Transcript) -> dict[str, Any]:
    ends = [e for e in history.events if e.name in ("thread.message.completed", "thread.message.incomplete")]
    assert len(ends) == 1, history.names
    message: dict[str, Any] = ends[0].data["message"]
    return message


def _json(value: Any) -> Any:
    """SQLite keeps JSON as text."""
    return json.loads(value) if isinstance(value, str) else value
