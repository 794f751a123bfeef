"""How much text takes in an event, and how much of it fits."""

from bisect import bisect_right

from streaming.protocol.codec import dumps


def size(text: str) -> int:
    """Bytes that it takes in an event."""
    return len(dumps(text)) - 2


def what_fits(text: str, room: int) -> str:
    """The longest beginning of ``text`` that takes no more than ``room`` bytes.

    Where it is cut depends on the text alone, not on the pieces in which it came. Costs some twenty looks at the text;
    called once an answer, when it is full.
    """
    return text[: bisect_right(range(len(text) + 1), max(0, room), key=lambda length: size(text[:length])) - 1]
