"""How a run ends: the five outcomes, and what each of them has to say."""

from typing import assert_never

import msgspec

from streaming.protocol.errors import ErrorObject
from streaming.protocol.events import (
    ErrorEvent,
    Event,
    MessageCompleted,
    MessageIncomplete,
    Receipt,
    RunCancelled,
    RunCompleted,
    RunExpired,
    RunFailed,
    RunIncomplete,
)
from streaming.protocol.lifecycle import MessageStatus, RunStatus
from streaming.protocol.objects import Message, Run, Step

INTERRUPTED = "interrupted"


class Completed(msgspec.Struct, frozen=True):
    """The model server said that it is done."""

    finish_reason: str | None


class Incomplete(msgspec.Struct, frozen=True):
    """The answer stops short: ``max_tokens``, ``content_filter``, ``max_steps``, ``repeat_limit``, ``interrupted`` …"""

    reason: str
    finish_reason: str | None = None


class Failed(msgspec.Struct, frozen=True):
    """Something broke; a ChatError's ``as_object()`` says what."""

    error: ErrorObject


class Cancelled(msgspec.Struct, frozen=True):
    """Somebody stopped it. ``upstream_closed``: the model server's connection is known to be closed."""

    by: str | None
    reason: str
    upstream_closed: bool


class Expired(msgspec.Struct, frozen=True):
    """An approval's or the run's own deadline passed."""


Outcome = Completed | Incomplete | Failed | Cancelled | Expired


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """All that the closing transaction needs: the closing events and the objects as they are to be stored."""

    status: RunStatus
    events: list[Event]
    run: Run
    message: Message
    steps: list[Step]


class IllegalMove(RuntimeError):
    """The machine was asked for something that cannot follow: a fault of its driver, never of a model or a person."""


def status_of(outcome: Outcome) -> RunStatus:
    match outcome:
        case Completed():
            return RunStatus.COMPLETED
        case Incomplete():
            return RunStatus.INCOMPLETE
        case Failed():
            return RunStatus.FAILED
        case Cancelled():
            return RunStatus.CANCELLED
        case Expired():
            return RunStatus.EXPIRED
        case _:
            assert_never(outcome)


def message_end(outcome: Outcome, *, run: Run, message: Message) -> MessageCompleted | MessageIncomplete:
    """The end event of the answer. Only a completed run has a completed answer."""
    if isinstance(outcome, Completed):
        done = msgspec.structs.replace(message, status=MessageStatus.COMPLETED.value)
        return MessageCompleted(run_id=run.id, thread_id=run.thread_id, message=done)
    reason = outcome.reason if isinstance(outcome, Incomplete) else status_of(outcome).value
    cut = msgspec.structs.replace(message, status=MessageStatus.INCOMPLETE.value)
    return MessageIncomplete(run_id=run.id, thread_id=run.thread_id, message=cut, reason=reason)


def run_end(outcome: Outcome, *, run: Run, message: Message) -> list[Event]:
    """The last events of a run; ``run`` and ``message`` are final. A failure is told as an ``error`` first."""
    of_run = {"run_id": run.id, "thread_id": run.thread_id}
    match outcome:
        case Completed():
            done = RunCompleted(
                **of_run,
                run=run,
                usage=run.usage,
                timing=run.timing,
                finish_reason=outcome.finish_reason,
                message_id=message.id,
            )
            return [done]
        case Incomplete():
            return [RunIncomplete(**of_run, run=run, reason=outcome.reason)]
        case Failed():
            return [_error_event(run, outcome.error), RunFailed(**of_run, run=run, error=outcome.error)]
        case Cancelled():
            receipt = Receipt(upstream_closed=outcome.upstream_closed, content_length=len(message.text))
            return [RunCancelled(**of_run, run=run, receipt=receipt)]
        case Expired():
            return [RunExpired(**of_run, run=run)]
        case _:
            assert_never(outcome)


def _error_event(run: Run, error: ErrorObject) -> ErrorEvent:
    return ErrorEvent(
        run_id=run.id,
        thread_id=run.thread_id,
        code=error.code,
        message=error.message,
        retryable=error.retryable,
        retry_after_ms=error.retry_after_ms,
        log_id=error.log_id,
    )
