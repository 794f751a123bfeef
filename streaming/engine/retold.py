"""What a run's model has said and been told so far, from the fold of its log: for whoever goes on with it. Pure.

The machine that heard it has it at hand; another process, or the same one after a park, has only what was told.
"""

from collections.abc import Iterable

import msgspec

from streaming.engine.turn import result_message
from streaming.protocol.lifecycle import StepStatus
from streaming.protocol.objects import Message, Step
from streaming.providers.base import PromptCall, PromptMessage


class ToldTurn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the model: its text and thinking, then the calls that it made, as steps. The last may have none."""

    text: str = ""
    thinking: str = ""
    calls: tuple[Step, ...] = ()

    @property
    def says_nothing(self) -> bool:
        return not (self.text.strip() or self.thinking or self.calls)


def retell(answer: Message, steps: Iterable[Step]) -> list[ToldTurn]:
    """The turns in their order. A turn is over with its calls; those of one turn become steps at one moment.

    Thinking that was broken off is no part of them: the model was asked anew.
    """
    by_id = {step.id: step for step in steps}
    turns: list[ToldTurn] = []
    open_turn = ToldTurn()
    for part in answer.parts:
        step = by_id.get(part.get("step_id", ""))
        if step is None and "text" not in part:
            continue
        if open_turn.calls and not _same_turn(open_turn.calls[-1], step):
            turns.append(open_turn)
            open_turn = ToldTurn()
        if step is None:
            start, end = part["text"]
            open_turn = msgspec.structs.replace(open_turn, text=open_turn.text + answer.text[start:end])
        elif step.step == "reasoning":
            thought = "" if step.status == StepStatus.CANCELLED else step.details or ""
            open_turn = msgspec.structs.replace(open_turn, thinking=open_turn.thinking + thought)
        else:
            open_turn = msgspec.structs.replace(open_turn, calls=(*open_turn.calls, step))
    return turns if open_turn == ToldTurn() else [*turns, open_turn]


def as_messages(turns: Iterable[ToldTurn]) -> tuple[PromptMessage, ...]:
    """The turns as a model is told them, each followed by the results of its calls.

    The last may be one to go on with. Of one that had come no further than a thought nothing is told.
    """
    messages: list[PromptMessage] = []
    for turn in turns:
        if not (turn.calls or turn.text.strip()):
            continue
        calls = prompt_calls(turn)
        said = PromptMessage(role="assistant", content=turn.text, thinking=turn.thinking, tool_calls=calls)
        results = [result_message(call, step) for call, step in zip(calls, turn.calls, strict=True)]
        messages += [said, *results]
    return tuple(messages)


def prompt_calls(turn: ToldTurn) -> tuple[PromptCall, ...]:
    """A step's own id serves as its call's: what the model had called it is not told to anybody."""
    return tuple(PromptCall(id=step.id, name=step.name or "", arguments=step.arguments or {}) for step in turn.calls)


def _same_turn(step: Step, following: Step | None) -> bool:
    return following is not None and following.step == "tool_calls" and following.started_at == step.started_at
