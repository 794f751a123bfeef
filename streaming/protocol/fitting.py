"""Keeping a snapshot within what one event may be. Pure."""

import hashlib
from typing import Any

import msgspec

from streaming.protocol.codec import encode
from streaming.protocol.events import Snapshot
from streaming.protocol.objects import Message

MAX_TEXT = 4 * 1024 * 1024  # bytes of an event that is not a delta


def fitted(snapshot: Snapshot, *, most: int = MAX_TEXT) -> str:
    """The snapshot's envelope, of at most ``most`` bytes: where it would be longer, without the text of the question.

    That is enough: an answer with its steps is bounded by the limits of a run.
    """
    text = encode(snapshot, snapshot.as_of)
    if len(text) <= most:
        return text
    messages = [_without_text(message) if message.role == "user" else message for message in snapshot.messages]
    return encode(msgspec.structs.replace(snapshot, messages=messages), snapshot.as_of)


def _without_text(message: Message) -> Message:
    left_out: dict[str, Any] = {
        "content": None,
        "content_length": len(message.text),
        "sha256": hashlib.sha256(message.text.encode()).hexdigest(),
    }
    return msgspec.structs.replace(message, **left_out)
