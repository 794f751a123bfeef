"""Bytes in, complete lines out.

Lines end at the byte 0A and nowhere else: U+0085 and U+2028 inside a JSON text are no line ends, though ``splitlines``
and httpx's ``aiter_lines`` take them for such.
"""

from streaming.protocol.errors import UpstreamProtocol


class LineSplitter:
    """Cuts a byte stream into lines of at most ``max_line`` bytes; blank lines are left out.

    The cost is linear in the bytes fed, however small the pieces are, and never more than one line is held.
    """

    def __init__(self, *, max_line: int) -> None:
        self.max_line = max_line
        self.complete: list[bytes] = []
        self._tail = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes, without their line ends.

        Raises UpstreamProtocol as soon as a line is longer than allowed; the lines before it are then in ``complete``.
        """
        self.complete = lines = []
        *complete, rest = data.split(b"\n")
        for line in complete:
            self._check(len(self._tail) + len(line))
            if self._tail:
                line = bytes(self._tail) + line
                self._tail.clear()
            if line and not line.isspace():
                lines.append(line)
        if rest:
            self._check(len(self._tail) + len(rest))
            self._tail += rest
        return lines

    @property
    def held(self) -> int:
        """The bytes of a line that has not come whole yet."""
        return len(self._tail)

    def flush(self) -> list[bytes]:
        """Nothing: what the body ended with, without a line end, is no line."""
        return []

    @property
    def tail(self) -> bytes:
        """What came after the last line end: not a line, and never to be read as one."""
        return bytes(self._tail)

    def _check(self, length: int) -> None:
        if length > self.max_line:
            self._tail.clear()
            raise UpstreamProtocol(details={"reason": "line_too_long", "max_line": self.max_line})
