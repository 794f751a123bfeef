"""Rows as the transcript's template wants them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from conversations import selectors
from conversations.admin.moments import seconds
from conversations.admin.timeline import Line, from_events, from_rows, with_decisions
from conversations.models import Approval, Message, Run, RunEvent, Step
from streaming.protocol.codec import dumps
from streaming.protocol.lifecycle import ACTIVE

MOST_EVENTS = 5_000  # of a page's runs together; a run that has more shows its rows' times instead


@dataclass(frozen=True, kw_only=True)
class ShownStep:
    row: Step
    took: str
    arguments: str

    @property
    def is_thinking(self) -> bool:
        return self.row.kind == "reasoning"


@dataclass(frozen=True, kw_only=True)
class ShownRun:
    row: Run
    lines: Sequence[Line]
    from_log: bool
    facts: Sequence[tuple[str, str]]
    notices: Sequence[str]  # what its model was not given


@dataclass(frozen=True, kw_only=True)
class ShownMessage:
    """``parts`` are texts and steps in the order in which they came."""

    row: Message
    parts: Sequence[str | ShownStep]
    versions: Sequence[UUID]
    run: ShownRun | None

    @property
    def is_answer(self) -> bool:
        return self.row.role == Message.Role.ASSISTANT


def conversation(page: selectors.MessagePage) -> list[ShownMessage]:
    """A page of messages with their steps, timelines and other versions. Three queries."""
    steps: dict[UUID, list[ShownStep]] = defaultdict(list)
    for step in page.steps:
        steps[step.run_id].append(_step(step))
    events = _events(page.runs)
    approvals = _approvals(page.runs)
    runs = {run.pk: _run(run, events.get(run.pk, []), steps[run.pk], approvals[run.pk]) for run in page.runs}
    versions = page.versions
    return [
        ShownMessage(
            row=message,
            # An answer that was gone on with has several runs.
            parts=_parts(message, [step for run in page.runs if run.answer_id == message.pk for step in steps[run.pk]]),
            versions=versions[message.pk] if len(versions[message.pk]) > 1 else (),
            run=runs.get(message.run_id) if message.run_id else None,
        )
        for message in page.messages
    ]


def _parts(message: Message, steps: Sequence[ShownStep]) -> list[str | ShownStep]:
    left = {str(step.row.pk): step for step in steps}
    parts: list[str | ShownStep] = []
    for part in message.parts:
        if "text" in part:
            start, end = part["text"]
            parts.append(message.content[start:end])
        elif part.get("step_id") in left:
            parts.append(left.pop(part["step_id"]))
    if not any(isinstance(part, str) for part in parts) and message.content:
        parts.append(message.content)
    return [*left.values(), *parts]


def _step(step: Step) -> ShownStep:
    return ShownStep(
        row=step,
        took=seconds(step.duration_ms),
        arguments="" if step.arguments is None else dumps(step.arguments),
    )


def _events(runs: Sequence[Run]) -> dict[UUID, list[RunEvent]]:
    """The logs that are still whole, as far as they fit."""
    whole = [run.pk for run in runs if not run.log_pruned]
    rows = RunEvent.objects.filter(run_id__in=whole).order_by("run_id", "seq")[: MOST_EVENTS + 1]
    logs: dict[UUID, list[RunEvent]] = defaultdict(list)
    count = 0
    for row in rows:
        logs[row.run_id].append(row)
        count += 1
    if count > MOST_EVENTS:
        logs.popitem()  # the last one was cut
    return logs


def _approvals(runs: Sequence[Run]) -> dict[UUID, list[Approval]]:
    asked: dict[UUID, list[Approval]] = defaultdict(list)
    for approval in Approval.objects.filter(run__in=runs).select_related("decided_by").order_by("decided_at", "id"):
        asked[approval.run_id].append(approval)
    return asked


def _run(run: Run, events: Sequence[RunEvent], steps: Sequence[ShownStep], approvals: Sequence[Approval]) -> ShownRun:
    whole = bool(events) and events[0].seq == 1 and (run.status in ACTIVE or events[-1].seq == run.head)
    if whole:
        lines = from_events((event.seq, event.text, event.written_at) for event in events)
    else:
        lines = from_rows(run, [step.row for step in steps])
    return ShownRun(
        row=run,
        lines=with_decisions(lines, approvals),
        from_log=whole,
        facts=_facts(run),
        notices=[str(notice["message"]) for notice in run.notices or ()],
    )


def _facts(run: Run) -> list[tuple[str, str]]:
    usage: dict[str, Any] = run.usage or {}
    timing: dict[str, Any] = run.timing or {}
    speed = timing.get("tokens_per_second")
    known = {
        "model": run.model,
        "finish reason": run.finish_reason,
        "ended early by": run.reason,
        "prompt tokens": usage.get("prompt_tokens"),
        "answer tokens": usage.get("completion_tokens"),
        "queued": _length(timing.get("queue_ms")),
        "first token after": _length(timing.get("first_token_ms")),
        "took": _length(timing.get("duration_ms")),
        "tokens per second": None if speed is None else f"{speed:.1f}",
        "attempt": run.attempt if run.attempt > 1 else None,
        "form": _form(run.structured),
        "cancelled by": run.cancel_by or None,
    }
    return [(name, str(value)) for name, value in known.items() if value is not None]


def _form(structured: dict[str, Any] | None) -> str | None:
    """What became of an answer that was to have a form; None of any other."""
    if structured is None or structured["valid"] is None:
        return None
    tries = ", at the second try" if structured["repaired"] else ""
    return f"valid{tries}" if structured["valid"] else f"not valid: {structured['error']['code']}{tries}"


def _length(milliseconds: float | None) -> str | None:
    return None if milliseconds is None else seconds(milliseconds)
