"""Threads and runs in the database, made by the verbs that make them in production."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Literal

from django.utils import timezone
from msgspec.structs import replace

from chatserver.accounts.models import SCOPES, Scope, User
from chatserver.accounts.principal import Principal
from chatserver.ids import new_id
from conversations import wire
from conversations.models import Approval, Run, Thread
from conversations.services.idempotency import Key
from conversations.services.run_close import close_run
from conversations.services.run_decide import decide_approval
from conversations.services.run_lease import Claim, Hands, claim_run
from conversations.services.run_open import Opened, open_run
from conversations.services.run_park import park_run
from conversations.services.run_rows import Choice
from conversations.services.threads import create_thread
from streaming.eventlog.commit import RunBatch, commit
from streaming.protocol import events as e
from streaming.protocol import objects
from streaming.protocol.codec import Entry, encode
from streaming.protocol.commands import NewThread, Send, parse
from streaming.protocol.errors import UpstreamStalled
from streaming.protocol.lifecycle import RunStatus, StepStatus

START = "2026-01-01T00:00:01.000Z"
END = "2026-01-01T00:00:03.000Z"


def principal_for(user: User, scopes: Sequence[Scope] = SCOPES) -> Principal:
    return Principal(user.pk, user.username, user.is_staff, frozenset(scopes), "token")


def choose() -> list[Choice]:
    return [Choice(provider="demo", model="demo")]


def thread_of(user: User, **fields: Any) -> Thread:
    return create_thread(owner_id=user.pk, command=NewThread(**fields))[0]


def lanes(*models: str) -> Callable[[], list[Choice]]:
    """What answers a send with several models."""
    return lambda: [Choice(provider="demo", model=model) for model in models]


def ask(
    user: User,
    content: str | None = "Why?",
    *,
    thread: Thread | None = None,
    key: str | None = None,
    choose: Callable[[], Sequence[Choice]] = choose,
    hands: Hands | None = None,
    **fields: Any,
) -> Opened:
    """Open a run as ``user``; in a new thread, if none is given. The key's body is the content."""
    return open_run(
        principal=principal_for(user),
        thread_id=None if thread is None else thread.pk,
        command=parse({"content": content, **fields}, Send),
        choose=choose,
        key=None if key is None else Key(user_id=user.pk, key=key, body_hash=str(content)),
        hands=hands,
    )


def claim(run: Run) -> Claim:
    claimed = claim_run(run_id=run.pk, holder="test", expiry=10)
    assert claimed is not None
    return claimed


def answer(
    run: Run,
    content: str = "Because.",
    *,
    thinking: str = "",
    tool: dict[str, Any] | None = None,
    status: RunStatus = RunStatus.COMPLETED,
) -> Run:
    """Work on a queued run and end it, with its events in the log as a worker would leave them."""
    held = claim(run)
    run.refresh_from_db()
    steps = _steps(thinking, tool)
    said = [
        *_told(run, held, steps, content),
        *(e.MessageDelta(run_id=str(run.pk), content=piece) for piece in _halves(content)),
    ]
    entries = [Entry(number, encode(event, number)) for number, event in enumerate(said, start=held.head + 1)]
    assert commit([RunBatch(run.pk, held.number, entries)], perhaps_written=False) == []
    close(run, held, head=entries[-1].id, content=content, thinking=thinking, steps=steps, status=status)
    run.refresh_from_db()
    return run


def park(run: Run, *lines: str, expires_in: float = 3600.0) -> list[Approval]:
    """Work on a queued run until its model wants to call a tool that needs approval, once for each of ``lines``."""
    held = claim(run)
    run.refresh_from_db()
    common = {"run_id": str(run.pk), "thread_id": str(run.thread_id)}
    steps = [
        objects.Step(
            id=str(new_id()),
            index=index,
            step="tool_calls",
            status=StepStatus.IN_PROGRESS.value,
            title="Using tool write_journal…",
            name="write_journal",
            arguments={"line": line},
            started_at=START,
        )
        for index, line in enumerate(lines)
    ]
    told = [
        e.RunInProgress(**common, attempt=1, run=wire.run_object(run)),
        *(e.StepCreated(**common, step=step) for step in steps),
    ]
    entries = [Entry(number, encode(event, number)) for number, event in enumerate(told, start=held.head + 1)]
    assert commit([RunBatch(run.pk, held.number, entries)], perhaps_written=False) == []
    expires_at = str(wire.time(timezone.now() + timedelta(seconds=expires_in)))
    asked = [
        objects.Approval(
            approval_id=str(new_id()),
            step_id=step.id,
            tool=str(step.name),
            arguments=step.arguments,
            expires_at=expires_at,
        )
        for step in steps
    ]
    assert run.answer is not None
    parts = [{"step_id": step.id} for step in steps]
    park_run(
        claim=held,
        head=entries[-1].id,
        message=replace(wire.message_object(run.answer), parts=parts),
        steps=steps,
        approvals=asked,
        so_far={"usage": None, "timing": {}, "first_token_at": None, "generating": 0.0},
        held=1.0,
        notices=[],
        events=[e.RunRequiresAction(**common, approvals=asked)],
    )
    run.refresh_from_db()
    return [Approval.objects.get(pk=each.approval_id) for each in asked]


def decide(
    approval: Approval, decision: Literal["approve", "deny"], arguments: dict[str, Any] | None = None, note: str = ""
) -> Run:
    return decide_approval(
        approval=approval,
        decision=decision,
        arguments=arguments,
        note=note,
        by=approval.run.owner_id,
        check=lambda tool, arguments: None,
    )


def close(
    run: Run,
    held: Claim,
    *,
    head: int,
    content: str = "",
    thinking: str = "",
    steps: Sequence[objects.Step] = (),
    status: RunStatus = RunStatus.COMPLETED,
) -> list[Entry]:
    """The closing of a claimed run, as its worker would do it."""
    common = {"run_id": str(run.pk), "thread_id": str(run.thread_id)}
    error = UpstreamStalled(log_id="abc").as_object() if status is RunStatus.FAILED else None
    ended = replace(
        wire.run_object(run),
        status=status.value,
        started_at=START,
        first_token_at=START,
        finished_at=END,
        error=error,
        finish_reason="stop",
        reason="interrupted" if status is RunStatus.INCOMPLETE else None,
        usage=objects.Usage(prompt_tokens=7, completion_tokens=11),
        timing=objects.Timing(queue_ms=5, first_token_ms=120, duration_ms=2000, tokens_per_second=5.5, chunks=2),
    )
    assert run.answer is not None
    completed = status is RunStatus.COMPLETED
    message = replace(
        wire.message_object(run.answer),
        content=content,
        thinking=thinking,
        status="completed" if completed else "incomplete",
        finished_at=END,
    )
    closing: list[e.Event] = [_message_end(common, message, status), *_run_end(common, ended, status)]
    return close_run(claim=held, head=head, status=status, run=ended, message=message, steps=steps, events=closing)


def _message_end(common: dict[str, str], message: objects.Message, status: RunStatus) -> e.Event:
    if status is RunStatus.COMPLETED:
        return e.MessageCompleted(**common, message=message)
    return e.MessageIncomplete(**common, message=message, reason=status.value)


def _run_end(common: dict[str, str], run: objects.Run, status: RunStatus) -> list[e.Event]:
    match status:
        case RunStatus.COMPLETED:
            return [
                e.RunCompleted(
                    **common,
                    run=run,
                    usage=run.usage,
                    timing=run.timing,
                    finish_reason="stop",
                    message_id=str(run.assistant_message_id),
                )
            ]
        case RunStatus.CANCELLED:
            receipt = e.Receipt(upstream_closed=True, content_length=0)
            return [e.RunCancelled(**common, run=run, receipt=receipt)]
        case RunStatus.FAILED:
            fault = UpstreamStalled(log_id="abc").as_object()
            told = e.ErrorEvent(**common, code=fault.code, message=fault.message, retryable=True, log_id="abc")
            return [told, e.RunFailed(**common, run=run, error=fault)]
        case _:
            return [e.RunIncomplete(**common, run=run, reason="interrupted")]


def _told(run: Run, held: Claim, steps: Sequence[objects.Step], content: str) -> list[e.Event]:
    common = {"run_id": str(run.pk), "thread_id": str(run.thread_id)}
    told: list[e.Event] = [e.RunInProgress(**common, attempt=1, run=wire.run_object(run))]
    for step in steps:
        begun = replace(step, status="in_progress", details=None, output=None, finished_at=None, duration_ms=None)
        told.append(e.StepCreated(**common, step=begun))
        for piece in _halves(step.details or ""):
            told.append(e.StepInProgress(run_id=str(run.pk), step_id=step.id, step=step.step, details=piece))
        told.append(e.StepCompleted(**common, step=step))
    return told


def _steps(thinking: str, tool: dict[str, Any] | None) -> list[objects.Step]:
    common = {"status": StepStatus.COMPLETED.value, "started_at": START, "finished_at": END, "duration_ms": 1500}
    steps = []
    if thinking:
        steps.append(objects.Step(id=str(new_id()), index=0, step="reasoning", details=thinking, **common))
    if tool is not None:
        index = len(steps)
        steps.append(
            objects.Step(
                id=str(new_id()), index=index, step="tool_calls", title=f"Using {tool['name']}", **tool, **common
            )
        )
    return steps


def _halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [piece for piece in (text[:middle], text[middle:]) if piece]
