"""Runs as the engine finds them, for tests: the first three events, and a machine upon them."""

import itertools

from streaming.engine.limits import Limits
from streaming.engine.machine import RunMachine
from streaming.protocol.events import Event, MessageCreated, RunCreated
from streaming.protocol.objects import Message, Run
from streaming.protocol.snapshot import RunState
from streaming.providers.base import PromptMessage

CREATED = 1_767_225_600.0  # 2026-01-01T00:00:00Z
PROMPT = (PromptMessage(role="user", content="What is it?"),)


def opening_events(*, answer: Message | None = None) -> list[Event]:
    """Events 1 to 3 of a run."""
    ids = {"run_id": "run", "thread_id": "thread"}
    run = Run(
        id="run",
        thread_id="thread",
        status="queued",
        model="model",
        created_at="2026-01-01T00:00:00.000Z",
        user_message_id="question",
        assistant_message_id="answer",
    )
    question = Message(id="question", thread_id="thread", role="user", status="completed", content="What is it?")
    answer = answer or Message(id="answer", thread_id="thread", role="assistant", status="in_progress", run_id="run")
    return [
        RunCreated(**ids, run=run),
        MessageCreated(**ids, message=question),
        MessageCreated(**ids, message=answer),
    ]


def folded(events: list[Event]) -> RunState:
    state = RunState()
    for id, event in enumerate(events, start=1):
        state.apply(id, event)
    return state


def new_machine(events: list[Event] | None = None, *, limits: Limits | None = None) -> RunMachine:
    """A machine on the fold of ``events``; on the opening events if none are given."""
    numbers = itertools.count(1)
    prefix = f"step-of-{len(events or [])}"
    return RunMachine(
        state=folded(opening_events() if events is None else events),
        messages=PROMPT,
        limits=limits or Limits(),
        new_id=lambda: f"{prefix}-{next(numbers)}",
    )
