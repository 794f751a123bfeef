"""Takes think tags in running text apart, wherever the text was cut.

Models without a thinking field of their own write their reasoning into the answer, between tags. An opening tag counts
only at the very start: further on it is something the answer talks about. Where a template opened the tag, only the
closing one comes; what was sent as answer by then stays answer, and the tag itself is dropped.
"""

import re
from enum import Enum
from typing import NamedTuple

_WORDS = ("think", "thinking", "reason", "reasoning", "thought", "Thought")
_CLOSING = {f"<{word}>": f"</{word}>" for word in _WORDS} | {
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "◁think▷": "◁/think▷",
}
_TAGS = (*_CLOSING, *_CLOSING.values())
_ANY_TAG = re.compile("|".join(map(re.escape, _TAGS)))
_FIRST = "<◁"  # every tag begins with one of these and has none further in


class Split(NamedTuple):
    """What one piece of text adds. Thinking always precedes content."""

    thinking: str = ""
    content: str = ""


class _At(Enum):
    START = 1
    THINKING = 2
    ANSWER = 3  # no tag at the start; a closing one may still come
    PLAIN = 4  # tags mean nothing any more


class ThinkSplitter:
    """Feed the content as it comes, flush at the end; the joined result does not depend on the cuts.

    At most the white space around a tag and the beginning of a possible tag are held back.
    """

    def __init__(self) -> None:
        self._at = _At.START
        self._closing = ""
        self._trim = False
        self._space: list[str] = []
        self._partial = ""

    def feed(self, text: str) -> Split:
        if self._at is _At.PLAIN:
            return Split("", self._trimmed(text))
        if self._at is _At.ANSWER and not self._partial and "<" not in text and "◁" not in text:  # the usual token
            return Split("", text)
        text = self._partial + text
        self._partial = ""
        match self._at:
            case _At.START:
                return self._start(text)
            case _At.THINKING:
                return self._think(text)
            case _:
                return Split(content=self._answer(text))

    def flush(self) -> Split:
        """What was held back: at the end of the text it cannot become a tag any more."""
        held = "".join(self._space) + self._partial
        self._space.clear()
        self._partial = ""
        return Split(thinking=held) if self._at is _At.THINKING else Split(content=held)

    def _start(self, text: str) -> Split:
        rest = text.lstrip()
        self._space.append(text[: len(text) - len(rest)])
        tag = _ANY_TAG.match(rest)
        if tag is None:
            if not rest or _may_become(rest, _TAGS):
                self._partial = rest
                return Split()
            self._at = _At.ANSWER
            space = "".join(self._space)
            self._space.clear()
            return Split(content=space + self._answer(rest))
        self._space.clear()
        self._trim = True
        rest = rest[tag.end() :]
        if tag[0] not in _CLOSING:
            self._at = _At.PLAIN
            return Split(content=self._trimmed(rest))
        self._at = _At.THINKING
        self._closing = _CLOSING[tag[0]]
        return self._think(rest)

    def _think(self, text: str) -> Split:
        thought, closing, rest = text.partition(self._closing)
        if closing:
            thinking = self._thought(thought)
            self._space.clear()
            self._at = _At.PLAIN
            self._trim = True
            return Split(thinking=thinking, content=self._trimmed(rest))
        text, self._partial = _hold_back(text, (self._closing,))
        return Split(thinking=self._thought(text))

    def _thought(self, text: str) -> str:
        """``text`` without the white space that may turn out to stand just inside a tag; that is kept for later."""
        text = self._trimmed(text)
        solid = text.rstrip()
        if solid:
            thinking = "".join(self._space) + solid
            self._space.clear()
        else:
            thinking = ""
        self._space.append(text[len(solid) :])
        return thinking

    def _answer(self, text: str) -> str:
        if "<" not in text and "◁" not in text:
            return text
        tag = _ANY_TAG.search(text)
        if tag is None:
            text, self._partial = _hold_back(text, _TAGS)
            return text
        self._at = _At.PLAIN
        if tag[0] in _CLOSING:  # the answer speaks about tags: whatever follows is its own text
            return text
        return text[: tag.start()] + text[tag.end() :]

    def _trimmed(self, text: str) -> str:
        if self._trim:
            text = text.lstrip()
            self._trim = not text
        return text


def _hold_back(text: str, tags: tuple[str, ...]) -> tuple[str, str]:
    """``text`` in two: what is certain, and an end that may be the beginning of one of ``tags``."""
    cut = max(text.rfind(first) for first in _FIRST)
    if cut < 0 or not _may_become(text[cut:], tags):
        return text, ""
    return text[:cut], text[cut:]


def _may_become(text: str, tags: tuple[str, ...]) -> bool:
    return any(tag.startswith(text) for tag in tags)
