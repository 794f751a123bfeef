"""A thread as the prompt of its next turn: system prompt, the turns so far with their tool rounds, the question."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from streaming.engine.turn import result_message
from streaming.protocol.objects import Attachment, Step
from streaming.providers.base import PromptCall, PromptImage, PromptMessage


class HistoryMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it is stored. ``parts`` and ``steps`` as on the wire; a person's message has neither. Of its
    ``attachments`` a model is given what ``enclosing.py`` makes of them.
    """

    role: Literal["user", "assistant"]
    content: str
    parts: Sequence[Mapping[str, Any]] = ()
    steps: Sequence[Step] = ()
    status: str = "completed"
    attachments: Sequence[Attachment] = ()
    images: tuple[PromptImage, ...] = ()


def build_prompt(
    *, history: Iterable[HistoryMessage], system_prompt: str = "", question: str | None = None
) -> tuple[PromptMessage, ...]:
    """The messages to ask with, all of them: what fits the model's window is for ``window.py`` to say.

    Answers are told with their tool rounds, without their reasoning; those that came to nothing are left out, and
    neighbours of one role become one, because many models accept strictly alternating turns only.
    """
    turns = [PromptMessage(role="system", content=system_prompt)] if system_prompt.strip() else []
    asked = [] if question is None else [HistoryMessage(role="user", content=question)]
    for message in (*history, *asked):
        for turn in _turns(message):
            _add(turns, turn)
    return tuple(turns)


def _turns(message: HistoryMessage) -> list[PromptMessage]:
    if message.role == "user":
        return [PromptMessage(role="user", content=message.content, images=message.images)]
    turns: list[PromptMessage] = []
    steps = {step.id: step for step in message.steps}
    text, told = "", 0
    round_: list[Step] = []
    for part in message.parts:
        if "text" in part:
            if round_:
                turns += _tool_round(text, round_)
                text, round_ = "", []
            told = part["text"][1]
            text += message.content[part["text"][0] : told]
            continue
        step = steps.get(part.get("step_id", ""))
        if step is None:
            continue
        if round_ and not _same_turn(round_[-1], step):
            turns += _tool_round(text, round_)
            text, round_ = "", []
        if step.step == "tool_calls":
            round_.append(step)
    if round_:
        turns += _tool_round(text, round_)
        text = ""
    text += message.content[told:]
    if text.strip():
        turns.append(PromptMessage(role="assistant", content=text))
    return turns


def _same_turn(step: Step, following: Step) -> bool:
    """The calls of one turn become steps at one moment."""
    return following.step == "tool_calls" and step.started_at == following.started_at


def _tool_round(text: str, steps: list[Step]) -> list[PromptMessage]:
    calls = [PromptCall(id=step.id, name=step.name or "", arguments=step.arguments or {}) for step in steps]
    results = [result_message(call, step) for call, step in zip(calls, steps, strict=True)]
    return [PromptMessage(role="assistant", content=text, tool_calls=tuple(calls)), *results]


def _add(turns: list[PromptMessage], turn: PromptMessage) -> None:
    last = turns[-1] if turns else None
    if last is None or last.role != turn.role or turn.role == "tool" or last.tool_calls or turn.tool_calls:
        turns.append(turn)
    else:
        content, images = f"{last.content}\n\n{turn.content}", last.images + turn.images
        turns[-1] = msgspec.structs.replace(last, content=content, images=images)
