"""What a run begins with: its question, its answer, and the events that tell them. For use inside verbs that hold the
thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chatserver.rows import Rows
from conversations import wire
from conversations.models import Message, Run, Thread
from streaming.protocol.commands import Send
from streaming.protocol.events import Event, MessageCreated, RunCreated
from streaming.protocol.lifecycle import MessageStatus, RunStatus
from streaming.protocol.parameters import merged
from streaming.protocol.response_format import Structured, to_store

TITLE_LENGTH = 80
LIMITS = ("max_tokens", "context_length")
_THREADS = Rows(Thread)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A model that will answer, as the registry of providers resolved it."""

    provider: str
    model: str

    @property
    def full_name(self) -> str:
        return f"{self.provider}/{self.model}"


def as_asked(thread: Thread, command: Send, *, goes_on: Run | None = None) -> dict[str, Any]:
    """The columns of a run that say how its model is asked. ``goes_on`` is the run whose answer is gone on with: it is
    asked as that one was, but for its limits, which may be what ended it, and for what ``command`` says.
    """
    format = to_store(command.response_format) if goes_on is None else goes_on.response_format
    tools = command.tools
    if tools is None:
        # Held to a form, many models cannot call a tool as well: then those are offered that are asked for by name.
        tools = goes_on.tools if goes_on is not None else [] if format else None
    before = thread.parameters
    if goes_on is not None:
        before = {name: value for name, value in goes_on.parameters.items() if name not in LIMITS}
        before |= {name: value for name, value in thread.parameters.items() if name in LIMITS}
    return {
        "parameters": merged(before, command.parameters),
        "tools": tools,
        "system_prompt": goes_on.system_prompt if goes_on and command.system_prompt is None else command.system_prompt,
        "response_format": format,
        "structured": wire.plain(Structured()) if format else None,
    }


def new_question(
    thread: Thread, *, parent: Message | None, content: str, at: datetime, attachments: Sequence[Any] | None = None
) -> Message:
    """Not yet written. ``attachments`` as they are told; who has them is for the caller to write."""
    return Message(
        thread=thread,
        parent=parent,
        role=Message.Role.USER,
        status=MessageStatus.COMPLETED,
        content=content,
        parts=[{"text": [0, len(content)]}],
        attachments=attachments or None,
        created_at=at,
        finished_at=at,
    )


def new_answer(run: Run, *, at: datetime) -> Message:
    """Not yet written. An answer and its run name each other: the database looks at that when both are there."""
    return Message(
        thread=run.thread,
        parent=run.question,
        role=Message.Role.ASSISTANT,
        status=MessageStatus.IN_PROGRESS,
        model=run.model,
        run=run,
        created_at=at,
    )


def opening_events(run: Run, *, asked_again: bool) -> list[Event]:
    """Events 1 to 3: the run, its question (not where an old one is asked again), its answer."""
    created = RunCreated(run_id=str(run.pk), thread_id=str(run.thread_id), run=wire.run_object(run))
    question, answer = message_events(run)
    return [created, answer] if asked_again else [created, question, answer]


def message_events(run: Run) -> list[Event]:
    """The question and the answer, as they begin."""
    assert run.question is not None
    assert run.answer is not None
    common = {"run_id": str(run.pk), "thread_id": str(run.thread_id)}
    return [MessageCreated(**common, message=wire.message_object(each)) for each in (run.question, run.answer)]


def move_head(thread: Thread, run: Run, *, title: str, at: datetime) -> None:
    """The thread shows the run's answer from now on. ``title`` is the question, for a thread that has no name yet."""
    thread.head = run.answer
    thread.model = run.model
    thread.updated_at = at
    if not thread.title:
        thread.title = title_from(title)
        thread.title_by = Thread.TitleBy.QUESTION
    _THREADS.save(thread, "head", "model", "updated_at", "title", "title_by")


def title_from(question: str) -> str:
    """The first line of a question, without the marks that Markdown begins lines with, and not too long."""
    first_line = question.strip().partition("\n")[0]
    words = first_line.lstrip("#>*-+`~ \t") or first_line
    return words[:TITLE_LENGTH].rstrip() + ("…" if len(words) > TITLE_LENGTH else "")


def plain(run: Run) -> Any:
    """The run's object, ready for JSON."""
    assert run.status in RunStatus.__members__.values()
    return wire.plain(wire.run_object(run))
