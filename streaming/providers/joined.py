"""The chunks of one read, in order, with neighbours of one kind made one."""

from streaming.providers.base import Chunk, Finish, Text, Thinking, ToolCall
from streaming.providers.thinking import Split, ThinkSplitter


class Joined:
    """Add to it as it comes; ``chunks`` is what it came to. Content that stands together is looked through for tags
    once, not token by token.
    """

    def __init__(self, splitter: ThinkSplitter) -> None:
        self._splitter = splitter
        self._content: list[str] = []  # not looked through yet
        self._chunks: list[Chunk] = []
        self._kind: type[Text] | type[Thinking] = Text
        self._pieces: list[str] = []

    def content(self, text: str) -> None:
        self._content.append(text)

    def thinking(self, text: str) -> None:
        self._split()
        self._piece(Thinking, text)

    def add(self, chunk: ToolCall | Finish) -> None:
        self._split()
        self._close()
        self._chunks.append(chunk)

    def flush(self) -> None:
        """Add what the splitter holds back: no more content comes."""
        self._split()
        self._add(self._splitter.flush())

    def chunks(self) -> list[Chunk]:
        self._split()
        self._close()
        return self._chunks

    def _split(self) -> None:
        if self._content:
            text = "".join(self._content)
            self._content.clear()
            self._add(self._splitter.feed(text))

    def _add(self, split: Split) -> None:
        thinking, content = split
        if thinking:
            self._piece(Thinking, thinking)
        if content:
            self._piece(Text, content)

    def _piece(self, kind: type[Text] | type[Thinking], text: str) -> None:
        if kind is not self._kind:
            self._close()
            self._kind = kind
        self._pieces.append(text)

    def _close(self) -> None:
        if self._pieces:
            self._chunks.append(self._kind("".join(self._pieces)))
            self._pieces.clear()
