"""Server-Sent Events read by the standard's own rules, and by nothing of the product."""

import codecs
import re
from dataclasses import dataclass, field

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Message:
    """One dispatched event: ``id`` is what this very block said, None where it said nothing."""

    data: str
    event: str = "message"
    id: str | None = None


@dataclass
class _Block:
    data: list[str] = field(default_factory=list)
    event: str = ""
    id: str | None = None


class Parser:
    """Feed it bytes; ``comments`` and ``retries`` collect what is no event."""

    def __init__(self) -> None:
        self.comments: list[str] = []
        self.retries: list[int] = []
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._rest = ""
        self._block = _Block()

    def feed(self, data: bytes) -> list[Message]:
        self._rest += self._decode(data)
        messages = []
        while found := _LINE_END.search(self._rest):
            if found[0] == "\r" and found.end() == len(self._rest):
                break  # the LF of this CR may be on its way
            line, self._rest = self._rest[: found.start()], self._rest[found.end() :]
            if line:
                self._line(line)
            elif (message := self._dispatch()) is not None:
                messages.append(message)
        return messages

    @property
    def in_the_middle(self) -> bool:
        """Whether what was fed ends inside a block, which a reader has to throw away."""
        return bool(self._rest or self._block.data)

    def _line(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                self.comments.append(value)
            case "data":
                self._block.data.append(value)
            case "event":
                self._block.event = value
            case "id" if "\0" not in value:
                self._block.id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retries.append(int(value))

    def _dispatch(self) -> Message | None:
        block, self._block = self._block, _Block()
        if not block.data:
            return None
        return Message(data="\n".join(block.data), event=block.event or "message", id=block.id)
