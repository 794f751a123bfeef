"""What a run's model is to be told, read from the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from conversations import selectors, wire
from conversations.models import Approval, Message, Run, Step
from streaming.engine.context import HistoryMessage, build_prompt, length_of
from streaming.engine.measure import SoFar
from streaming.engine.parking import SWAPPED, Approved, Decided, Refused, Ruling, denied
from streaming.engine.retold import as_messages, retell
from streaming.protocol import objects
from streaming.protocol.parameters import NONE, Parameters, readable
from streaming.protocol.snapshot import RunState
from streaming.providers.base import PromptMessage

# A token is about four characters of English, fewer of other languages; a server that still finds the prompt too long
# says so. Where nobody knows the model's window, what is kept is what one message may have.
CHARACTERS_A_TOKEN = 4
MAX_CHARACTERS = 400_000
SHORT = 20  # messages


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """``model`` is its full name, with its provider; ``tools`` None offers all there are. ``steps_before`` are those of
    the run's answer that earlier runs have brought.
    """

    model: str
    attempt: int
    history: Sequence[HistoryMessage]
    system_prompt: str
    tools: Sequence[str] | None
    parameters: Parameters = NONE
    steps_before: Sequence[objects.Step] = ()

    @property
    def is_short(self) -> bool:
        """Whether to put it together takes so little that it need not leave the loop."""
        return len(self.history) <= SHORT

    def messages(self, *, context_length: int | None, begun: RunState) -> tuple[PromptMessage, ...]:
        """What to ask with, up to the question; without the oldest exchanges where all of it, and what the answer that
        was ``begun`` has by now, would not fit the model's window.
        """
        window = min(filter(None, (context_length, self.parameters.context_length)), default=None)
        room = MAX_CHARACTERS if window is None else window * CHARACTERS_A_TOKEN
        if begun.answer is not None:
            so_far = as_messages(retell(begun.answer, [*self.steps_before, *begun.steps]))
            room -= sum(map(length_of, so_far))
        return build_prompt(history=self.history, system_prompt=self.system_prompt, max_characters=room)


def load_decisions(run_id: UUID) -> Decided:
    """What a parked run goes on with. What was not approved, or is not what was approved, does not run."""
    run = Run.objects.get(pk=run_id)
    asked = Approval.objects.filter(run=run).order_by("created_at", "id")
    so_far = None if run.so_far is None else msgspec.convert(run.so_far, SoFar)
    return Decided(
        rulings={str(approval.step_id): _ruling(approval) for approval in asked},
        so_far=so_far,
    )


def prompt_at_hand(run: Run) -> Prompt | None:
    """The prompt of a run that was opened just now, without a question to the database; None where there is one to ask,
    because something was said before.
    """
    question = run.question
    assert question is not None
    if question.parent_id is not None or _was_begun(run.answer):
        return None
    return Prompt(
        model=run.model,
        attempt=run.attempt + 1,
        history=[_turn(question, ())],
        system_prompt=_system_prompt(run, run.thread.system_prompt),
        tools=run.tools,
        parameters=readable(run.parameters),
    )


def load_prompt(run_id: UUID) -> Prompt:
    run, of_the_thread = selectors.run_to_work_on(run_id)
    messages, steps = selectors.history_before(run=run)
    return Prompt(
        model=run.model,
        attempt=run.attempt,
        history=[_turn(message, steps.get(message.pk, ())) for message in messages],
        system_prompt=_system_prompt(run, of_the_thread),
        tools=run.tools,
        parameters=readable(run.parameters),
        steps_before=[wire.step_object(step) for step in selectors.steps_before(run=run)],
    )


def _system_prompt(run: Run, of_the_thread: str) -> str:
    return of_the_thread if run.system_prompt is None else run.system_prompt


def _was_begun(answer: Message | None) -> bool:
    """By an earlier run, with which this one goes on."""
    return answer is not None and bool(answer.parts or answer.content or answer.thinking)


def _ruling(approval: Approval) -> Ruling:
    if approval.decision == Approval.Decision.DENY:
        return denied(approval.note)
    arguments = approval.approved_arguments
    return Refused(SWAPPED) if arguments is None else Approved(arguments)


def _turn(message: Message, steps: Sequence[Step]) -> HistoryMessage:
    return HistoryMessage(
        role="user" if message.role == Message.Role.USER else "assistant",
        content=message.content,
        parts=message.parts,
        steps=[wire.step_object(step) for step in steps],
        status=message.status,
    )
