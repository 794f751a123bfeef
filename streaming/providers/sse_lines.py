"""Bytes in, server-sent events out (WHATWG HTML, section 9.2.6).

Lines end at CR, LF or CRLF and nowhere else: U+0085 and U+2028 inside a JSON text are no line ends.
"""

import re
from typing import NamedTuple

from streaming.protocol.errors import UpstreamProtocol

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class SseEvent(NamedTuple):
    """One event. ``name`` is empty where none was given; ``data`` never is."""

    name: bytes
    data: bytes


class SseSplitter:
    """Cuts a byte stream into events of at most ``max_event`` bytes; comments, ids and events without data are left
    out.

    The cost is linear in the bytes fed, however small the pieces are, and never more than one event is held.
    """

    def __init__(self, *, max_event: int) -> None:
        self.max_event = max_event
        self.complete: list[SseEvent] = []
        self._tail = bytearray()
        self._after_return = False
        self._begun = False
        self._name = b""
        self._data: bytes | None = None  # of the event's first line of data, which is nearly always its only one
        self._more = bytearray()  # and of all others, as one: millions of tiny lines would be as many objects
        self._size = 0  # of the event's lines so far

    def feed(self, data: bytes) -> list[SseEvent]:
        """The events that ``data`` completes.

        Raises UpstreamProtocol as soon as an event is longer than allowed; those before it are then in ``complete``.
        """
        events: list[SseEvent] = []
        self.complete = events
        if not data:
            return events
        if self._after_return and data.startswith(b"\n"):  # a CRLF that was cut in two
            data = data[1:]
        self._after_return = data.endswith(b"\r")
        *lines, rest = data.split(b"\n") if b"\r" not in data else _LINE_END.split(data)
        for line in lines:
            self._check(len(self._tail) + len(line))
            if self._tail:
                line = bytes(self._tail) + line
                self._tail.clear()
            if self._begun and self._data is None and line.startswith(b"data: "):  # nearly every line that is not blank
                self._size += len(line) - 5
                self._data = line[6:]
            else:
                self._line(line, events)
        self._check(len(self._tail) + len(rest))
        self._tail += rest
        return events

    @property
    def held(self) -> int:
        """The bytes of an event that has not come whole yet."""
        return self._size + len(self._tail)

    def flush(self) -> list[SseEvent]:
        """What the body ended with: an event whose lines had ended, but for the blank one. Half a line is none."""
        events: list[SseEvent] = []
        self._dispatch(events)
        return events

    def _line(self, line: bytes, events: list[SseEvent]) -> None:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            self._dispatch(events)
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._size += len(value) + 1
            if self._data is None:
                self._data = value
            else:
                self._more += b"\n"
                self._more += value
        elif field == b"event":
            self._name = value

    def _dispatch(self, events: list[SseEvent]) -> None:
        data = self._data
        if self._more:
            data = (data or b"") + self._more
        if data:
            events.append(SseEvent(self._name, data))
        self._forget()

    def _check(self, length: int) -> None:
        if self._size + length > self.max_event:
            self._tail.clear()
            self._forget()
            raise UpstreamProtocol(details={"reason": "line_too_long", "max_line": self.max_event})

    def _forget(self) -> None:
        self._name = b""
        self._data = None
        if self._more:
            self._more = bytearray()
        self._size = 0
