"""The events of a user's feed. They carry their number as ``feed`` instead of ``id``, so that none can be taken for an
event of a run; docs/protocol.md explains them.
"""

from typing import Any, Literal

from streaming.protocol.codec import dumps
from streaming.protocol.events import TERMINAL_EVENTS, RunCreated

RESET = "feed.reset"
# What verbs record, with the names of its data.
RECORDED: dict[str, frozenset[str]] = {
    "thread.created": frozenset({"thread"}),
    "thread.updated": frozenset({"thread"}),
    "thread.deleted": frozenset({"thread_id"}),
    "thread.queue.updated": frozenset({"thread_id", "waiting"}),
    "message.deleted": frozenset({"thread_id", "message_id"}),
    "message.updated": frozenset({"thread_id", "message_id", "follow_ups"}),
    RunCreated.name: frozenset({"thread_id", "run"}),
    **{name: frozenset({"thread_id", "run"}) for name in sorted(TERMINAL_EVENTS)},
}


def encode_feed(event: str, number: int, data: dict[str, Any]) -> str:
    """The envelope of a feed event. Its name and the names of its data are those of ``RECORDED``."""
    assert RECORDED[event] == data.keys(), (event, sorted(data))
    return dumps({"event": event, "feed": number, "data": data})


def reset(*, head: int, reason: Literal["cursor_ahead", "feed_pruned"]) -> str:
    """Made for one reader, whose cursor the feed cannot go on from: load again. ``head`` is where it goes on."""
    return dumps({"event": RESET, "feed": head, "data": {"head": head, "reason": reason}})
