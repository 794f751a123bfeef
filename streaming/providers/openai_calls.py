"""Tool calls in pieces, joined to whole ones: by place, by id, and by what real servers do with both.

Some number every call 0, some repeat the id in each piece, some give none, some send whole calls. Nothing is read of
the arguments before the last piece: they are cut anywhere, also inside an escape.
"""

import json
from collections.abc import Callable
from typing import Any

from streaming.providers.base import ToolCall
from streaming.providers.values import MAX_DEPTH, arguments, deeper

# More calls than any turn has.
MAX_CALLS = 256
# No tool takes more; beyond it nobody looks any more whether the arguments are whole already.
_LOOKED_AT = 64 * 1024
# Nor after so many looks in vain: each goes through all that has come.
_LOOKS = 64


class BadCalls(Exception):
    """What came is no tool call, or more than is taken; its text is the reason."""


class CallJoiner:
    """Add the pieces as they come; ``calls`` are whole. At most MAX_CALLS of them, with ``max_text`` characters in all.

    One place (``index``, 0 where there is none) is one call, unless a piece says otherwise: by an id of its own; or
    without one, by another name, or by arguments that begin where those before were whole already.
    """

    def __init__(self, *, max_text: int, make_id: Callable[[], str]) -> None:
        self._make_id = make_id
        self._room = max_text
        self._calls: list[_Call] = []
        self._current: dict[int, _Call] = {}
        self._by_id: dict[tuple[int, str], _Call] = {}

    def add(self, pieces: Any) -> None:
        """``delta.tool_calls``, as decoded. Raises BadCalls."""
        if not isinstance(pieces, list):
            raise BadCalls("bad_tool_calls")
        for piece in pieces:
            self._add(piece)

    def calls(self) -> list[ToolCall]:
        """The calls in the order in which they began, each with an id that no other one has."""
        taken: set[str] = set()
        return [call.whole(taken, self._make_id) for call in self._calls]

    def _add(self, piece: Any) -> None:
        function = (piece.get("function") or {}) if isinstance(piece, dict) else None
        if not isinstance(function, dict):
            raise BadCalls("bad_tool_calls")
        name, text = _text(function.get("name")), _arguments_text(function.get("arguments"))
        self._take(len(name) + len(text))
        index = piece.get("index")
        self._call(index if type(index) is int else 0, _text(piece.get("id")), name, text).add(name, text)

    def _take(self, length: int) -> None:
        self._room -= length
        if self._room < 0:
            raise BadCalls("tool_calls_too_long")

    def _call(self, index: int, id: str, name: str, text: str) -> "_Call":
        """The call that such a piece belongs to."""
        call = self._by_id.get((index, id)) if id else self._current.get(index)
        if call is None or (not id and call.is_over_before(name, text)):
            if len(self._calls) == MAX_CALLS:
                raise BadCalls("too_many_tool_calls")
            self._take(len(id))
            call = _Call(id)
            self._calls.append(call)
        if id:
            self._by_id[index, id] = call
        self._current[index] = call
        return call


class _Call:
    def __init__(self, id: str) -> None:
        self._id = id
        self._name = ""
        self._pieces: list[str] = []
        self._length = 0
        self._looks = 0

    def add(self, name: str, text: str) -> None:
        self._name = self._name or name  # set once: some servers repeat it
        if text:
            self._pieces.append(text)
            self._length += len(text)

    def is_over_before(self, name: str, text: str) -> bool:
        """Whether a piece without an id, but with this name and text, begins another call."""
        if not name or not self._name:
            return False
        if name != self._name:
            return True
        if not text or not self._pieces or self._length > _LOOKED_AT or not self._pieces[-1].rstrip().endswith("}"):
            return False
        self._looks += 1
        return self._looks <= _LOOKS and arguments("".join(self._pieces))[0] is not None

    def whole(self, taken: set[str], make_id: Callable[[], str]) -> ToolCall:
        id = self._id if self._id and self._id not in taken else make_id()
        taken.add(id)
        text = "".join(self._pieces)
        parsed, invalid = arguments(text if text.strip() else "")
        return ToolCall(id=id, name=self._name, arguments=parsed, invalid_arguments=invalid)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _arguments_text(value: Any) -> str:
    """A piece of the arguments; some servers send the object itself."""
    if value is None:
        return ""
    if isinstance(value, dict) and not deeper(value, MAX_DEPTH):
        return json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str):
        raise BadCalls("bad_tool_calls")
    return value
