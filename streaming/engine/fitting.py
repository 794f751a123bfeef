"""A prompt that fits: as little of it left out as need be, the oldest first. Pure.

System prompt and question stay, and so does what the answer has brought by now. Before an exchange is left out, the
results of tools are shortened, in all that is asked with; what room there is then goes to the newest of them.

A model server keeps what it has read, and reads on from where the next prompt differs. So the beginning of a thread
that does not fit is left out in steps, and results are shortened in steps: several questions begin with the same words.
To read a full window anew takes seconds, or minutes without a GPU.
"""

from collections.abc import Sequence
from itertools import accumulate

import msgspec
from msgspec.structs import replace

from streaming.engine.shortening import SHORTEST, shortened, shortened_to
from streaming.engine.tokens import of_message, of_messages, of_text
from streaming.providers.base import PromptMessage

STEPS = 4  # of the room: at most so much of it stays unused, and it takes as much to be said before more is left out


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """``messages`` take ``tokens``, more than there is room for only where nothing more can be left out.

    Missing are ``turns`` exchanges, which are ``dropped`` questions and answers: of what was to be asked with, all
    between the system prompt and position ``begins``. ``shortened`` names the tools whose results are not whole.
    """

    messages: tuple[PromptMessage, ...]
    tokens: int
    turns: int = 0
    dropped: int = 0
    begins: int = 0
    shortened: tuple[str, ...] = ()


def fit(messages: Sequence[PromptMessage], *, room: int) -> Fitted:
    """``messages`` in ``room`` tokens. The same messages and the same room give the same prompt."""
    tokens = [of_message(message) for message in messages]
    system = _system(messages)
    if sum(tokens) <= room:
        return Fitted(messages=tuple(messages), tokens=sum(tokens), begins=system)
    least = [_least(message) for message in messages]
    sizes = [
        size if short is full else of_message(short) for size, short, full in zip(tokens, least, messages, strict=True)
    ]
    begins = _exchanges(messages, system)
    turns = _dropped(begins, sizes, room - sum(sizes[:system]))
    first = begins[turns] if begins else system
    kept = [*range(system), *range(first, len(messages))]
    spare = room - sum(sizes[at] for at in kept)
    given = {at: least[at] for at in kept}
    names: list[str] = []
    for at in reversed(kept):
        if least[at] is messages[at]:
            continue
        given[at] = _lengthened(messages[at], least[at], spare)
        spare -= of_message(given[at]) - sizes[at]
        if given[at].content != messages[at].content:
            names.append(messages[at].tool_name or "")
    told = tuple(given[at] for at in kept)
    return Fitted(
        messages=told,
        tokens=of_messages(told),
        turns=turns,
        dropped=_said(messages[system:first]),
        begins=first,
        shortened=tuple(sorted({*names})),
    )


def _system(messages: Sequence[PromptMessage]) -> int:
    """How many stand before all exchanges."""
    return next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))


def _exchanges(messages: Sequence[PromptMessage], start: int) -> list[int]:
    """Where they begin: with a question, the first also with whatever comes first."""
    return [
        at
        for at in range(start, len(messages))
        if at == start or (messages[at].role == "user" and messages[at - 1].role != "user")
    ]


def _dropped(begins: Sequence[int], sizes: Sequence[int], room: int) -> int:
    """How many of the oldest have to go; never the last one, in which the question stands.

    ``room`` is for all from the first of them on. What goes is counted from the thread's beginning in whole steps, so
    that it stays the same while the thread grows by less than one.
    """
    if not begins:
        return 0
    before = [0, *accumulate(sizes)]
    missing = before[-1] - before[begins[0]] - room
    if missing <= 0:
        return 0
    step = max(1, room // STEPS)
    goes = before[begins[0]] + -(-missing // step) * step
    return next((turn for turn, at in enumerate(begins) if before[at] >= goes), len(begins) - 1)


def _least(message: PromptMessage) -> PromptMessage:
    if message.role != "tool" or len(message.content) <= SHORTEST:
        return message
    short = shortened(message.content, keep=SHORTEST)
    return message if of_text(short) >= of_text(message.content) else replace(message, content=short)


def _lengthened(message: PromptMessage, least: PromptMessage, spare: int) -> PromptMessage:
    """``message`` as long as may be where ``spare`` tokens are left beside its shortest form."""
    if spare <= 0:
        return least
    longer = shortened_to(message.content, tokens=of_text(least.content) + spare)
    fits = of_text(longer) <= of_text(least.content) + spare
    return replace(message, content=longer) if fits else least


def _said(messages: Sequence[PromptMessage]) -> int:
    """How many questions and answers these are. An answer with tool rounds is one."""
    asked_or_answered = [message.role == "user" for message in messages]
    return sum(at == 0 or asked_or_answered[at - 1] != is_question for at, is_question in enumerate(asked_or_answered))
