"""Server-Sent Events as bytes. Pure. Data is always one line of ASCII JSON and names come from an enumeration, so no
text of anybody can forge a line.
"""

from collections.abc import Iterable

from streaming.protocol.codec import Entry

RETRY_MS = 2000
HEARTBEAT = b": heartbeat\n\n"
DONE = b"data: [DONE]\n\n"
_NAME_AT = len('{"event":"')

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
    "Content-Encoding": "identity",
}


def opening() -> bytes:
    """What is sent at once, so that proxies and clients see a living stream."""
    return b": open\nretry: %d\n\n" % RETRY_MS


def retry(milliseconds: int) -> bytes:
    return b"retry: %d\n\n" % milliseconds


def name_of(text: str) -> str:
    """The event's name, read off the front of its envelope."""
    return text[_NAME_AT : text.index('"', _NAME_AT)]


def frame(text: str, id: int | None, *, names: bool) -> bytes:
    """One event. Hints have no id; without ``names``, EventSource.onmessage gets everything."""
    lines = f"id: {id}\n" if id is not None else ""
    if names:
        lines += f"event: {name_of(text)}\n"
    return f"{lines}data: {text}\n\n".encode("ascii")


def block(entries: Iterable[Entry], hints: Iterable[str], *, names: bool) -> bytes:
    """All that is due, to be written as one. Hints first: what they announce may be among the entries."""
    frames = [frame(hint, None, names=names) for hint in hints]
    frames += [frame(text, id, names=names) for id, text in entries]
    return frames[0] if len(frames) == 1 else b"".join(frames)
