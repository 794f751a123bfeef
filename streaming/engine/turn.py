"""One turn of a model: its chunks gathered, and what is said back to it afterwards."""

from collections.abc import Sequence

import msgspec

from streaming.protocol.lifecycle import StepStatus
from streaming.protocol.objects import Step
from streaming.protocol.text import clean
from streaming.providers.base import Chunk, Finish, PromptCall, PromptMessage, Text, Thinking, ToolCall

NOT_FINISHED = "The tool did not finish; whether it took effect is not known."


class Turn:
    """What the model has said since it was last asked."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._thinking: list[str] = []
        self.calls: list[ToolCall] = []
        self.finish: Finish | None = None

    @classmethod
    def retold(cls, *, text: str, thinking: str) -> "Turn":
        """A turn that was heard before: by another process, or before the run was parked."""
        turn = cls()
        turn._text, turn._thinking = [text], [thinking]
        return turn

    def take(self, chunks: Sequence[Chunk]) -> tuple[list[Text | Thinking | ToolCall], int]:
        """The new chunks, cleaned, empty ones dropped and neighbours of a kind joined; and how many there were.

        Whatever comes after the turn's Finish is ignored.
        """
        joined: list[Text | Thinking | ToolCall] = []
        count = 0
        for chunk in chunks:
            if self.finish is not None:
                break
            if isinstance(chunk, Finish):
                self.finish = chunk
                continue
            count += 1
            if isinstance(chunk, ToolCall):
                joined.append(chunk)
                self.calls.append(chunk)
            elif piece := clean(chunk.text):
                (self._text if isinstance(chunk, Text) else self._thinking).append(piece)
                _add(joined, chunk if piece is chunk.text else type(chunk)(piece))
        return joined, count

    def as_prompt(self, calls: Sequence[PromptCall]) -> PromptMessage:
        """The turn as the model's own words, to be sent back to it."""
        return PromptMessage(
            role="assistant",
            content="".join(self._text),
            thinking="".join(self._thinking),
            tool_calls=tuple(calls),
        )


def result_message(call: PromptCall, step: Step) -> PromptMessage:
    """What the model is told of a call that it made."""
    return PromptMessage(role="tool", content=_result(step), tool_call_id=call.id, tool_name=call.name)


def follow(messages: Sequence[PromptMessage], turn: PromptMessage) -> tuple[PromptMessage, ...]:
    """``messages`` with ``turn`` after them. An answer taken up again was begun in the prompt: that is one turn."""
    begun = messages[-1] if messages else None
    if begun is None or begun.role != "assistant" or begun.tool_calls:
        return (*messages, turn)
    thinking = begun.thinking + turn.thinking
    return (*messages[:-1], msgspec.structs.replace(turn, content=begun.content + turn.content, thinking=thinking))


def _result(step: Step) -> str:
    output = step.output or ""
    if step.error is not None:
        return f"{output}\nError: {step.error.message}".lstrip("\n")
    if step.status != StepStatus.COMPLETED:
        return f"{output}\nError: {NOT_FINISHED}".lstrip("\n")
    return f"{output}\n[The rest was cut off.]" if step.output_cut else output


def _add(joined: list[Text | Thinking | ToolCall], chunk: Text | Thinking) -> None:
    last = joined[-1] if joined else None
    if isinstance(last, Text) and isinstance(chunk, Text):
        joined[-1] = Text(last.text + chunk.text)
    elif isinstance(last, Thinking) and isinstance(chunk, Thinking):
        joined[-1] = Thinking(last.text + chunk.text)
    else:
        joined.append(chunk)
