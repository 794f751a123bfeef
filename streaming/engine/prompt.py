"""What a run's model is to be told, read from the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from chatserver.audience import ADMITTED, STRANGER, Person
from conversations import selectors, wire
from conversations.models import Approval, Message, Run, Step, Thread
from streaming.engine.context import HistoryMessage, build_prompt
from streaming.engine.measure import SoFar
from streaming.engine.parking import SWAPPED, Approved, Decided, Refused, Ruling, denied
from streaming.engine.retold import as_messages, retell
from streaming.engine.structured import with_instructions
from streaming.engine.window import Window
from streaming.protocol import objects
from streaming.protocol.parameters import NONE, Parameters, readable
from streaming.protocol.response_format import ResponseFormat, stored
from streaming.protocol.snapshot import RunState
from streaming.providers.base import PromptMessage

SHORT = 20  # messages


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """``model`` is its full name, with its provider; ``owner`` what the person is by now who asks. ``tools`` None
    offers all there are. ``steps_before`` are those of the run's answer that earlier runs have brought. ``older``: the
    thread reaches back further than ``history``. ``untitled``: nobody has named the thread but its question.
    """

    model: str
    owner_id: UUID
    untitled: bool
    attempt: int
    history: Sequence[HistoryMessage]
    system_prompt: str
    tools: Sequence[str] | None
    owner: Person = STRANGER
    parameters: Parameters = NONE
    steps_before: Sequence[objects.Step] = ()
    older: bool = False
    response_format: ResponseFormat | None = None

    @property
    def is_short(self) -> bool:
        """Whether to put it together takes so little that it need not leave the loop."""
        return len(self.history) <= SHORT

    @property
    def has_files(self) -> bool:
        return any(message.attachments for message in self.history)

    @property
    def instructions(self) -> str:
        """The system prompt, with what the model is told of the form that its answer is to have."""
        return with_instructions(self.system_prompt, self.response_format)

    def messages(self) -> tuple[PromptMessage, ...]:
        """All that there is to ask with, up to the question."""
        return build_prompt(history=self.history, system_prompt=self.instructions)

    def within(self, window: Window, *, begun: RunState) -> tuple[PromptMessage, ...]:
        """What of that fits the model's window, together with what the answer that was ``begun`` has by now."""
        return window.begun(self.messages(), so_far=self.so_far(begun))

    def so_far(self, begun: RunState) -> Sequence[PromptMessage]:
        """What the answer that was ``begun`` has by now."""
        answer = begun.answer
        return () if answer is None else as_messages(retell(answer, [*self.steps_before, *begun.steps]))


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
        owner_id=run.owner_id,
        untitled=run.thread.title_by in Thread.UNTITLED,
        attempt=run.attempt + 1,
        owner=ADMITTED,  # a moment ago
        history=[_turn(question, ())],
        system_prompt=_system_prompt(run, run.thread.system_prompt),
        tools=run.tools,
        parameters=readable(run.parameters),
        response_format=stored(run.response_format),
    )


def load_prompt(run_id: UUID) -> Prompt:
    found = selectors.run_to_work_on(run_id)
    run = found.run
    messages, steps = selectors.history_before(run=run)
    return Prompt(
        model=run.model,
        owner_id=run.owner_id,
        untitled=found.title_by in Thread.UNTITLED,
        attempt=run.attempt,
        owner=found.owner,
        history=[_turn(message, steps.get(message.pk, ())) for message in messages],
        system_prompt=_system_prompt(run, found.system_prompt),
        tools=run.tools,
        parameters=readable(run.parameters),
        response_format=stored(run.response_format),
        steps_before=[wire.step_object(step) for step in selectors.steps_before(run=run)],
        older=bool(messages) and messages[0].parent_id is not None,
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
        attachments=wire.attachments_of(message),
    )
