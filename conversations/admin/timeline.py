"""What happened in a run, line by line: from its events, or from its rows where the log is gone. Pure."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from conversations.models import Approval, Run, Step
from streaming.protocol.events import MessageDelta, StepInProgress

_STREAMING = frozenset({MessageDelta.name, StepInProgress.name})


@dataclass(frozen=True, kw_only=True)
class Line:
    """One event, or several of a stream as one: ``first`` and ``last`` are their numbers, None for a row's time."""

    name: str
    at: datetime | None
    note: str = ""
    first: int | None = None
    last: int | None = None
    until: datetime | None = None
    pieces: int = 0
    characters: int = 0
    step_id: str = ""

    @property
    def numbers(self) -> str:
        if self.first is None:
            return ""
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"

    @property
    def clock(self) -> str:
        """The time of day in UTC, to the millisecond: what matters here is what lies between two lines."""
        return "" if self.at is None else self.at.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3]

    @property
    def summary(self) -> str:
        if not self.pieces:
            return self.note
        said = f"{_count(self.pieces, 'piece')}, {_count(self.characters, 'character')}"
        return f"{said} of {self.note}" if self.note else said


def from_events(events: Iterable[tuple[int, str, datetime]]) -> list[Line]:
    """One line an event, in order; the pieces of a stream that follow each other are summed up in one."""
    lines: list[Line] = []
    for number, text, at in events:
        line = _line(number, text, at)
        before = lines[-1] if lines else None
        if before is not None and line.pieces and (before.name, before.step_id) == (line.name, line.step_id):
            lines[-1] = replace(
                before,
                last=number,
                until=at,
                pieces=before.pieces + 1,
                characters=before.characters + line.characters,
            )
        else:
            lines.append(line)
    return lines


def from_rows(run: Run, steps: Sequence[Step]) -> list[Line]:
    """What the rows still know of an ended run, in the order in which it happened."""
    lines = [
        Line(name="created", at=run.created_at),
        Line(name="started", at=run.started_at),
        Line(name="first token", at=run.first_token_at),
        *(Line(name=f"{step.title or step.name or step.kind}: {step.status}", at=step.started_at) for step in steps),
        Line(name=run.status, at=run.finished_at, note=run.error_code),
    ]
    known = [line for line in lines if line.at is not None]
    return sorted(known, key=lambda line: (line.at is None, line.at or run.created_at))


def with_decisions(lines: Sequence[Line], approvals: Iterable[Approval]) -> list[Line]:
    """The lines, and between them who decided what about which tool, and when. Neither arguments nor what was noted."""
    # Put between, not sorted in: the numbers say in which order the events came, whatever the clocks said.
    merged = list(lines)
    for approval in approvals:
        at = approval.decided_at
        if at is not None:
            after = (index for index, line in enumerate(merged) if line.at is not None and line.at > at)
            merged.insert(next(after, len(merged)), _decision(approval))
    return merged


def _decision(approval: Approval) -> Line:
    word = "approved" if approval.decision == Approval.Decision.APPROVE else "denied"
    by = approval.decided_by.get_username() if approval.decided_by else "somebody who is gone"
    changed = ", with other arguments" if approval.changed is not None else ""
    return Line(name=word, at=approval.decided_at, note=f"{approval.tool} by {by}{changed}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _line(number: int, text: str, at: datetime) -> Line:
    try:
        envelope = json.loads(text)
        name, data = str(envelope["event"]), envelope["data"]
    except (ValueError, TypeError, KeyError):
        return Line(name="unreadable", at=at, first=number, last=number)
    line = Line(name=name, at=at, first=number, last=number)
    if name not in _STREAMING or not isinstance(data, dict):
        return replace(line, note=_note(data))
    piece = "".join(value for key in ("content", "details", "output") if isinstance(value := data.get(key), str))
    kind = {"reasoning": "thinking", "tool_calls": "a tool"}.get(str(data.get("step", "")), "the answer")
    return replace(line, note=kind, pieces=1, characters=len(piece), step_id=str(data.get("step_id", "")))


def _note(data: Any) -> str:
    """The few words that tell one event from another of its kind. Never the text of a message."""
    if not isinstance(data, dict):
        return ""
    step, message, error = data.get("step"), data.get("message"), data.get("error")
    if isinstance(step, dict):
        return str(step.get("title") or step.get("name") or step.get("step") or "")
    if isinstance(error, dict):
        return str(error.get("code", ""))
    if "code" in data:
        return f"{data['code']}: {message}"
    if "attempt" in data:
        return ", ".join([f"attempt {data['attempt']}", *_codes(data.get("run"))])
    if isinstance(approvals := data.get("approvals"), list):
        return ", ".join(str(asked.get("tool", "")) for asked in approvals if isinstance(asked, dict))
    if isinstance(message, dict):
        return " ".join(filter(None, (str(message.get("role", "")), str(data.get("reason", "")))))
    return str(data.get("reason") or data.get("finish_reason") or "")


def _codes(run: Any) -> list[str]:
    """What the model was not given. The codes only: the sentences may have names that a person has chosen."""
    notices = run.get("notices") if isinstance(run, dict) else None
    told = [notice for notice in notices if isinstance(notice, dict)] if isinstance(notices, list) else []
    return [str(notice.get("code", "")) for notice in told]
