"""What is still being told: an answer and a step that pieces are added to, in linear time."""

from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from streaming.protocol.objects import Message, Step

BETWEEN_THOUGHTS = "\n\n"


class Pieces:
    """Text as a list of pieces, joined when somebody asks: 20,000 deltas must not cost 20,000 copies."""

    def __init__(self, text: str = "") -> None:
        self._pieces = [text] if text else []
        self.length = len(text)

    def append(self, piece: str) -> None:
        self._pieces.append(piece)
        self.length += len(piece)

    def joined(self) -> str:
        if len(self._pieces) > 1:
            self._pieces[:] = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""


class GrowingAnswer:
    """The assistant's message while its run goes on. ``parts`` keep the order in which text and steps came."""

    def __init__(self, message: Message, *, thoughts_so_far: str = "") -> None:
        """``thoughts_so_far`` are those of ``message.thinking`` that the run's own steps will tell again."""
        self._message = message
        self._thinking_before = message.thinking
        if thoughts_so_far:
            self._thinking_before = message.thinking.removesuffix(thoughts_so_far).removesuffix(BETWEEN_THOUGHTS)
        self._content = Pieces(message.text)
        self._parts = _copied(message.parts)
        if message.content and not self._parts:
            self._parts = [{"text": [0, self._content.length]}]

    def append(self, text: str) -> None:
        if not text:
            return
        start = self._content.length
        self._content.append(text)
        if self._parts and "text" in self._parts[-1]:
            self._parts[-1]["text"][1] = self._content.length
        else:
            self._parts.append({"text": [start, self._content.length]})

    def add_step(self, step_id: str) -> None:
        self._parts.append({"step_id": step_id})

    def as_message(self, thoughts: str) -> Message:
        """The message as it stands; ``thoughts`` are the reasoning of the run's steps."""
        return replace(
            self._message,
            content=self._content.joined(),
            parts=_copied(self._parts),
            thinking=BETWEEN_THOUGHTS.join(filter(None, (self._thinking_before, thoughts))),
        )


class GrowingStep:
    """A step until its end: reasoning text and tool output append, a tool's sentence and arguments replace the old."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._details = Pieces(step.details or "")
        self._output = Pieces(step.output or "")
        self._has_output = step.output is not None

    def add(
        self,
        *,
        details: str | UnsetType = UNSET,
        output: str | UnsetType = UNSET,
        arguments: dict[str, Any] | UnsetType = UNSET,
    ) -> None:
        if isinstance(arguments, dict):
            self._step = replace(self._step, arguments=arguments)
        if isinstance(details, str):
            if self._step.step != "reasoning":
                self._details = Pieces()
            self._details.append(details)
        if isinstance(output, str):
            self._has_output = True
            self._output.append(output)

    def as_step(self) -> Step:
        return replace(
            self._step,
            details=self._details.joined() or self._step.details,
            output=self._output.joined() if self._has_output else None,
        )


def _copied(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: [*value] if isinstance(value, list) else value for key, value in part.items()} for part in parts]
