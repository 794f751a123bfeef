"""The events of ``chat.v1``: frozen facts, no methods. Event names are the wire's; docs/protocol.md explains them.

Whatever is in HINTS carries no number and may be lost; every other event is numbered and in the log.
"""

from typing import Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from streaming.protocol.errors import ErrorObject
from streaming.protocol.objects import Approval, Message, Run, Step, StepKind, Timing, Usage


class Event(msgspec.Struct, frozen=True, kw_only=True):
    name: ClassVar[str]

    run_id: str


class ThreadEvent(Event, frozen=True, kw_only=True):
    """Every event but the two that stream names its thread as well."""

    thread_id: str


class RunCreated(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.created"
    run: Run


class RunUpdated(ThreadEvent, frozen=True, kw_only=True):
    """A waiting send has been changed."""

    name = "thread.run.updated"
    run: Run


class RunQueued(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.queued"
    position: int
    estimate_ms: int | None = None


class RunStatusHint(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.status"
    phase: Literal["loading_model", "waiting_for_model", "waiting_for_storage"]
    progress: float | None = None


class RunInProgress(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.in_progress"
    attempt: int
    run: Run


class MessageCreated(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.message.created"
    message: Message


class MessageDelta(Event, frozen=True, kw_only=True):
    name = "thread.message.delta"
    content: str


class MessageCompleted(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.message.completed"
    message: Message


class MessageIncomplete(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.message.incomplete"
    message: Message
    reason: str


class StepCreated(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.step.created"
    step: Step


class StepInProgress(Event, frozen=True, kw_only=True):
    name = "thread.run.step.in_progress"
    step_id: str
    step: StepKind
    details: str | UnsetType = UNSET
    output: str | UnsetType = UNSET
    progress: float | UnsetType | None = UNSET
    arguments: dict[str, Any] | UnsetType = UNSET


class StepCompleted(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.step.completed"
    step: Step


class StepFailed(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.step.failed"
    step: Step


class StepCancelled(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.step.cancelled"
    step: Step


class RunRequiresAction(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.requires_action"
    approvals: list[Approval]


class RunCancelling(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.cancelling"
    by: str | None = None
    reason: str = ""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a stop achieved: whether the model server's connection is closed, and how much text stands."""

    upstream_closed: bool
    content_length: int


class RunCompleted(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.completed"
    run: Run
    usage: Usage | None
    timing: Timing | None
    finish_reason: str | None
    message_id: str


class RunIncomplete(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.incomplete"
    run: Run
    reason: str


class RunFailed(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.failed"
    run: Run
    error: ErrorObject


class RunCancelled(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.cancelled"
    run: Run
    receipt: Receipt


class RunExpired(ThreadEvent, frozen=True, kw_only=True):
    name = "thread.run.expired"
    run: Run


class ErrorEvent(ThreadEvent, frozen=True, kw_only=True):
    name = "error"
    code: str
    message: str
    retryable: bool
    retry_after_ms: int | None = None
    log_id: str | None = None


class Snapshot(ThreadEvent, frozen=True, kw_only=True):
    """The state of a run up to event ``as_of``, made for one reader who missed too much to be told one by one."""

    name = "thread.run.snapshot"
    run: Run
    messages: list[Message]
    steps: list[Step]
    as_of: int
    gap: bool
    reason: str
    approvals: list[Approval] | UnsetType = UNSET


EVENTS: tuple[type[Event], ...] = (
    RunCreated,
    RunUpdated,
    RunQueued,
    RunStatusHint,
    RunInProgress,
    MessageCreated,
    MessageDelta,
    MessageCompleted,
    MessageIncomplete,
    StepCreated,
    StepInProgress,
    StepCompleted,
    StepFailed,
    StepCancelled,
    RunRequiresAction,
    RunCancelling,
    RunCompleted,
    RunIncomplete,
    RunFailed,
    RunCancelled,
    RunExpired,
    ErrorEvent,
    Snapshot,
)
BY_NAME: dict[str, type[Event]] = {event.name: event for event in EVENTS}
HINTS: frozenset[str] = frozenset({RunQueued.name, RunStatusHint.name})
TERMINAL_EVENTS: frozenset[str] = frozenset(
    {RunCompleted.name, RunIncomplete.name, RunFailed.name, RunCancelled.name, RunExpired.name}
)
